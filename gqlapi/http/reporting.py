"""Reports operations to whoever observes them, and keeps the reports for the request's line in the log."""

import time
from collections.abc import Sequence
from typing import Any

from graphql import GraphQLError

from gqlapi.context import Context
from gqlapi.database.tracing import CURRENT_TRACE, OnStatement, Trace
from gqlapi.documents.ids import sha256_id
from gqlapi.execution.plan import Operation
from gqlapi.http.requests import GraphQLRequest
from gqlapi.telemetry.reports import MAX_NAME_LENGTH, Label, OnOperation, OperationReport


class OperationTrace(Trace):
    """The statements of an operation, and, when it has ended, its report."""

    __slots__ = ("began", "codes", "cost", "duration", "label", "slowest", "status")

    # Set when the operation has ended.
    label: Label
    cost: int
    codes: tuple[str, ...]
    status: int
    duration: float

    def __init__(self, on_statement: OnStatement | None = None) -> None:
        """Begin now."""
        self.statements = 0
        self.seconds = 0.0
        self._on_statement = on_statement
        self._started = None
        self.began = time.perf_counter()


class SlowestTrace(OperationTrace):
    """Keeps the text and the parameters of the slowest statement as well."""

    __slots__ = ("_slowest_seconds",)

    def __init__(self) -> None:
        """Begin now."""
        super().__init__(self._compare)
        self.slowest: tuple[str, Any] | None = None
        self._slowest_seconds = 0.0

    def _compare(self, sql: str, parameters: Any, seconds: float) -> None:
        if seconds > self._slowest_seconds:
            self._slowest_seconds, self.slowest = seconds, (sql, parameters)


class Reporter:
    """Makes the report of each operation."""

    def __init__(
        self, observers: Sequence[OnOperation] = (), *, reports_costs: bool = False, keeps_slowest: bool = False
    ) -> None:
        """Report to observers; `reports_costs`: to clients as well; `keeps_slowest`: with the slowest statement."""
        self.reports_costs = reports_costs
        self._observers = observers
        self._trace = SlowestTrace if keeps_slowest else OperationTrace

    def begin(self) -> OperationTrace:
        """Begin to count the statements of an operation, which runs in this task."""
        trace = self._trace()
        CURRENT_TRACE.set(trace)
        return trace

    def report(
        self, context: Context, request: GraphQLRequest, errors: Sequence[GraphQLError] | None, status: int = 0
    ) -> OperationReport:
        """Report an operation that has ended; its errors are those that clients see."""
        trace, bound = context.trace, context.operation
        assert isinstance(trace, OperationTrace)  # noqa: S101 - from `begin`
        if bound is None:
            trace.label = Label((request.operation_name or "")[:MAX_NAME_LENGTH], "", "", False)  # noqa: FBT003 - a field
        else:
            trace.label = _label(bound.operation, is_trusted=context.is_of_trusted_document)
        trace.cost = sum(context.costs.values())
        trace.codes = _codes(errors) if errors else ()
        trace.status = status
        trace.duration = time.perf_counter() - trace.began
        for observe in self._observers:
            observe(trace)
        return trace


def _codes(errors: Sequence[GraphQLError]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str((error.extensions or {}).get("code", "")) for error in errors))


def _label(operation: Operation, *, is_trusted: bool) -> Label:
    """Return the label, which is made once for each compiled operation."""
    label = operation.label
    if isinstance(label, Label) and label.is_trusted is is_trusted:
        return label
    definition = operation.definition
    name = definition.name.value[:MAX_NAME_LENGTH] if definition.name else ""
    document_id = "" if definition.loc is None else sha256_id(definition.loc.source.body)
    operation.label = label = Label(name, definition.operation.value, document_id, is_trusted)
    return label
