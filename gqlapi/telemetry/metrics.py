"""The numbers of a process: counted in plain objects, and given to prometheus-client twice a second.

Prometheus-client takes 2 µs for a counter and more for a histogram, several times what a request may cost here.
"""

import asyncio
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from prometheus_client import CollectorRegistry, Gauge

from gqlapi.telemetry.families import LAG_SECONDS, POINTS, SECONDS, Families
from gqlapi.telemetry.reports import OperationReport
from gqlapi.telemetry.runtime import Collections, cpu_seconds

K = TypeVar("K", bound=Hashable)

PERIOD_SECONDS = 0.5
# Names of trusted documents; the operations beyond share the name of those that are not trusted.
MAX_NAMES = 500
OTHERS = ""


class Observations:
    """Observations of a histogram that were not given to it yet."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        """Start without observations."""
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Add one."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value


class OperationNumbers:
    """What operations of one name and type have taken since the last export."""

    __slots__ = ("cost", "duration", "statement_seconds", "statements")

    def __init__(self) -> None:
        """Start with nothing."""
        self.duration = Observations(SECONDS)
        self.cost = Observations(POINTS)
        self.statements = 0
        self.statement_seconds = 0.0


class Metrics:
    """Counts what is reported, and samples the rest."""

    def __init__(self) -> None:
        """Start with a registry that has nothing of other servers in this process."""
        self.registry = CollectorRegistry()
        self._families = Families(self.registry)
        self._names: set[str] = set()
        self._operations: Counter[tuple[str, str, int, str]] = Counter()
        self._numbers: defaultdict[tuple[str, str], OperationNumbers] = defaultdict(OperationNumbers)
        self._requests: Counter[tuple[str, int]] = Counter()
        self._lag = Observations(LAG_SECONDS)
        self._collections = Collections()
        self._samples: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self.watch("gqlapi_workers", lambda: 1)
        self.count_up(self._families.cpu.inc, cpu_seconds)

    def observe_operation(self, report: OperationReport) -> None:
        """Count an operation; only names that an operator has chosen are labels."""
        name = report.name if report.is_trusted else OTHERS
        if name not in self._names:
            if len(self._names) >= MAX_NAMES:
                name = OTHERS
            self._names.add(name)
        codes = report.codes
        self._operations[name, report.type, report.status, codes[0] if codes else ""] += 1
        numbers = self._numbers[name, report.type]
        numbers.duration.add(report.seconds)
        numbers.cost.add(report.cost)
        numbers.statements += report.statements
        numbers.statement_seconds += report.statement_seconds

    def observe_request(self, method: str, status: int) -> None:
        """Count an HTTP request; its method is one that the server knows, or `other`."""
        self._requests[method, status] += 1

    def watch(self, name: str, read: Callable[[], float]) -> None:
        """Read a gauge of `GAUGES` before each export."""
        gauge = self._families.gauge(name)
        self._samples.append(partial(_set, gauge, read))

    def watch_each(self, name: str, label: str, reads: Mapping[str, Callable[[], float]]) -> None:
        """Read a gauge of `GAUGES` that has one label, for each of its values, before each export."""
        gauge = self._families.gauge(name)
        for value, read in reads.items():
            self._samples.append(partial(_set, gauge.labels(**{label: value}), read))

    def watch_refusals(self, counts: Mapping[str, int]) -> None:
        """Export the counts of refusals by their reasons, which may become more."""
        last: Counter[str] = Counter()

        def sample() -> None:
            for reason, count in [*counts.items()]:
                self._families.refusals.labels(reason).inc(count - last[reason])
                last[reason] = count

        self._samples.append(sample)

    def watch_refusal(self, reason: str, read: Callable[[], int]) -> None:
        """Export the count of refusals for a reason."""
        self.count_up(self._families.refusals.labels(reason).inc, read)

    def watch_failures(self, reads: Mapping[str, Callable[[], int]]) -> None:
        """Export the counts of failures of the database by their kinds."""
        for kind, read in reads.items():
            self.count_up(self._families.failures.labels(kind).inc, read)

    def watch_cache(self, cache: str, hits: Callable[[], int], misses: Callable[[], int]) -> None:
        """Export the look-ups in a cache."""
        labels = self._families.cache_requests.labels
        self.count_up(labels(cache, "hit").inc, hits)
        self.count_up(labels(cache, "miss").inc, misses)

    def count_up(self, increase: Callable[[float], None], read: Callable[[], float]) -> None:
        """Increase a counter before each export by what was added to a number since the last one."""
        last = 0.0

        def sample() -> None:
            nonlocal last
            value = read()
            if value > last:
                increase(value - last)
                last = value

        self._samples.append(sample)

    # The life of the process.

    def start(self) -> None:
        """Export now, and from now on twice a second."""
        self._collections.start()
        self.flush()
        self._schedule()

    def stop(self) -> None:
        """Export for the last time."""
        if self._timer is not None:
            self._timer.cancel()
        self._collections.stop()
        self.flush()

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + PERIOD_SECONDS
        self._timer = loop.call_at(due, partial(self._tick, due))

    def _tick(self, due: float) -> None:
        self._lag.add(max(0.0, asyncio.get_running_loop().time() - due))
        self.flush()
        self._schedule()

    def flush(self) -> None:
        """Give prometheus-client what has been counted since the last time."""
        families = self._families
        for (name, type_, status, code), count in _taken(self._operations):
            families.operations.labels(name, type_, str(status), code).inc(count)
        for (method, status), count in _taken(self._requests):
            families.requests.labels(method, str(status)).inc(count)
        numbers, self._numbers = self._numbers, defaultdict(OperationNumbers)
        for labels, number in numbers.items():
            families.duration.labels(*labels).add(number.duration.counts, number.duration.total)
            families.cost.labels(*labels).add(number.cost.counts, number.cost.total)
            families.statements.labels(*labels).inc(number.statements)
            families.statement_seconds.labels(*labels).inc(number.statement_seconds)
        lag, self._lag = self._lag, Observations(LAG_SECONDS)
        families.lag.add(lag.counts, lag.total)
        for generation, count, seconds in self._collections.take():
            families.collections.labels(generation).inc(count)
            families.pauses.labels(generation).inc(seconds)
        for sample in self._samples:
            sample()


def _set(gauge: Gauge, read: Callable[[], float]) -> None:
    gauge.set(read())


def _taken(counts: Counter[K]) -> list[tuple[K, int]]:
    """Return the counts, and begin anew."""
    items = [*counts.items()]
    counts.clear()
    return items
