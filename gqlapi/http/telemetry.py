"""The parts of a server that observe it: metrics, spans, and the log of slow operations."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.routing import Route

from gqlapi.cache import BudgetedCache
from gqlapi.database.unit import Database
from gqlapi.http.metrics import MetricsPage, create_metrics, exporting
from gqlapi.http.reporting import Reporter
from gqlapi.http.request_id import OnRequest
from gqlapi.http.slow_operations import SlowOperations
from gqlapi.http.subscriptions import Subscriptions
from gqlapi.http.websocket import WebSocketEndpoint
from gqlapi.settings import Settings
from gqlapi.telemetry.extra import create_tracing


class Telemetry:
    """What the settings switch on, in one place for the application."""

    def __init__(self, settings: Settings, database: Database, operations: BudgetedCache[Any, Any]) -> None:
        """Observe a database and the cache of compiled operations.

        Raises:
            RuntimeError: a package that the settings need is not installed.
        """
        self._settings = settings
        self.metrics = metrics = create_metrics(settings, database, operations)
        self._slow = SlowOperations(database, settings.slow_operation_ms) if settings.slow_operation_ms else None
        self._tracing = create_tracing(database.dialect_name) if settings.tracing else None
        observers = [] if metrics is None else [metrics.observe_operation]
        if self._slow is not None:
            observers.append(self._slow.observe)
        self.reporter = Reporter(
            observers,
            self._tracing,
            reports_costs=settings.reports_costs,
            keeps_slowest=self._slow is not None,
            traces_documents=settings.trace_documents,
        )

    def watch_subscriptions(self, subscriptions: Subscriptions, sockets: WebSocketEndpoint) -> None:
        """Export how many there are, and how late they are."""
        feed = subscriptions.runner.feed
        if self.metrics is not None and feed is not None:
            self.metrics.watch("gqlapi_subscriptions", lambda: subscriptions.count)
            self.metrics.watch("gqlapi_websockets", lambda: sockets.open)
            self.metrics.watch("gqlapi_feed_lag_seconds", lambda: feed.lag_seconds)

    @property
    def on_request(self) -> OnRequest | None:
        """What is called for each request that was answered."""
        return None if self.metrics is None else self.metrics.observe_request

    @property
    def routes(self) -> list[Route]:
        """The path of the metrics, if there is one."""
        path = self._settings.metrics_path
        return [Route(path, MetricsPage(self.metrics).send)] if self.metrics is not None and path else []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Observe during the block; the database must be open at its end."""
        with exporting(self.metrics, self._settings):
            yield
            for part in (self._slow, self._tracing):
                if part is not None:
                    await part.close()
