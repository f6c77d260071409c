"""What each attack costs alone: one after the other, each against a server that has seen no other."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.attacks.attack import WARM_UP, Attack, HttpRequest
from benchmarks.attacks.databases import Copies
from benchmarks.attacks.light import PATIENCE_SECONDS, QUERY, Light, querying
from benchmarks.attacks.processes import Service, serving
from benchmarks.attacks.sending import Answer, client, send

TIMEOUT_SECONDS = 20.0
# What is computed aside for an answer that was given up.
SETTLE_SECONDS = 0.3
CALIBRATING = 10
WARM_UP_ROUNDS = 6
# A server may be attacked again if the last attack left less than this behind.
MAX_TRACE_MB = 1.0
WRITING = frozenset({"authored", "accounts"})


@dataclass(frozen=True, slots=True)
class Cost:
    """What one attack cost; of an attack by several requests, the CPU time of one."""

    attack: Attack
    answer: Answer
    cpu_ms: float
    growth_mb: float
    peak_mb: float
    light_p99_ms: float

    @property
    def is_expected(self) -> bool:
        """Whether the answer is one that a correct server may give."""
        return self.answer.names <= self.attack.answers


async def measure_all(
    attacks: Sequence[Attack], copies: Copies, folder: Path, *, reuse: bool, report: Callable[[Cost], None]
) -> list[Cost]:
    """Measure attacks; `reuse` keeps a server as long as attacks leave nothing behind."""
    costs: list[Cost] = []
    remaining = list(attacks)
    while remaining:
        async with _fresh(copies, folder) as service:
            while remaining:
                attack = remaining.pop(0)
                cost = await measure(service, attack)
                costs.append(cost)
                report(cost)
                if not reuse or cost.growth_mb > MAX_TRACE_MB or not cost.is_expected or attack.kind in WRITING:
                    break
    return costs


@asynccontextmanager
async def _fresh(copies: Copies, folder: Path) -> AsyncIterator[Service]:
    async with copies.copy() as url:
        with serving(url, folder) as service:
            yield service


async def measure(service: Service, attack: Attack) -> Cost:
    """Measure one attack on a server."""
    requests = [attack.make(number) for number in range(attack.repeats)]
    light_ms = await _cpu_of_light(service)
    rss = service.memory()
    service.reset_peak()
    async with querying(service.url) as light:
        cpu = service.cpu_seconds
        # In a thread: making a request of 5,000 headers would hold up the light queries here, not in the server.
        answer = await asyncio.to_thread(asyncio.run, _attack(service.url, requests))
        await asyncio.sleep(SETTLE_SECONDS)
        spent = service.cpu_seconds - cpu
        beside = Light(list(light.answers))
    cpu_ms = max(0.0, spent * 1000 - light_ms * len(beside.answers)) / len(requests)
    growth, peak = service.memory() - rss, service.memory("VmHWM") - rss
    return Cost(attack, answer, cpu_ms, max(0.0, growth), max(0.0, peak), light.percentile(0.99))


async def _cpu_of_light(service: Service) -> float:
    """Warm the server up, and return the CPU milliseconds of one light query."""
    async with client(service.url) as http:
        for request in WARM_UP * WARM_UP_ROUNDS:
            await send(http, request, PATIENCE_SECONDS)
        before = service.cpu_seconds
        for _ in range(CALIBRATING):
            await send(http, QUERY, PATIENCE_SECONDS)
    return (service.cpu_seconds - before) * 1000 / CALIBRATING


async def _attack(url: str, requests: Sequence[HttpRequest]) -> Answer:
    """Send the requests one after the other, and return the last answer, or the first that did not come."""
    end = time.monotonic() + TIMEOUT_SECONDS
    async with client(url) as http:
        for request in requests[:-1]:
            answer = await send(http, request, max(0.1, end - time.monotonic()))
            if answer.names == {"none"}:
                return answer
        return await send(http, requests[-1], max(0.1, end - time.monotonic()))
