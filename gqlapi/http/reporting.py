"""Reports operations to their observers, and keeps the reports for the request's line in the log."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from graphql import GraphQLError

from gqlapi.context import Context
from gqlapi.database.tracing import CURRENT_TRACE, OnStatement, Trace
from gqlapi.documents.ids import sha256_id
from gqlapi.execution.plan import Operation
from gqlapi.http.clients import Headers
from gqlapi.telemetry.extra import Span, Tracing
from gqlapi.telemetry.reports import MAX_NAME_LENGTH, Label, OnOperation


class OperationTrace(Trace):
    """The statements of an operation, and, when it has ended, its report."""

    __slots__ = ("began", "codes", "cost", "duration", "label", "slowest", "span", "status", "trace_id")

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
        self.span: Span | None = None
        self.trace_id = ""

    def begin_span(self, span: Span) -> None:
        """Report to a span of OpenTelemetry as well."""
        self.span, self.trace_id = span, span.trace_id
        before, add = self._on_statement, span.add_statement
        self._on_statement = add if before is None else partial(_call_both, before, add)


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
        self,
        observers: Sequence[OnOperation] = (),
        tracing: Tracing | None = None,
        *,
        reports_costs: bool = False,
        keeps_slowest: bool = False,
        traces_documents: bool = False,
    ) -> None:
        """Report to observers, and to spans, with or without documents.

        `reports_costs`: to clients as well; `keeps_slowest`: with the slowest statement.
        """
        self.reports_costs = reports_costs
        self._tracing = tracing
        self._traces_documents = traces_documents
        self._observers = observers
        self._trace = SlowestTrace if keeps_slowest else OperationTrace

    def begin(self, headers: Headers) -> OperationTrace:
        """Begin to count the statements of an operation, which runs in this task; `headers` name the client's span."""
        trace = self._trace()
        if self._tracing is not None:
            trace.begin_span(self._tracing.start(headers))
        CURRENT_TRACE.set(trace)
        return trace

    def report(
        self, context: Context, errors: Sequence[GraphQLError] | None, name: str = "", status: int = 0
    ) -> OperationTrace:
        """Report an operation that has ended; its errors are those that clients see.

        `name` is what the request calls it, in case the document is not valid.
        """
        trace, bound = context.trace, context.operation
        assert isinstance(trace, OperationTrace)  # noqa: S101 - from `begin`
        if bound is None:
            trace.label = Label(name[:MAX_NAME_LENGTH], "", "", False)  # noqa: FBT003 - a field
        else:
            trace.label = _label(bound.operation, is_trusted=context.is_of_trusted_document)
        trace.cost = sum(context.costs.values())
        trace.codes = _codes(errors) if errors else ()
        trace.status = status
        trace.duration = time.perf_counter() - trace.began
        for observe in self._observers:
            observe(trace)
        if trace.span is not None:
            location = None if bound is None else bound.operation.definition.loc
            text = location.source.body if location is not None and self._traces_documents else None
            trace.span.describe(trace, text)
        return trace

    def end(self, context: Context) -> None:
        """End the span of an operation, reported or not, if it has one."""
        if self._tracing is not None and isinstance(context.trace, OperationTrace) and context.trace.span is not None:
            context.trace.span.end()


def _call_both(first: OnStatement, second: OnStatement, sql: str, parameters: Any, seconds: float) -> None:
    first(sql, parameters, seconds)
    second(sql, parameters, seconds)


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
