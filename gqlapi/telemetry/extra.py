"""What the extra `otel` brings, which is loaded only where a setting asks for it: that takes 0.2 seconds."""

from collections.abc import Mapping
from typing import Any, Protocol

from gqlapi.telemetry.reports import OperationReport


class Span(Protocol):
    """The span of an operation."""

    trace_id: str

    @property
    def header(self) -> bytes:
        """The value of `traceresponse`."""

    def add_statement(self, sql: str, parameters: Any, seconds: float) -> None:
        """Add a statement that has just ended."""

    def describe(self, report: OperationReport, document: str | None) -> None:
        """Set what is known when the operation has ended."""

    def end(self) -> None:
        """End the span; a second call does nothing."""


class Tracing(Protocol):
    """Makes spans."""

    def start(self, headers: Mapping[bytes, bytes]) -> Span:
        """Start the span of an operation."""

    async def close(self) -> None:
        """Export what is left, unless that takes too long."""


def create_tracing(database_system: str) -> Tracing:
    """Create what makes and sends spans.

    Raises:
        RuntimeError: the extra is not installed.
    """
    try:
        from gqlapi.telemetry.spans import create_spans  # noqa: PLC0415 - see above
    except ImportError as error:
        raise RuntimeError("GQLAPI_TRACING needs the extra: pip install 'gqlapi[otel]'") from error
    return create_spans(database_system)
