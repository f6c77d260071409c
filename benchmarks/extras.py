"""The tables beside the matrix: one connection, growth, overload, and the cost of a new document."""

import time
from collections.abc import Iterator, Sequence

from graphql import build_schema, parse, validate

from benchmarks.attacks.reports import table
from benchmarks.cells import GROWTH_CONNECTIONS, LATENCY_WORKLOADS, OVERLOAD_FACTORS, OVERLOAD_WORKLOADS, Cell
from benchmarks.documents import GQLAPI
from benchmarks.figures import Figures
from benchmarks.workloads import GROWTH
from gqlapi.schema import Limits, Schema

PARSED = 50


def latency(figures: Figures, servers: Sequence[str]) -> Iterator[str]:
    """Yield p50 and p99 at one connection."""
    names = [name for name in LATENCY_WORKLOADS if any(figures.of(Cell(server, name, 1)) for server in servers)]
    if names:
        yield "## p50 / p99 at one connection, ms"
        yield table(
            ("server", *names),
            ([server, *(_latency(figures, Cell(server, name, 1)) for name in names)] for server in servers),
        )


def _latency(figures: Figures, cell: Cell) -> str:
    if not figures.of(cell):
        return "-"
    p50 = figures.spread(cell, lambda sample: sample.load.p50_ms).median
    return f"{p50:.3g} / {figures.spread(cell, lambda sample: sample.load.p99_ms).median:.3g}"


def growth(figures: Figures, servers: Sequence[str]) -> Iterator[str]:
    """Yield the CPU time of longer home feeds, and what each further post costs."""
    rows = [[server, *cells] for server in servers if (cells := _growth(figures, server))]
    if rows:
        yield f"## Home feed by its length, {GROWTH_CONNECTIONS} connections: CPU ms of the server"
        yield table(("server", *(f"first {first}" for first in GROWTH), "each further post"), rows)


def _growth(figures: Figures, server: str) -> list[str]:
    cells = [Cell(server, f"N{first}", GROWTH_CONNECTIONS) for first in GROWTH]
    if not all(figures.of(cell) for cell in cells):
        return []
    times = [figures.spread(cell, lambda sample: sample.load.server_ms).median for cell in cells]
    return [*(f"{milliseconds:.3g}" for milliseconds in times), f"{slope(times):.4f}"]


def slope(times: Sequence[float]) -> float:
    """Return the time for each post between the shortest and the longest feed."""
    return (times[-1] - times[0]) / (GROWTH[-1] - GROWTH[0])


def refusal_ms(server_seconds: float, good: int, good_ms: float, refused: int) -> float | None:
    """Return the CPU time of a refusal, when good answers cost what they cost without overload."""
    return max(0.0, server_seconds * 1000 - good * good_ms) / refused if refused else None


def overload(figures: Figures, connections: int) -> Iterator[str]:
    """Yield good answers, refusals and their cost at several times the connections that saturate the server."""
    rows = [
        row
        for name in OVERLOAD_WORKLOADS
        for factor in OVERLOAD_FACTORS
        for row in _overload(figures, name, connections, factor)
    ]
    if rows:
        yield "## Overload of gqlapi"
        columns = (
            "workload",
            "connections",
            "200 per second",
            "of the best",
            "503 per second",
            "other",
            "CPU ms of a 503",
        )
        yield table((*columns, "p99 ms", "next W1 after it, ms"), rows)


def _overload(figures: Figures, name: str, connections: int, factor: int) -> Iterator[list[str]]:
    cell, base = Cell("gqlapi", name, factor * connections, is_overload=True), Cell("gqlapi", name, connections)
    if not figures.of(cell) or not figures.of(base):
        return
    best = figures.spread(base, lambda sample: sample.load.per_second).median
    good_ms = figures.spread(base, lambda sample: sample.load.server_ms).median
    good = figures.spread(cell, lambda sample: sample.load.good / sample.load.seconds).median
    samples = figures.of(cell)
    total_good, refused = sum(s.load.good for s in samples), sum(s.load.refused for s in samples)
    cost = refusal_ms(sum(s.load.server_seconds for s in samples), total_good, good_ms, refused)
    yield [
        name,
        str(cell.connections),
        f"{good:.0f}",
        f"{good / best:.2f}",
        f"{refused / sum(s.load.seconds for s in samples):.0f}",
        str(sum(s.load.other for s in samples)),
        "-" if cost is None else f"{cost:.3f}",
        f"{figures.spread(cell, lambda sample: sample.load.p99_ms).median:.0f}",
        f"{figures.spread(cell, lambda sample: sample.next_ms).greatest:.0f}",
    ]


def cold(figures: Figures, connections: int) -> Iterator[str]:
    """Yield what a new document costs beyond a known one, beside graphql-core's parsing and validation of it."""
    known, new = (Cell("gqlapi", name, connections) for name in ("W2", "COLD"))
    if figures.of(known) and figures.of(new):
        added = (
            figures.spread(new, lambda sample: sample.load.server_ms).median
            - figures.spread(known, lambda sample: sample.load.server_ms).median
        )
        own = parse_and_validate_ms()
        yield (
            f"A new W2 document costs gqlapi {added:.2f} ms of CPU more than a known one; graphql-core alone parses "
            f"and validates it in {own:.2f} ms (ratio {added / own:.2f})."
        )


def parse_and_validate_ms() -> float:
    """Return graphql-core's least CPU time for the document of COLD over gqlapi's schema."""
    schema, times = build_schema(Schema(Limits()).sdl), []
    for number in range(PARSED):
        text = GQLAPI["COLD"].replace("@@N@@", str(number))
        started = time.thread_time()
        validate(schema, parse(text))
        times.append(time.thread_time() - started)
    return min(times) * 1000
