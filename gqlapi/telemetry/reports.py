"""The report of an operation that has run, or was refused."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

# The name of an operation is its client's choice, and may be as long as the document.
MAX_NAME_LENGTH = 100


class Label(NamedTuple):
    """What an operation is known by."""

    # Empty for an operation without a name.
    name: str
    # `query`, `mutation` or `subscription`; empty where the document is not valid.
    type: str
    # The SHA-256 hash of the text, as the ids of documents have it; empty where the document is not valid.
    document_id: str
    # Whether an operator has added the document, so that its name is one of a bounded number.
    is_trusted: bool


class OperationReport(Protocol):
    """One operation of a request: nothing in it is a value that a client has sent, but for the name."""

    label: Label
    cost: int
    # SQL statements, and the seconds that they took.
    statements: int
    seconds: float
    # The codes of its errors, each once.
    codes: tuple[str, ...]
    # Of HTTP; 0 where the answer has none.
    status: int
    # From the beginning to the end, in seconds.
    duration: float
    # Of OpenTelemetry; empty where it is off.
    trace_id: str


OnOperation = Callable[[OperationReport], None]


def fields_of(reports: list[OperationReport]) -> dict[str, Any]:
    """Return the fields of a request in the log: those of its operation, or a list of them for a batch."""
    if len(reports) == 1:
        return _fields(reports[0])
    return {"operations": [_fields(report) for report in reports]}


def _fields(report: OperationReport) -> dict[str, Any]:
    name, type_, document_id, _ = report.label
    fields: dict[str, Any] = {
        "operation": name,
        "type": type_,
        "document": document_id,
        "cost": report.cost,
        "sql": report.statements,
        "sql_ms": round(report.seconds * 1000, 1),
    }
    if report.codes:
        fields["codes"] = report.codes
    if report.trace_id:
        fields["trace_id"] = report.trace_id
    return fields
