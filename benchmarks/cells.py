"""The cells of a run: a workload, a server and a number of connections, and how often they are measured."""

import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx

from benchmarks.leaves import Leaves, UnequalAnswers, leaves, require_equal
from benchmarks.load import Counter, Load, Requests, send_load
from benchmarks.processes import CpuClock, Running
from benchmarks.servers.registry import Server
from benchmarks.targets import Targets
from benchmarks.workloads import GROWTH, WORKLOADS, Workload

LATENCY_WORKLOADS = ("W1", "W2", "W3", "W4", "W5", "W7")
GROWTH_CONNECTIONS = 8
OVERLOAD_WORKLOADS = ("W1", "W2")
OVERLOAD_FACTORS = (4, 8)
WARM_UP_SECONDS = 1
# Requests of a workload whose answers are compared.
COMPARED = 5
PATIENCE_SECONDS = 60
# A server has settled when it uses less than this share of a core for this long.
IDLE_SHARE, SETTLED_SECONDS, SETTLE_SECONDS = 0.1, 0.1, 20
NUMBER = "@@N@@"
# Mercurius writes posts for an author that the request names.
SIGNED_IN = frozenset({"gqlapi", "limit", "ordinary"})


@dataclass(frozen=True, slots=True)
class Cell:
    """What is measured: a server under a workload over a number of connections."""

    server: str
    workload: str
    connections: int
    is_overload: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of a cell; `next_ms` is how long the first request after the load took."""

    cell: Cell
    round: int
    load: Load
    memory_mb: float
    next_ms: float


def plan(servers: Sequence[str], names: Sequence[str], connections: int) -> list[Cell]:
    """Return the cells for names of workloads and of groups: latency, growth, overload."""
    return [
        Cell(server, workload, at, is_overload=name == "overload")
        for name in names
        for workload, at in _members(name, connections)
        for server in servers
        if is_served(WORKLOADS[workload], server)
        if name != "overload" or server == "gqlapi"
    ]


def is_served(workload: Workload, server: str) -> bool:
    """Whether a server takes part in a workload."""
    return not workload.servers or server in workload.servers


def _members(name: str, connections: int) -> list[tuple[str, int]]:
    match name:
        case "latency":
            return [(workload, 1) for workload in LATENCY_WORKLOADS]
        case "growth":
            return [(f"N{first}", GROWTH_CONNECTIONS) for first in GROWTH]
        case "overload":
            return [(workload, factor * connections) for workload in OVERLOAD_WORKLOADS for factor in OVERLOAD_FACTORS]
    return [(name, connections)]


class Bench:
    """Servers that run, and the requests for them."""

    def __init__(
        self,
        servers: Mapping[str, tuple[Server, Running]],
        targets: Targets,
        token: str,
        folder: Path,
        postgres: CpuClock | None,
    ) -> None:
        """Take the servers by name; requests are written to files of the folder."""
        self._servers = servers
        self._targets = targets
        self._token = token
        self._folder = folder
        self._postgres = postgres
        self._clocks = {name: CpuClock(running.pid) for name, (_, running) in servers.items()}
        self._counter = Counter()

    def compare(self, names: Iterable[str]) -> dict[str, int]:
        """Return the mean number of leaves of an answer, by the name of its workload.

        Raises:
            UnequalAnswers: servers answer differently.
        """
        numbers = {}
        for name in names:
            workload, number = WORKLOADS[name], self._counter.take()
            servers = [server for server in self._servers if is_served(workload, server)]
            answers = {server: self._leaves(server, workload, number) for server in servers}
            require_equal(name, answers)
            numbers[name] = answers[servers[0]].total() // len(self._compared(servers[0], workload))
        return numbers

    def _compared(self, server: str, workload: Workload) -> list[str]:
        return workload.requests(self._targets, is_peer=self._servers[server][0].is_peer)[:COMPARED]

    def _leaves(self, server: str, workload: Workload, number: int) -> Leaves:
        # Each server gets another number, because it becomes a part of a slug, which is unique.
        unique = str(number + list(self._servers).index(server))
        found = Leaves()
        with self._client(server, workload) as http:
            for text in self._compared(server, workload):
                found += leaves(_ask(http, workload, text, unique), workload.generated)
        return found

    def _client(self, server: str, workload: Workload) -> httpx.Client:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._token_for(server, workload):
            headers["Authorization"] = f"Bearer {self._token}"
        return httpx.Client(base_url=self._servers[server][1].url, headers=headers, timeout=PATIENCE_SECONDS)

    def _token_for(self, server: str, workload: Workload) -> str:
        return self._token if workload.is_signed_in and server in SIGNED_IN else ""

    def memory_mb(self) -> dict[str, float]:
        """Return the resident memory of each server."""
        return {name: running.memory_mb() for name, (_, running) in self._servers.items()}

    def measure(self, cells: Sequence[Cell], rounds: int, seconds: float) -> Iterator[Sample]:
        """Yield samples: in each round, the servers of a workload come one after the other in random order."""
        for cell in dict.fromkeys(cell for cell in cells if not cell.is_overload):
            self._send(cell, WARM_UP_SECONDS)
            self._settle(cell)
        for number in range(rounds):
            for _, group in groupby(cells, lambda cell: (cell.workload, cell.connections)):
                shuffled = [*group]
                random.Random(number).shuffle(shuffled)  # noqa: S311 - no secret
                for cell in shuffled:
                    load = self._send(cell, seconds)
                    next_ms = self._next_ms(cell)
                    self._settle(cell)
                    yield Sample(cell, number, load, self._servers[cell.server][1].memory_mb(), next_ms)

    def _send(self, cell: Cell, seconds: float) -> Load:
        workload = WORKLOADS[cell.workload]
        server, running = self._servers[cell.server]
        path = self._folder / f"{cell.server}.{cell.workload}"
        if not path.exists():
            path.write_text("\n".join(workload.requests(self._targets, is_peer=server.is_peer)) + "\n")
        requests = Requests(path, workload.method, self._token_for(cell.server, workload))
        clocks = self._clocks[cell.server], self._postgres
        return send_load(
            running.url,
            requests,
            self._counter,
            clocks,
            connections=cell.connections,
            seconds=seconds,
            counts_statuses=cell.is_overload,
        )

    def _next_ms(self, cell: Cell) -> float:
        """Send one light request, and return how long it took: what clients that left asked for may still run."""
        workload = WORKLOADS["W1"]
        with self._client(cell.server, workload) as http:
            text = self._compared(cell.server, workload)[0]
            started = time.perf_counter()
            http.post("/graphql", content=text)
            return (time.perf_counter() - started) * 1000

    def _settle(self, cell: Cell) -> None:
        """Wait until the server has nothing left to do, so that it takes no time from the next one."""
        clock, deadline = self._clocks[cell.server], time.monotonic() + SETTLE_SECONDS
        before = clock.seconds()
        while time.monotonic() < deadline:
            time.sleep(SETTLED_SECONDS)
            now = clock.seconds()
            if now - before < IDLE_SHARE * SETTLED_SECONDS:
                return
            before = now


def _ask(http: httpx.Client, workload: Workload, text: str, number: str) -> Any:
    """Return the data of an answer, in which the number of the request is blank again.

    Raises:
        UnequalAnswers: it has errors.
    """
    text = text.replace(NUMBER, number)
    response = http.get(text) if workload.method == "GET" else http.post("/graphql", content=text)
    result = json.loads(response.text.replace(number, NUMBER)) if response.is_success else {}
    if "data" not in result or result.get("errors"):
        raise UnequalAnswers(f"{workload.name}: {http.base_url} answered {response.status_code} {response.text[:300]}")
    return result["data"]
