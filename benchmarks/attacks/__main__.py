"""What do hostile requests cost a server, and do other clients notice?

    uv run python -m benchmarks.attacks [alone|connections|flood|fairness ...] [--only costs-0] [--quick] [--seconds 60]

Starts `gqlapi serve` on free ports of this machine, over temporary SQLite databases or over databases that it creates
and drops beside the one of `--database-url`. Prints tables in Markdown; `--json FILE` writes the same as JSON. Needs
Linux. `docs/benchmarks.md` explains the columns.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.attacks.alone import Cost, measure_all
from benchmarks.attacks.connections import hold_all
from benchmarks.attacks.corpus import ATTACKS
from benchmarks.attacks.databases import prepared
from benchmarks.attacks.flood import fairness, flood
from benchmarks.attacks.reports import Results, cost_row

RUNS = ("alone", "connections", "flood", "fairness")
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
    results = asyncio.run(_run(options))
    sys.stdout.write(results.to_markdown())
    if options.json:
        options.json.write_text(json.dumps(results.to_json(), indent=1))


async def _run(options: argparse.Namespace) -> Results:
    # Attacks are made in a thread beside the light queries, which must not wait for it.
    sys.setswitchinterval(0.0002)
    runs, results = options.runs or RUNS, Results()
    seconds = QUICK_SECONDS if options.quick else FAIRNESS_SECONDS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with prepared(options.database_url, folder) as copies:
            if "alone" in runs:
                attacks = [attack for attack in ATTACKS if attack.id.startswith(options.only)]
                results.costs = await measure_all(attacks, copies, folder, reuse=options.quick, report=_report)
            async with copies.copy() as url:
                if "connections" in runs:
                    results.held = await hold_all(url, folder, seconds)
                if "flood" in runs:
                    flooding = QUICK_SECONDS if options.quick else options.seconds
                    results.endured.append(await flood(url, folder, flooding))
            if "fairness" in runs:
                async with copies.copy() as url:
                    results.endured.append(await fairness(url, folder, seconds))
    return results


def _report(cost: Cost) -> None:
    sys.stderr.write(f"{'  '.join(cost_row(cost))}\n")


if __name__ == "__main__":
    main()
