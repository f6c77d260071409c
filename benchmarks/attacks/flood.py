"""Many attackers at once, from one address, beside a light query from another."""

import asyncio
import itertools
import multiprocessing
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import httpx

from benchmarks.attacks.attack import Attack, HttpRequest
from benchmarks.attacks.corpus import ATTACKS
from benchmarks.attacks.light import Light, querying
from benchmarks.attacks.processes import Service, serving
from benchmarks.attacks.sending import client, send

FLOOD_WORKERS = 2
FLOOD_CONNECTIONS = 10
FAIRNESS_CONNECTIONS = 20
PATIENCE_SECONDS = 20.0
# From the most expensive: the first one that a server allows is the one whose clients are treated fairly.
EXPENSIVE = ("costs-44", "costs-23", "costs-33", "costs-15", "costs-24", "costs-01")
# After a connection that was refused, as it is while a worker starts again.
PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Endurance:
    """How a server endured attackers."""

    name: str
    sent: int
    light: Light
    memory_mb: tuple[float, float, float]
    restarted: int


async def flood(database_url: str, folder: Path, seconds: float) -> Endurance:
    """Send the corpus in random order over ten connections to two workers."""
    with serving(database_url, folder, FLOOD_WORKERS) as service:
        requests = [attack.make(number) for attack in ATTACKS for number in range(min(attack.repeats, 10))]
        return await _endure("flood", service, requests, FLOOD_CONNECTIONS, seconds)


async def fairness(database_url: str, folder: Path, seconds: float) -> Endurance:
    """Send the most expensive query that the server allows over twenty connections to one worker."""
    with serving(database_url, folder) as service:
        attack = await _most_expensive(service)
        return await _endure(f"fairness ({attack.id})", service, [attack.make(0)], FAIRNESS_CONNECTIONS, seconds)


async def _most_expensive(service: Service) -> Attack:
    candidates = {attack.id: attack for attack in ATTACKS if attack.id in EXPENSIVE}
    async with client(service.url) as http:
        for name in EXPENSIVE:
            answer = await send(http, candidates[name].make(0), PATIENCE_SECONDS)
            if answer.names == {"data"}:
                break
    return candidates[name]


async def _endure(
    name: str, service: Service, requests: Sequence[HttpRequest], connections: int, seconds: float
) -> Endurance:
    before, memory = set(service.worker_pids), [service.memory()]
    with _attacking(service.url, requests, connections, seconds) as count_sent:
        async with querying(service.url) as light:
            for _ in range(2):
                await asyncio.sleep(seconds / 2)
                memory.append(service.memory())
        sent = await asyncio.to_thread(count_sent)
    restarted = len(set(service.worker_pids) - before)
    return Endurance(name, sent, light, (memory[0], memory[1], memory[2]), restarted)


@contextmanager
def _attacking(
    url: str, requests: Sequence[HttpRequest], connections: int, seconds: float
) -> Iterator[Callable[[], int]]:
    """Attack from its own process, so that attackers do not delay the light query; yield the number sent."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_run_attackers, args=(sending, url, requests, connections, seconds))
    process.start()
    receiving.recv()
    try:
        yield lambda: int(receiving.recv()) if receiving.poll(PATIENCE_SECONDS) else 0
    finally:
        process.terminate()
        process.join()


def _run_attackers(
    results: Connection, url: str, requests: Sequence[HttpRequest], connections: int, seconds: float
) -> None:
    results.send("ready")
    end = time.monotonic() + seconds
    results.send(asyncio.run(_attack(url, requests, connections, end)))


async def _attack(url: str, requests: Sequence[HttpRequest], connections: int, end: float) -> int:
    """Attack over connections that each take the requests in their own order; return how many were sent."""
    async with client(url) as http:
        counts = await asyncio.gather(*(_attacker(http, requests, seed, end) for seed in range(connections)))
    return sum(counts)


async def _attacker(http: httpx.AsyncClient, requests: Sequence[HttpRequest], seed: int, end: float) -> int:
    shuffled = random.Random(seed).sample(requests, len(requests))  # noqa: S311 - no secret
    for count, request in enumerate(itertools.cycle(shuffled)):
        if (remaining := end - time.monotonic()) <= 0:
            return count
        if (await send(http, request, min(remaining, PATIENCE_SECONDS))).names == {"closed"}:
            await asyncio.sleep(PAUSE_SECONDS)
    return 0
