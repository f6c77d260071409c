"""What do hostile requests cost a server, and do other clients notice?

    uv run python -m benchmarks.attacks [alone|flood|fairness ...] [--only costs-0] [--quick] [--seconds 60]

Starts `gqlapi serve` on free ports of this machine, over temporary SQLite databases or over databases that it creates
and drops beside the one of `--database-url`. Prints tables in Markdown; `--json FILE` writes the same as JSON. Needs
Linux. `docs/benchmarks.md` explains the columns.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.attacks.alone import Cost, measure_all
from benchmarks.attacks.corpus import ATTACKS
from benchmarks.attacks.databases import Copies, prepared
from benchmarks.attacks.flood import Endurance, fairness, flood
from benchmarks.attacks.reports import as_json, cost_row, markdown

RUNS = ("alone", "flood", "fairness")
QUICK_SECONDS = 10.0
FAIRNESS_SECONDS = 20.0


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.attacks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", metavar="run", help=f"some of {', '.join(RUNS)}; all by default")
    parser.add_argument("--database-url", help="a PostgreSQL database of a role that may create databases")
    parser.add_argument("--only", default="", help="attacks whose id begins with this")
    parser.add_argument("--quick", action="store_true", help="keep a server while attacks leave nothing behind")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the flood; 60 by default")
    parser.add_argument("--json", type=Path, help="a file to write the results to")
    options = parser.parse_args()
    if unknown := set(options.runs) - set(RUNS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    costs, endured = asyncio.run(_run(options))
    sys.stdout.write(markdown(costs, endured))
    if options.json:
        options.json.write_text(json.dumps(as_json(costs, endured), indent=1))


async def _run(options: argparse.Namespace) -> tuple[Sequence[Cost], Sequence[Endurance]]:
    runs = options.runs or RUNS
    costs: Sequence[Cost] = ()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with prepared(options.database_url, folder) as copies:
            if "alone" in runs:
                attacks = [attack for attack in ATTACKS if attack.id.startswith(options.only)]
                costs = await measure_all(attacks, copies, folder, reuse=options.quick, report=_report)
            return costs, await _endure(runs, options, copies, folder)


async def _endure(runs: Sequence[str], options: argparse.Namespace, copies: Copies, folder: Path) -> list[Endurance]:
    endured = []
    if "flood" in runs:
        async with copies.copy() as url:
            endured.append(await flood(url, folder, QUICK_SECONDS if options.quick else options.seconds))
    if "fairness" in runs:
        async with copies.copy() as url:
            endured.append(await fairness(url, folder, QUICK_SECONDS if options.quick else FAIRNESS_SECONDS))
    return endured


def _report(cost: Cost) -> None:
    sys.stderr.write(f"{'  '.join(cost_row(cost))}\n")


if __name__ == "__main__":
    main()
