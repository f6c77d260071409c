"""The metrics of a server: what is read for them, and where they are exported."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gqlapi.cache import BudgetedCache
from gqlapi.database.failures import Trouble
from gqlapi.database.unit import Database
from gqlapi.serving.statistics import STATISTICS
from gqlapi.settings import Settings
from gqlapi.telemetry.exporter import CONTENT_TYPE, Exporter, is_one_of_several, render
from gqlapi.telemetry.metrics import Metrics
from gqlapi.telemetry.runtime import resident_bytes


def create_metrics(settings: Settings, database: Database, operations: BudgetedCache[Any, Any]) -> Metrics | None:
    """Create the metrics of a process, or none where they are not exported."""
    if settings.metrics_port is None and not settings.metrics_path:
        return None
    metrics, gate = Metrics(), database.gate
    metrics.watch("gqlapi_connections", lambda: STATISTICS.connections)
    metrics.watch("gqlapi_pool_size", lambda: gate.size)
    metrics.watch("gqlapi_pool_in_use", lambda: gate.size - gate.free)
    metrics.watch("gqlapi_pool_waiting", lambda: gate.waiting)
    metrics.watch("gqlapi_resident_memory_bytes", resident_bytes)
    metrics.watch_refusals(STATISTICS.refusals)
    failures = database.incidents.counts
    metrics.watch_refusal("busy", lambda: failures[Trouble.BUSY])
    others = [trouble for trouble in Trouble if trouble is not Trouble.BUSY]
    metrics.watch_failures({trouble: partial(failures.__getitem__, trouble) for trouble in others})
    statements = database.read_engine.get_execution_options()["compiled_cache"]
    _watch_caches(metrics, {"operations": operations, "statements": statements})
    return metrics


def _watch_caches(metrics: Metrics, caches: dict[str, BudgetedCache[Any, Any]]) -> None:
    metrics.watch_each("gqlapi_cache_entries", "cache", {name: partial(len, cache) for name, cache in caches.items()})
    sizes = {name: partial(getattr, cache, "bytes") for name, cache in caches.items()}
    metrics.watch_each("gqlapi_cache_bytes", "cache", sizes)
    for name, cache in caches.items():
        metrics.watch_cache(name, hits=partial(getattr, cache, "hits"), misses=partial(getattr, cache, "misses"))


class MetricsPage:
    """Answers Prometheus on a path of the API."""

    def __init__(self, metrics: Metrics) -> None:
        """Answer with metrics."""
        self._metrics = metrics

    async def send(self, _request: Request) -> Response:
        """Return the metrics of all workers."""
        self._metrics.flush()
        return Response(render(self._metrics.registry), media_type=CONTENT_TYPE)


@contextmanager
def exporting(metrics: Metrics | None, settings: Settings) -> Iterator[None]:
    """Count in the block, and export on the port of the settings unless another process does.

    Raises:
        OSError: nothing can listen on the port.
    """
    if metrics is None:
        yield
        return
    exporter = Exporter(metrics.registry)
    if settings.metrics_port is not None and not is_one_of_several():
        exporter.start(settings.metrics_host, settings.metrics_port)
    metrics.start()
    try:
        yield
    finally:
        metrics.stop()
        exporter.stop()
