"""A server under attack: what one attack costs it, and a new server when one was hurt."""

import math
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.attacks.attack import WARM_UP, Attack
from benchmarks.attacks.databases import Copies, prepared
from benchmarks.attacks.processes import Service, serving
from benchmarks.attacks.sending import Answer, send
from tests.wire import WireTransport

OBSERVED = Path(__file__).with_name("observed.py")
# What takes longer hangs; its server is replaced. Budgets are of CPU time, which a busy machine does not use up.
PATIENCE_SECONDS = 60.0
WARM_UP_ROUNDS = 10
# Of an attack by many requests that differ in a name only, so many are counted: counting takes three times as long.
MAX_COUNTED = 10
# How long `work` takes where the budgets were set.
REFERENCE_SECONDS = 0.020


@dataclass(frozen=True)
class Effort:
    """What an attack cost; of an attack by several requests, the CPU time and the calls of one."""

    answer: Answer
    cpu_seconds: float
    held_seconds: float
    calls: float
    peak_mb: float
    statements: int


class Guard:
    """One server at a time, over its own database."""

    def __init__(self, copies: Copies, folder: Path) -> None:
        self._copies = copies
        self._folder = folder
        self._stack = AsyncExitStack()
        self._service: Service | None = None
        self._observer: httpx.AsyncClient | None = None
        self.rss_mb = 0.0
        self.sent: set[str] = set()

    async def attack(self, attack: Attack, *, counting: bool = False) -> Effort:
        """Send an attack, and return its cost. A server that does not answer is replaced."""
        service = await self._running()
        async with client_of(service) as http:
            await self._observe("begin&calls" if counting else "begin")
            service.reset_peak()
            rss, cpu = service.memory(), service.cpu_seconds
            count = min(attack.repeats, MAX_COUNTED) if counting else attack.repeats
            answer = await _send_all(http, attack, count)
            cpu = service.cpu_seconds - cpu
            peak = service.memory("VmHWM") - rss
        self.sent.add(attack.id)
        try:
            observed = await self._observe("end")
        except httpx.TransportError:  # it is still busy, or dead
            await self.replace()
            observed = {"held_seconds": PATIENCE_SECONDS, "calls": math.inf, "statements": 1}
        return Effort(
            answer, cpu / count, observed["held_seconds"], observed["calls"] / count, peak, observed["statements"]
        )

    async def growth_mb(self) -> float:
        """Return by how much the server has grown since it had warmed up."""
        await self._observe("trim")
        return (await self._running()).memory() - self.rss_mb

    async def replace(self) -> None:
        """End the server; the next attack gets a new one."""
        await self._stack.aclose()
        self._service = None
        self.sent.clear()

    async def _running(self) -> Service:
        if self._service is not None and self._service.process.poll() is not None:
            await self.replace()
        if self._service is None:
            url = await self._stack.enter_async_context(self._copies.copy())
            self._service = self._stack.enter_context(serving(url, self._folder, program=[str(OBSERVED)]))
            self._observer = await self._stack.enter_async_context(
                httpx.AsyncClient(base_url=self._service.url, transport=WireTransport(), timeout=PATIENCE_SECONDS)
            )
            async with client_of(self._service) as http:
                for request in WARM_UP * WARM_UP_ROUNDS:
                    await send(http, request, PATIENCE_SECONDS)
            await self._observe("trim")
            self.rss_mb = self._service.memory()
        return self._service

    async def _observe(self, what: str) -> dict[str, Any]:
        assert self._observer is not None
        observed: dict[str, Any] = (await self._observer.get(f"/observe?{what}")).json()
        return observed


def client_of(service: Service) -> httpx.AsyncClient:
    """Return a client with a connection for each request; `send` has its own deadline."""
    transport = WireTransport(keeps_connections=False)
    return httpx.AsyncClient(transport=transport, base_url=service.url, timeout=None)  # noqa: S113


async def _send_all(http: httpx.AsyncClient, attack: Attack, count: int) -> Answer:
    answers = [await send(http, attack.make(number), PATIENCE_SECONDS) for number in range(count)]
    return answers[-1]


@asynccontextmanager
async def guarding(url: str | None, folder: Path) -> AsyncIterator[Guard]:
    """Guard a server over SQLite, or over the PostgreSQL of a URL."""
    async with prepared(url, folder) as copies:
        guard = Guard(copies, folder)
        try:
            yield guard
        finally:
            await guard.replace()


def slowness() -> float:
    """Return how much slower than where the budgets were set this machine runs Python now; never below 1."""
    return max(1.0, min(_work_seconds() for _ in range(3)) / REFERENCE_SECONDS)


def _work_seconds() -> float:
    started = time.thread_time()
    texts = {number: str(number) for number in range(200_000)}
    sum(len(text) for text in texts.values())
    return time.thread_time() - started
