"""The numbers of a process: counted in plain objects, and given to prometheus-client twice a second.

Prometheus-client takes 2 µs for a counter and more for a histogram, several times what a request may cost here.
"""

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

from prometheus_client import CollectorRegistry, Gauge

from gqlapi.telemetry.families import POINTS, SECONDS, Families
from gqlapi.telemetry.reports import Label, OnOperation, OperationReport
from gqlapi.telemetry.runtime import Collections, cpu_seconds

PERIOD_SECONDS = 0.5
# Requests that are counted together: few enough to be in the processor's cache still.
BATCH = 64
# Names of trusted documents; the operations beyond share the name of those that are not trusted.
MAX_NAMES = 500
OTHERS = ""
OK = 200


class OperationNumbers:
    """What operations of one name and type have taken since the last export, and how they ended."""

    __slots__ = ("cost", "costs", "duration", "durations", "outcomes", "statement_seconds", "statements", "succeeded")

    def __init__(self) -> None:
        """Start with nothing."""
        # For each bucket how many, the last of which has no bound; and the sum.
        self.durations, self.duration = [0] * (len(SECONDS) + 1), 0.0
        self.costs, self.cost = [0] * (len(POINTS) + 1), 0
        self.statements, self.statement_seconds = 0, 0.0
        # With status 200 and no error: counted apart, because these are most.
        self.succeeded = 0
        self.outcomes: Counter[tuple[int, str]] = Counter()


class Metrics:
    """Counts what is reported, and samples the rest."""

    def __init__(self) -> None:
        """Start with a registry that has nothing of other servers in this process."""
        self.registry = CollectorRegistry()
        self._families = Families(self.registry)
        self._reports: list[OperationReport] = []
        self._names: set[str] = set()
        self._numbers: dict[tuple[str, str], OperationNumbers] = {}
        # The same, by the label of the report.
        self._by_label: dict[Label, OperationNumbers] = {}
        self._requests: list[tuple[str, int]] = []
        self._statuses: Counter[tuple[str, int]] = Counter()
        self._collections = Collections()
        self._samples: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self.watch("gqlapi_workers", lambda: 1)
        self.count_up(self._families.cpu.inc, cpu_seconds)

    @property
    def observe_operation(self) -> OnOperation:
        """What takes the report of an operation, which is looked at before the next export."""
        return self._reports.append

    def observe_request(self, method: str, status: int) -> None:
        """Count an HTTP request; its method is one that the server knows, or `other`."""
        self._requests.append((method, status))
        if len(self._requests) >= BATCH:
            self._count()

    def _count(self) -> None:
        """Count what was reported; together, this takes half as long as between the requests."""
        self._statuses.update(self._requests)
        self._requests.clear()
        for report in self._reports:
            numbers = self._by_label.get(report.label)
            if numbers is None:
                numbers = self._find(report.label)
            seconds, cost = report.duration, report.cost
            numbers.durations[bisect_left(SECONDS, seconds)] += 1
            numbers.duration += seconds
            numbers.costs[bisect_left(POINTS, cost)] += 1
            numbers.cost += cost
            numbers.statements += report.statements
            numbers.statement_seconds += report.seconds
            if report.codes or report.status != OK:
                numbers.outcomes[report.status, report.codes[0] if report.codes else ""] += 1
            else:
                numbers.succeeded += 1
        self._reports.clear()

    def _find(self, label: Label) -> OperationNumbers:
        name = label.name if label.is_trusted else OTHERS
        if name not in self._names:
            if len(self._names) >= MAX_NAMES:
                name = OTHERS
            self._names.add(name)
        key = (name, label.type)
        numbers = self._numbers.get(key) or self._numbers.setdefault(key, OperationNumbers())
        if len(self._by_label) < MAX_NAMES:  # of this export; clients may send any number of documents
            self._by_label[label] = numbers
        return numbers

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
        self._families.lag.observe(max(0.0, asyncio.get_running_loop().time() - due))
        self.flush()
        self._schedule()

    def flush(self) -> None:
        """Give prometheus-client what has been counted since the last time."""
        self._count()
        families = self._families
        statuses, self._statuses = self._statuses, Counter()
        for (method, status), count in statuses.items():
            families.requests.labels(method, str(status)).inc(count)
        numbers, self._numbers, self._by_label = self._numbers, {}, {}
        for labels, number in numbers.items():
            if number.succeeded:
                number.outcomes[OK, ""] += number.succeeded
            for (status, code), count in number.outcomes.items():
                families.operations.labels(*labels, str(status), code).inc(count)
            families.duration.labels(*labels).add(number.durations, number.duration)
            families.cost.labels(*labels).add(number.costs, number.cost)
            families.statements.labels(*labels).inc(number.statements)
            families.statement_seconds.labels(*labels).inc(number.statement_seconds)
        for generation, count, seconds in self._collections.take():
            families.collections.labels(generation).inc(count)
            families.pauses.labels(generation).inc(seconds)
        for sample in self._samples:
            sample()


def _set(gauge: Gauge, read: Callable[[], float]) -> None:
    gauge.set(read())
