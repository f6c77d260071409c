"""Load by wrk, and what it cost the server and PostgreSQL."""

import json
import os
import re
import resource
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import CpuClock, machine_seconds

SCRIPT = Path(__file__).with_name("load.lua")
TIMEOUT = "20s"
RESULT = re.compile(r"^RESULT (.*)$", re.MULTILINE)


class LoadFailed(Exception):
    """wrk is missing, or did not do its work; the text says why."""


@dataclass(frozen=True, slots=True)
class Requests:
    """What one cell sends: a file with a request in each line, and how."""

    path: Path
    method: str = "POST"
    token: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw, per second and in milliseconds, and the CPU time of the processes for each answer.

    `good`, `refused` (503) and `other` are statuses, and are counted only on demand; `bad` are all but 2xx and 3xx,
    `broken` are connections that failed and answers that did not come. `foreign` is the share of one core that
    processes took which are not part of the measurement.
    """

    requests: int
    seconds: float
    per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    bad: int
    broken: int
    good: int
    refused: int
    other: int
    answer_bytes: float
    server_seconds: float
    postgres_seconds: float | None
    foreign: float

    @property
    def server_ms(self) -> float:
        """CPU time of the server for each answer."""
        return self.server_seconds * 1000 / max(1, self.requests)

    @property
    def postgres_ms(self) -> float | None:
        """CPU time of PostgreSQL for each answer."""
        return None if self.postgres_seconds is None else self.postgres_seconds * 1000 / max(1, self.requests)


def require_wrk() -> str:
    """Return what wrk calls itself.

    Raises:
        LoadFailed: it is not installed.
    """
    if shutil.which("wrk") is None:
        raise LoadFailed("wrk is missing. Install it: apt-get install wrk (Debian, Ubuntu), brew install wrk (macOS)")
    text = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S607 - found
    return " ".join(text.split()[:2])


class Counter:
    """Numbers for requests that must not repeat: each load gets a million of them."""

    def __init__(self) -> None:
        """Start behind the numbers of earlier runs."""
        self._next = int(time.time()) % 10**7 * 1_000

    def take(self) -> int:
        """Return the first number of a new million."""
        self._next += 10**6
        return self._next


def send_load(
    url: str,
    requests: Requests,
    counter: Counter,
    clocks: tuple[CpuClock, CpuClock | None],
    *,
    connections: int,
    seconds: float,
    counts_statuses: bool = False,
) -> Load:
    """Send requests over some connections for some time; the clocks are those of the server and of PostgreSQL.

    Raises:
        LoadFailed: wrk failed.
    """
    environment = os.environ | {
        "BENCH_REQUESTS": str(requests.path),
        "BENCH_METHOD": requests.method,
        "BENCH_TOKEN": requests.token,
        "BENCH_COUNT": str(counter.take()),
        "BENCH_STATUSES": "1" if counts_statuses else "",
    }
    rate = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", TIMEOUT]
    command = ["wrk", *rate, "-s", str(SCRIPT), f"{url}/graphql"]
    server, postgres = clocks
    started, machine = time.monotonic(), machine_seconds()
    before = server.seconds(), postgres.seconds() if postgres else None, _children_seconds()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    after = server.seconds(), postgres.seconds() if postgres else None, _children_seconds()
    elapsed = time.monotonic() - started
    match = RESULT.search(done.stdout)
    result: dict[str, Any] = json.loads(match[1]) if match else {}
    if not result:
        raise LoadFailed(f"wrk failed: {done.stdout[-300:]}{done.stderr[-300:]}")
    used = [(end or 0) - (start or 0) for start, end in zip(before, after, strict=True)]
    foreign = max(0.0, (machine_seconds() - machine - sum(used)) / elapsed)
    return _load(result, used[0], used[1] if postgres else None, foreign)


def _load(result: dict[str, Any], server: float, postgres: float | None, foreign: float) -> Load:
    answered, seconds = result["requests"], result["microseconds"] / 1e6
    return Load(
        requests=answered,
        seconds=seconds,
        per_second=(answered - result["bad"]) / seconds,
        p50_ms=result["p50_us"] / 1000,
        p99_ms=result["p99_us"] / 1000,
        max_ms=result["max_us"] / 1000,
        bad=result["bad"],
        broken=result["broken"],
        good=result["good"],
        refused=result["refused"],
        other=result["other"],
        answer_bytes=result["bytes"] / max(1, answered),
        server_seconds=server,
        postgres_seconds=postgres,
        foreign=foreign,
    )


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
