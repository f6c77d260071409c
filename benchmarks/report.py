"""The results as Markdown, and as JSON."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks import extras
from benchmarks.attacks.reports import table
from benchmarks.cells import Cell, Sample
from benchmarks.figures import Figures, Spread
from benchmarks.workloads import WORKLOADS

BASE = "limit"
OTHERS = ("mercurius", "ordinary")


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured: the servers by name, facts about the run, leaves by workload, memory at rest, and samples."""

    servers: Mapping[str, str]
    facts: Mapping[str, str]
    leaves: Mapping[str, int]
    idle_mb: Mapping[str, float]
    samples: Sequence[Sample]
    connections: int

    def to_json(self) -> dict[str, Any]:
        """Return everything, each sample included."""
        return {
            "facts": dict(self.facts),
            "servers": dict(self.servers),
            "leaves": dict(self.leaves),
            "idle_mb": dict(self.idle_mb),
            "samples": [asdict(sample) for sample in self.samples],
        }

    def to_markdown(self) -> str:
        """Return the tables."""
        return "\n\n".join(self._parts()) + "\n"

    def _parts(self) -> Iterator[str]:
        yield "\n".join(f"- {name}: {fact}" for name, fact in [*self.facts.items(), *self.servers.items()])
        figures = Figures(self.samples)
        main = Matrix(figures, [*self.servers], self.connections)
        if main.workloads:
            yield "\n".join(
                f"- {name}: {WORKLOADS[name].title}; {self.leaves.get(name, 0)} leaves" for name in main.workloads
            )
            yield from main.tables()
        yield from extras.cold(figures, self.connections)
        yield from extras.latency(figures, [*self.servers])
        yield from extras.growth(figures, [*self.servers])
        yield from extras.overload(figures, self.connections)
        yield "Resident memory before the load: " + ", ".join(
            f"{name} {memory:.0f} MB" for name, memory in self.idle_mb.items()
        )


class Matrix:
    """Tables with a line for each server and a column for each workload, at one number of connections."""

    def __init__(self, figures: Figures, servers: Sequence[str], connections: int) -> None:
        """Take the cells of this number of connections, without overload."""
        self._figures = figures
        self._servers = servers
        self._connections = connections
        cells = [cell for cell in figures.cells if cell == self._cell(cell.server, cell.workload)]
        self.workloads = [*dict.fromkeys(cell.workload for cell in cells)]

    def _cell(self, server: str, workload: str) -> Cell:
        return Cell(server, workload, self._connections)

    def tables(self) -> Iterator[str]:
        """Yield all tables."""
        yield f"## Requests per second at {self._connections} connections (ratio to the limit: median, min-max)"
        yield self._table(self._servers, self._rate)
        if ratios := [*self._ratios()]:
            yield "gqlapi divided by another server (median, min-max)"
            yield table(("", *self.workloads), ratios)
        yield "## CPU time of an answer: server + PostgreSQL, ms"
        yield self._table(self._servers, self._cpu)
        yield "## p50 / p99, ms"
        yield self._table(self._servers, self._latency)
        yield "## Answers that are not 2xx, and connections that broke"
        yield self._table(self._servers, self._bad)
        yield "## Resident memory after the load, MB"
        yield self._table(self._servers, lambda cell: f"{self._most(cell, lambda sample: sample.memory_mb):.0f}")
        yield "## CPU of other processes during the measurement, % of one core (median)"
        yield self._table(
            self._servers, lambda cell: f"{self._middle(cell, lambda sample: sample.load.foreign * 100):.0f}"
        )

    def _table(self, servers: Iterable[str], show: Callable[[Cell], str]) -> str:
        rows = (
            [
                server,
                *(show(cell) if self._figures.of(cell := self._cell(server, name)) else "-" for name in self.workloads),
            ]
            for server in servers
        )
        return table(("server", *self.workloads), rows)

    def _ratios(self) -> Iterator[list[str]]:
        for other in OTHERS:
            if other in self._servers and "gqlapi" in self._servers:
                pairs = ((self._cell("gqlapi", name), self._cell(other, name)) for name in self.workloads)
                yield [f"gqlapi / {other}", *(ratio_text(self._figures.ratio(*pair)) for pair in pairs)]

    def _rate(self, cell: Cell) -> str:
        rate = self._middle(cell, lambda sample: sample.load.per_second)
        ratio = self._figures.ratio(cell, self._cell(BASE, cell.workload))
        return f"{rate:.0f}" if ratio is None else f"{rate:.0f} ({ratio_text(ratio)})"

    def _cpu(self, cell: Cell) -> str:
        server = self._middle(cell, lambda sample: sample.load.server_ms)
        postgres = [sample.load.postgres_ms for sample in self._figures.of(cell)]
        known = [value for value in postgres if value is not None]
        return f"{server:.3g} + {Spread.of(known).median:.2g}" if known else f"{server:.3g}"

    def _latency(self, cell: Cell) -> str:
        p50, p99 = (self._middle(cell, value) for value in (lambda s: s.load.p50_ms, lambda s: s.load.p99_ms))
        return f"{p50:.3g} / {p99:.3g}"

    def _bad(self, cell: Cell) -> str:
        samples = self._figures.of(cell)
        bad, broken = sum(sample.load.bad for sample in samples), sum(sample.load.broken for sample in samples)
        return f"{bad}" if not broken else f"{bad} + {broken}"

    def _middle(self, cell: Cell, value: Callable[[Sample], float]) -> float:
        return self._figures.spread(cell, value).median

    def _most(self, cell: Cell, value: Callable[[Sample], float]) -> float:
        return self._figures.spread(cell, value).greatest


def ratio_text(ratio: Spread | None) -> str:
    """Return a ratio with its range."""
    return "-" if ratio is None else f"{ratio.median:.3f}, {ratio.least:.3f}-{ratio.greatest:.3f}"
