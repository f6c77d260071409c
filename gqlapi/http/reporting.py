"""Reports operations to whoever observes them, and keeps the reports for the request's line in the log."""

import time
from collections.abc import Sequence
from typing import Any

from graphql import GraphQLError

from gqlapi.context import Context
from gqlapi.database.tracing import CURRENT_TRACE, Trace
from gqlapi.documents.ids import sha256_id
from gqlapi.execution.plan import Operation
from gqlapi.http.requests import GraphQLRequest
from gqlapi.telemetry.reports import MAX_NAME_LENGTH, OnOperation, OperationReport


class OperationTrace(Trace):
    """The statements of an operation, and when it began."""

    def __init__(self) -> None:
        """Begin now, in this task and those that it starts."""
        super().__init__()
        self.began = time.perf_counter()


class SlowestTrace(OperationTrace):
    """Keeps the slowest statement as well."""

    def __init__(self) -> None:
        """Begin now."""
        super().__init__()
        self._on_statement = self._compare
        self.slowest: tuple[str, Any] | None = None
        self._seconds = 0.0

    def _compare(self, sql: str, parameters: Any, seconds: float) -> None:
        if seconds > self._seconds:
            self._seconds, self.slowest = seconds, (sql, parameters)


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
        name, type_, document_id = request.operation_name or "", "", ""
        if bound is not None:
            operation = bound.operation
            definition = operation.definition
            name = definition.name.value if definition.name else ""
            type_, document_id = definition.operation.value, _document_id(operation)
        report = OperationReport(
            name[:MAX_NAME_LENGTH],
            type_,
            document_id,
            context.is_of_trusted_document,
            sum(context.costs.values()),
            trace.statements,
            trace.seconds,
            _codes(errors) if errors else (),
            status,
            time.perf_counter() - trace.began,
            trace.slowest if isinstance(trace, SlowestTrace) else None,
        )
        for observe in self._observers:
            observe(report)
        return report


def _codes(errors: Sequence[GraphQLError]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str((error.extensions or {}).get("code", "")) for error in errors))


def _document_id(operation: Operation) -> str:
    """Return the id of the document, which is computed once for each compiled operation."""
    if operation.document_id is None:
        location = operation.definition.loc
        operation.document_id = "" if location is None else sha256_id(location.source.body)
    return operation.document_id
