"""Spans of OpenTelemetry: one for each operation, and one for each of its SQL statements.

https://opentelemetry.io/docs/specs/semconv/graphql/graphql-spans/ and .../database/database-spans/. Needs the extra
`otel`; `OTEL_*` variables configure what is sampled and where it is sent.
"""

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, format_span_id, format_trace_id, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gqlapi import __version__
from gqlapi.telemetry.reports import OperationReport

# What is exported when the server ends has this long; a collector that does not answer holds nothing up.
CLOSE_SECONDS = 2.0
TARGET = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+\"?(\w+)", re.IGNORECASE)
NAMES = (b"traceparent", b"tracestate")

PROPAGATOR = TraceContextTextMapPropagator()


class OperationSpan:
    """The span of an operation that runs."""

    __slots__ = ("_context", "_span", "_spans", "trace_id")

    def __init__(self, spans: "Spans", span: Span) -> None:
        """Wrap a span that has begun."""
        self._spans = spans
        self._span = span
        self._context: Context | None = None
        self.trace_id = format_trace_id(span.get_span_context().trace_id)

    @property
    def header(self) -> bytes:
        """The value of `traceresponse`: https://www.w3.org/TR/trace-context-2/ of 2024."""
        context = self._span.get_span_context()
        return f"00-{self.trace_id}-{format_span_id(context.span_id)}-{int(context.trace_flags):02x}".encode()

    def add_statement(self, sql: str, _parameters: Any, seconds: float) -> None:
        """Add a statement that has just ended; its parameters stay here."""
        if not self._span.is_recording():
            return
        if self._context is None:
            self._context = set_span_in_context(self._span)
        self._spans.add_statement(self._context, sql, seconds)

    def describe(self, report: OperationReport, document: str | None) -> None:
        """Set what is known when the operation has ended."""
        span, label = self._span, report.label
        if not span.is_recording():
            return
        # A client may send any name: only those that an operator has chosen are few.
        span.update_name(f"{label.type} {label.name}".strip() if label.is_trusted else label.type or "graphql")
        attributes = {
            "graphql.operation.type": label.type,
            "graphql.operation.name": label.name,
            "gqlapi.document.id": label.document_id,
            "graphql.document": document or "",
        }
        span.set_attributes({name: value for name, value in attributes.items() if value})
        span.set_attributes({"gqlapi.cost": report.cost, "gqlapi.statements": report.statements})
        if report.status:
            span.set_attribute("http.response.status_code", report.status)
        if report.codes:
            span.set_attribute("error.type", report.codes[0])
            span.set_status(Status(StatusCode.ERROR))

    def end(self) -> None:
        """End the span; a second call does nothing."""
        if self._span.is_recording():
            self._span.end()


class Spans:
    """Makes the spans of a server."""

    def __init__(self, provider: TracerProvider, database_system: str) -> None:
        """Create spans with a provider; `database_system` is `postgresql` or `sqlite`."""
        self._provider = provider
        self._tracer = provider.get_tracer("gqlapi", __version__)
        self._database_system = database_system

    def start(self, headers: Mapping[bytes, bytes]) -> OperationSpan:
        """Start the span of an operation, as a child of the client's, if it names one."""
        carrier = {name.decode(): headers[name].decode("latin-1") for name in NAMES if name in headers}
        parent = PROPAGATOR.extract(carrier) if carrier else Context()
        return OperationSpan(self, self._tracer.start_span("graphql", parent, kind=SpanKind.SERVER))

    def add_statement(self, context: Context, sql: str, seconds: float) -> None:
        """Add a statement that has just ended to the operation of a context."""
        operation, target = _summary(sql)
        end = time.time_ns()
        attributes = {
            "db.system.name": self._database_system,
            "db.operation.name": operation,
            "db.query.summary": f"{operation} {target}".strip(),
            # With placeholders: our statements have no values in their texts.
            "db.query.text": sql,
        }
        if target:
            attributes["db.collection.name"] = target
        span = self._tracer.start_span(
            attributes["db.query.summary"],
            context,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=end - int(seconds * 1_000_000_000),
        )
        span.end(end)

    async def close(self) -> None:
        """Export what is left, unless that takes too long."""
        loop, is_done = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # the loop has ended: nothing waits
                loop.call_soon_threadsafe(is_done.set)

        threading.Thread(target=shut_down, name="spans", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(is_done.wait(), CLOSE_SECONDS)


def create_spans(database_system: str) -> Spans:
    """Create spans that are sent by OTLP over HTTP, in the background."""
    resource = Resource.create({"service.name": "gqlapi", "service.version": __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Spans(provider, database_system)


@lru_cache(maxsize=512)
def _summary(sql: str) -> tuple[str, str]:
    """Return the operation and the table of a statement."""
    operation = sql.split(maxsplit=1)[0].upper() if sql.strip() else ""
    target = TARGET.search(sql)
    return operation, target[1] if target else ""
