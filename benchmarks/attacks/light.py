"""A light query from another address beside attacks, and how long its answers take."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from benchmarks.attacks.attack import graphql
from benchmarks.attacks.sending import Answer, client, send

QUERY = graphql("{posts(first:1){nodes{id}}}")
# A separate client address, as far as the server can see; Linux has all of 127.0.0.0/8 on its loopback.
ADDRESS = "127.0.0.2"
INTERVAL_SECONDS = 0.05
PATIENCE_SECONDS = 2.0
WARM_UP = 10


@dataclass(slots=True)
class Light:
    """The answers to the light queries so far."""

    answers: list[Answer] = field(default_factory=list)

    @property
    def answered(self) -> int:
        """How many were answered with data."""
        return sum(answer.names == {"data"} for answer in self.answers)

    def percentile(self, share: float) -> float:
        """Return the milliseconds within which this share of all queries was answered; infinite if it was not."""
        times = [answer.seconds * 1000 if answer.names == {"data"} else math.inf for answer in self.answers]
        return percentile(times, share)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that this share of all does not exceed; NaN without values."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@asynccontextmanager
async def querying(url: str) -> AsyncIterator[Light]:
    """Send the light query at an even pace for the length of the block, whether or not answers come."""
    light, pending = Light(), set[asyncio.Task[None]]()
    async with client(url, ADDRESS) as http:
        for _ in range(WARM_UP):
            await send(http, QUERY, PATIENCE_SECONDS)
        pacing = asyncio.create_task(_pace(http, light, pending))
        try:
            yield light
        finally:
            pacing.cancel()
            await asyncio.gather(pacing, return_exceptions=True)
            await asyncio.gather(*pending)


async def _pace(http: httpx.AsyncClient, light: Light, pending: set[asyncio.Task[None]]) -> None:
    async def query() -> None:
        light.answers.append(await send(http, QUERY, PATIENCE_SECONDS))

    while True:
        task = asyncio.create_task(query())
        pending.add(task)
        task.add_done_callback(pending.discard)
        await asyncio.sleep(INTERVAL_SECONDS)
