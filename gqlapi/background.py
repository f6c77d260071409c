"""Work that servers do beside requests: jobs that come round again, one after the other."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from gqlapi.database.turns import turn
from gqlapi.database.unit import Database

# One connection for the turn, one for the work.
POOL_SIZE = 2
MAX_SECONDS = 60.0
# All processes are started at the same time; their jobs need not be.
MAX_FIRST_DELAY_SECONDS = 60.0

# By the names of what was counted.
Counts = Mapping[Any, int]
Work = Callable[[], Awaitable[Counts | None]]

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Job:
    """Work that is repeated.

    `run` uses the database of the jobs, and may return counts of what it has done, which are logged. With
    `is_exclusive` it runs on one process at a time. What has not ended after `max_seconds` is cancelled, and begins
    anew in the next round: it should commit in small steps.
    """

    name: str
    every_seconds: float
    run: Work
    is_exclusive: bool = True
    max_seconds: float = MAX_SECONDS


@dataclass(frozen=True, slots=True)
class JobState:
    """What is known of a job in this process: numbers of runs, and the outcome of the last one."""

    runs: int = 0
    failures: int = 0
    # Another process had the turn.
    skipped: int = 0
    last_seconds: float | None = None
    last_counts: Counts = field(default_factory=dict)


class BackgroundWork:
    """The jobs of a process, which take turns: a job that must not wait for others needs its own task."""

    def __init__(self, database: Database, *, releases_connections: bool) -> None:
        """Run jobs on a database; `releases_connections`: between two jobs it keeps none."""
        self.database = database
        self.states: dict[str, JobState] = {}
        self._jobs: dict[str, Job] = {}
        self._releases_connections = releases_connections

    def register(self, job: Job) -> None:
        """Add a job; its first round begins after a part of its interval, at most a minute.

        Raises:
            ValueError: there is a job of this name.
        """
        if job.name in self._jobs:
            raise ValueError(f"there is a job {job.name!r} already")
        self._jobs[job.name] = job
        self.states[job.name] = JobState()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the jobs until the end of the block; what runs then is cancelled."""
        loop = asyncio.create_task(self._loop())
        try:
            yield
        finally:
            loop.cancel()
            await asyncio.wait([loop])

    async def _loop(self) -> None:
        clock = asyncio.get_running_loop().time
        delays = {name: min(job.every_seconds, MAX_FIRST_DELAY_SECONDS) for name, job in self._jobs.items()}
        due = {name: clock() + delay * random.uniform(0.5, 1) for name, delay in delays.items()}  # noqa: S311 - no secret
        while due:
            name = min(due, key=due.__getitem__)
            await asyncio.sleep(max(0, due[name] - clock()))
            await self.run(name)
            due[name] = clock() + self._jobs[name].every_seconds

    async def run(self, name: str) -> None:
        """Run a job now; its failure is logged and counted."""
        job, state, clock = self._jobs[name], self.states[name], asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(job.max_seconds):
                counts = await self._take_turn(job)
        except Exception as error:
            self.states[name] = replace(state, runs=state.runs + 1, failures=state.failures + 1)
            logger.warning("background job failed", job=name, exc_info=error)
        else:
            if counts is None:
                self.states[name] = replace(state, skipped=state.skipped + 1)
                return
            seconds = round(clock() - began, 3)
            self.states[name] = replace(state, runs=state.runs + 1, last_seconds=seconds, last_counts=counts)
            done = {str(kind): count for kind, count in counts.items() if count}
            if done:
                logger.info("background job", job=name, seconds=seconds, counts=done)
        finally:
            if self._releases_connections:
                with suppress(Exception):  # the server is gone, and the connections with it
                    await self.database.write_engine.dispose()

    async def _take_turn(self, job: Job) -> Counts | None:
        """Run a job; None if another process has the turn."""
        if not job.is_exclusive:
            return await job.run() or {}
        async with turn(self.database.write_engine, job.name, 2 * job.max_seconds) as has_turn:
            return (await job.run() or {}) if has_turn else None
