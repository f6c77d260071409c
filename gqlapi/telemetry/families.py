"""The metrics, by their names in Prometheus; docs/operations.md describes them.

Prometheus-client keeps their values in this process, or in files where `PROMETHEUS_MULTIPROC_DIR` is set.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LAG_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
POINTS = (1.0, 10.0, 100.0, 500.0, 1_000.0, 5_000.0, 10_000.0, 20_000.0)
OPERATION = ("operation", "type")

# A time of creation for each series, which nothing reads, would double the export.
disable_created_metrics()  # type: ignore[no-untyped-call] # it has no annotations

Mode = Literal["livesum", "livemax"]


class GaugeSpec(NamedTuple):
    """A gauge that is read before each export; `mode` joins those of several workers."""

    documentation: str
    mode: Mode = "livesum"
    labels: tuple[str, ...] = ()


GAUGES = {
    "gqlapi_workers": GaugeSpec("Worker processes."),
    "gqlapi_connections": GaugeSpec("Open connections of clients."),
    "gqlapi_pool_size": GaugeSpec("Operations that may use the database at once."),
    "gqlapi_pool_in_use": GaugeSpec("Operations that use the database or may begin to."),
    "gqlapi_pool_waiting": GaugeSpec("Operations in the queue for the database."),
    "gqlapi_cache_entries": GaugeSpec("Entries of a cache.", labels=("cache",)),
    "gqlapi_cache_bytes": GaugeSpec("Size of a cache, about.", labels=("cache",)),
    "gqlapi_resident_memory_bytes": GaugeSpec("Resident memory of the workers."),
    "gqlapi_subscriptions": GaugeSpec("Subscriptions."),
    "gqlapi_websockets": GaugeSpec("Open WebSockets."),
    "gqlapi_feed_lag_seconds": GaugeSpec("Time since the feed was read to its end.", "livemax"),
}


def worker_deaths(registry: CollectorRegistry) -> Counter:
    """Register what the supervisor of workers counts."""
    return Counter("gqlapi_worker_deaths", "Workers that ended by themselves.", registry=registry)


class BulkHistogram(Histogram):
    """A histogram to which many observations are added at once."""

    def add(self, counts: Sequence[int], total: float) -> None:
        """Add as many observations as `counts` has for each bucket, the last of which has no bound."""
        self._sum.inc(total)
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)


class Families:
    """The metrics of one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register all but the gauges, which are registered when something is to be read."""
        self._registry = registry
        self.operations = self._counter("operations", "GraphQL operations.", (*OPERATION, "status", "code"))
        self.duration = self._histogram("operation_duration_seconds", "Time of operations.", OPERATION, SECONDS)
        self.cost = self._histogram("operation_cost_points", "Cost of operations.", OPERATION, POINTS)
        self.statements = self._counter("statements", "SQL statements of operations.", OPERATION)
        self.statement_seconds = self._counter("statement_seconds", "Time of SQL statements.", OPERATION)
        self.requests = self._counter("http_requests", "HTTP requests.", ("method", "status"))
        self.refusals = self._counter("refusals", "Requests and connections refused by a limit.", ("reason",))
        self.failures = self._counter("database_failures", "Operations that failed by the database.", ("kind",))
        self.cache_requests = self._counter("cache_requests", "Look-ups in a cache.", ("cache", "result"))
        self.lag = self._histogram("event_loop_lag_seconds", "Delay of timers.", (), LAG_SECONDS)
        self.collections = self._counter("gc_collections", "Garbage collections.", ("generation",))
        self.pauses = self._counter("gc_pause_seconds", "Time of garbage collections.", ("generation",))
        self.cpu = self._counter("cpu_seconds", "CPU time of the workers.", ())

    def gauge(self, name: str) -> Gauge:
        """Register a gauge of `GAUGES`."""
        spec = GAUGES[name]
        return Gauge(name, spec.documentation, spec.labels, registry=self._registry, multiprocess_mode=spec.mode)

    def _counter(self, name: str, documentation: str, labels: Sequence[str]) -> Counter:
        return Counter(name, documentation, labels, namespace="gqlapi", registry=self._registry)

    def _histogram(self, name: str, documentation: str, labels: Sequence[str], bounds: Sequence[float]) -> Any:
        # Typed as Any: the children of a family have its class, and are declared as plain histograms.
        return BulkHistogram(
            name, documentation, labels, namespace="gqlapi", registry=self._registry, buckets=[*bounds, float("inf")]
        )
