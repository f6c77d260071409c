"""The report of an operation that has run, or was refused."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# The name of an operation is its client's choice, and may be as long as the document.
MAX_NAME_LENGTH = 100


@dataclass(slots=True)
class OperationReport:
    """One operation of a request: nothing in it is a value that a client has sent, but for the name."""

    # Empty for an operation without a name.
    name: str
    # `query`, `mutation` or `subscription`; empty where the document is not valid.
    type: str
    # The SHA-256 hash of the text, as the ids of documents have it; empty where the document is not valid.
    document_id: str
    # Whether the document was added by an operator, so that its name is one of a bounded number.
    is_trusted: bool
    cost: int
    statements: int
    statement_seconds: float
    # The codes of its errors, each once.
    codes: tuple[str, ...]
    # Of HTTP; 0 where the answer has none.
    status: int
    seconds: float
    # Text and parameters of its slowest statement, where they are recorded.
    slowest: tuple[str, Any] | None = None

    def fields(self) -> dict[str, Any]:
        """Return the fields of the log."""
        fields: dict[str, Any] = {
            "operation": self.name,
            "type": self.type,
            "document": self.document_id,
            "cost": self.cost,
            "sql": self.statements,
            "sql_ms": round(self.statement_seconds * 1000, 1),
        }
        if self.codes:
            fields["codes"] = self.codes
        return fields


OnOperation = Callable[[OperationReport], None]


def fields_of(reports: list[OperationReport]) -> dict[str, Any]:
    """Return the fields of a request: those of its operation, or a list of them for a batch."""
    if len(reports) == 1:
        return reports[0].fields()
    return {"operations": [report.fields() for report in reports]}
