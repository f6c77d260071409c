"""How fast is gqlapi, beside what is written by hand and beside other servers?

    uv run --group bench python -m benchmarks [--quick] [--rounds 3] [--seconds 6] [--servers gqlapi,limit]
        [--workloads W1,W2,latency] [--data DIR] [--output DIR]

Needs Linux and wrk (apt-get install wrk). Starts a PostgreSQL and the servers, one process each; compares their
answers, loads them in turn, and prints tables in Markdown. `docs/performance.md` explains them.
"""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.cells import Bench, Sample, plan
from benchmarks.databases import prepared
from benchmarks.leaves import UnequalAnswers
from benchmarks.load import LoadFailed, require_wrk
from benchmarks.machine import describe
from benchmarks.processes import CpuClock, Running, ServerFailed, running
from benchmarks.report import Report
from benchmarks.servers.node import NodeMissing
from benchmarks.servers.registry import SERVERS, Server
from benchmarks.targets import NoTargets, find_targets
from benchmarks.workloads import WORKLOADS
from tests.postgres import PostgresUnavailable

GROUPS = ("latency", "growth", "overload")
DEFAULT_WORKLOADS = ("W1", "W2", "W3", "W4", "W5", "W6", "W7", "GET", "COLD", "INSERT", "INTROSPECTION", *GROUPS)
QUICK_WORKLOADS = ("W1", "W2", "W3", "W4", "W5", "W6", "W7", "GET", "COLD", "INSERT", "overload")


def main() -> None:
    """Measure, and print."""
    options = _parse()
    # Unlike the default, an exception ends the servers and PostgreSQL as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        report = _run(options)
    except (LoadFailed, NoTargets, PostgresUnavailable, ServerFailed, UnequalAnswers) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    sys.stdout.write(report.to_markdown())
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "benchmark.md").write_text(report.to_markdown())
        (options.output / "benchmark.json").write_text(json.dumps(report.to_json(), indent=1))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one round of 2 seconds, fewer workloads; under 3 minutes")
    parser.add_argument("--rounds", type=int, help="rounds; 3 by default")
    parser.add_argument("--seconds", type=float, help="length of a measurement; 6 by default")
    parser.add_argument("--connections", type=int, default=32, help="connections of wrk; 32 by default")
    parser.add_argument("--servers", type=_names(SERVERS), default=[*SERVERS], help=f"some of {','.join(SERVERS)}")
    known = [*WORKLOADS, *GROUPS]
    parser.add_argument("--workloads", type=_names(known), help=f"some of {','.join(known)}")
    parser.add_argument("--data", type=Path, help="a folder in which PostgreSQL and the seeded database are kept")
    parser.add_argument("--database-url", help="use this PostgreSQL; its role may create databases")
    parser.add_argument("--output", type=Path, help="a folder for benchmark.md and benchmark.json")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.seconds = options.seconds or (2.0 if options.quick else 6.0)
    options.workloads = options.workloads or [*(QUICK_WORKLOADS if options.quick else DEFAULT_WORKLOADS)]
    return options


def _names(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Return a type for argparse: known names with commas between."""

    def read(text: str) -> list[str]:
        names = text.split(",")
        if unknown := set(names).difference(known):
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
        return names

    return read


def _run(options: argparse.Namespace) -> Report:
    wrk = require_wrk()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = stack.enter_context(prepared(options.database_url, options.data, folder))
        servers = _start_all(stack, options.servers, database.url, folder)
        targets = asyncio.run(find_targets(servers["gqlapi"][1].url, database.url, database.author_id))
        postgres = CpuClock(database.postgres_pid) if database.postgres_pid else None
        bench = Bench(servers, targets, database.token, folder, postgres)
        measured = [name for name in options.servers if name in servers]
        cells = plan(measured, options.workloads, options.connections)
        counted = bench.compare(dict.fromkeys(cell.workload for cell in cells))
        idle = bench.memory_mb()
        samples = [*_reported(bench.measure(cells, options.rounds, options.seconds))]
        facts = describe(wrk, database.version) | {
            "rounds": f"{options.rounds} of {options.seconds:g} seconds, {options.connections} connections"
        }
        titles = {name: servers[name][0].title for name in measured}
        return Report(titles, facts, counted, idle, samples, options.connections)


def _start_all(
    stack: ExitStack, names: Iterable[str], database_url: str, folder: Path
) -> dict[str, tuple[Server, Running]]:
    """Start servers, and gqlapi in any case: it knows the cursors. What lacks Node.js is left out with a line."""
    started = {}
    for name in dict.fromkeys(["gqlapi", *names]):
        try:
            server = SERVERS[name](database_url, folder)
        except NodeMissing as reason:
            sys.stderr.write(f"{name} is left out: {reason}\n")
            continue
        log = folder / f"{name}.log"
        started[name] = server, stack.enter_context(running(server.command, server.environment, folder, log))
    return started


def _reported(samples: Iterator[Sample]) -> Iterator[Sample]:
    for sample in samples:
        cell, load = sample.cell, sample.load
        name = f"{cell.workload} {cell.server} c={cell.connections}"
        sys.stderr.write(
            f"{name:<28}{load.per_second:10.1f}/s  p99 {load.p99_ms:8.1f} ms  {load.server_ms:.3f} ms CPU\n"
        )
        yield sample


if __name__ == "__main__":
    main()
