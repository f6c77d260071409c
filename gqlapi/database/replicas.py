"""Replicas that query operations read from: which of them are fit, and how far each has replayed the primary's log."""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from gqlapi.database.driver import create_unpooled_engine
from gqlapi.database.engine import EngineOptions, postgresql_arguments
from gqlapi.database.failures import describe
from gqlapi.database.parking import Parking
from gqlapi.database.positions import REPLAYED, WRITTEN
from gqlapi.database.url import normalize_url

INTERVAL_SECONDS = 1.0
# While operations wait for a position; most wait for some milliseconds.
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.002, 0.02
ANSWER_TIMEOUT_SECONDS = 2.0
MAX_SAMPLES = 600

logger = structlog.get_logger()


class Replica:
    """A standby: its connections, and what is known of it."""

    def __init__(self, url: str, parking: Parking) -> None:
        """Nothing is known yet."""
        self.url = url
        self.name = f"{parking.engine.url.host}:{parking.engine.url.port or 5432}"
        self.parking = parking
        self.is_usable = False
        # What the log says of it.
        self.is_reported_usable: bool | None = None
        self.reached = 0
        self.lag_seconds = 0.0
        self.asked = asyncio.Event()
        self._waiting: dict[asyncio.Future[Replica], int] = {}

    @property
    def is_awaited(self) -> bool:
        """Whether an operation waits for a position."""
        return bool(self._waiting)

    def suspect(self) -> None:
        """Leave it out until it has been looked at again: an operation has failed on it, or it was restarted.

        After a crash it may be further behind than it was.
        """
        self.is_usable = False

    def judge(self, *, is_usable: bool, **reasons: object) -> None:
        """Use it or leave it out, and log each change."""
        self.is_usable = is_usable
        if self.is_reported_usable is not is_usable:
            self.is_reported_usable = is_usable
            log = logger.info if is_usable else logger.warning
            log("replica used" if is_usable else "replica left out", replica=self.name, **reasons)

    def announce(self, arrived: asyncio.Future["Replica"], position: int) -> None:
        """Resolve a future when the replica has reached a position."""
        self._waiting[arrived] = position
        self.asked.set()

    def forget(self, arrived: asyncio.Future["Replica"]) -> None:
        """Resolve it no more."""
        self._waiting.pop(arrived, None)

    def note(self, reached: int) -> None:
        """Note how far it has replayed the log."""
        self.reached = reached
        for arrived, position in self._waiting.items():
            if reached >= position and not arrived.done():
                arrived.set_result(self)


class Replicas:
    """The replicas of a primary, watched over one connection each."""

    def __init__(self, primary_url: str, replicas: Sequence[Replica], options: EngineOptions) -> None:
        """Watch nothing yet: none is used."""
        self.all = replicas
        self._primary_url = primary_url
        self._options = options
        # When the primary had written how much.
        self._samples: deque[tuple[float, int]] = deque(maxlen=MAX_SAMPLES)

    async def choose(self, position: int) -> Replica | None:
        """Return a replica that has replayed the log up to a position, after a bounded wait; None for the primary.

        The less a replica lags, the more operations it gets.
        """
        usable = [replica for replica in self.all if replica.is_usable]
        fresh = [replica for replica in usable if replica.reached >= position]
        if usable and not fresh:
            return await self._wait(usable, position)
        if len(fresh) <= 1:
            return fresh[0] if fresh else None
        return random.choices(fresh, [1 / (1 + replica.lag_seconds) for replica in fresh])[0]  # noqa: S311 - no secret

    async def _wait(self, replicas: Sequence[Replica], position: int) -> Replica | None:
        arrived: asyncio.Future[Replica] = asyncio.get_running_loop().create_future()
        for replica in replicas:
            replica.announce(arrived, position)
        try:
            async with asyncio.timeout(self._options.replica_wait_seconds):
                return await arrived
        except TimeoutError:
            return None
        finally:
            for replica in replicas:
                replica.forget(arrived)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Look at the primary and the replicas for the length of the block."""
        watchers = [asyncio.create_task(self._watch_primary())]
        watchers += [asyncio.create_task(self._watch_replica(replica)) for replica in self.all]
        try:
            yield
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)
            for replica in self.all:
                replica.suspect()

    async def _watch_primary(self) -> None:
        async def look(fetch: Callable[[str], Awaitable[Any]]) -> None:
            [written] = await fetch(f"SELECT {WRITTEN}")
            self._samples.append((time.monotonic(), written))
            await asyncio.sleep(INTERVAL_SECONDS)

        await self._watch(self._primary_url, look, lambda _: None, lambda: None)

    async def _watch_replica(self, replica: Replica) -> None:
        pause = FIRST_PAUSE_SECONDS

        async def look(fetch: Callable[[str], Awaitable[Any]]) -> None:
            nonlocal pause
            is_standby, reached = await fetch(f"SELECT pg_is_in_recovery(), {REPLAYED}")
            if not is_standby or reached is None:
                raise ConnectionError("it is no standby")
            replica.note(reached)
            replica.lag_seconds = lag = self._lag_of(reached)
            replica.judge(is_usable=lag <= self._options.replica_max_lag_seconds, lag_seconds=round(lag, 1))
            if replica.is_awaited:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LAST_PAUSE_SECONDS)
                return
            pause = FIRST_PAUSE_SECONDS
            replica.asked.clear()
            await _wait_for(replica.asked, INTERVAL_SECONDS)

        def lose() -> None:
            replica.suspect()
            replica.asked.set()

        await self._watch(replica.url, look, lambda error: replica.judge(is_usable=False, **describe(error)), lose)

    def _lag_of(self, reached: int) -> float:
        """Return for how many seconds the primary has been known to be ahead, at most."""
        now = time.monotonic()
        if not self._samples or reached >= self._samples[-1][1]:
            return 0.0
        for (_, before), (at, after) in pairwise(self._samples):
            if before <= reached < after:
                return now - at
        return now - self._samples[0][0]

    async def _watch(
        self,
        url: str,
        look: Callable[[Callable[[str], Awaitable[Any]]], Awaitable[None]],
        give_up: Callable[[Exception], None],
        lose: Callable[[], None],
    ) -> None:
        """Look at a server again and again over one connection, and connect anew after a failure.

        `lose` is called as soon as the connection is lost, `give_up` with what looking at the server has raised.
        """
        engine = _watching_engine(url, self._options)
        while True:
            try:
                async with engine.connect() as connection:
                    driver: Any = (await connection.get_raw_connection()).driver_connection
                    driver.add_termination_listener(lambda _: lose())

                    async def fetch(sql: str, driver: Any = driver) -> Any:
                        return await driver.fetchrow(sql, timeout=ANSWER_TIMEOUT_SECONDS)

                    try:
                        while True:
                            await look(fetch)
                    except Exception as error:
                        # asyncpg explains the loss of an idle connection by its state; closing it may fail as well.
                        give_up(ConnectionError("the connection was lost") if driver.is_closed() else error)
                        raise
            except Exception as error:  # noqa: BLE001 - any reason why it does not answer
                give_up(error)
            await asyncio.sleep(INTERVAL_SECONDS)


def _watching_engine(url: str, options: EngineOptions) -> AsyncEngine:
    engine = create_unpooled_engine(normalize_url(url), **postgresql_arguments(options))
    return engine.execution_options(isolation_level="AUTOCOMMIT")


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def refuse_sqlite(urls: Sequence[str]) -> None:
    """Raise unless all URLs are those of PostgreSQL.

    Raises:
        ValueError: one of them is not, or cannot be read.
    """
    for url in urls:
        if sa.make_url(normalize_url(url)).get_backend_name() != "postgresql":
            raise ValueError("only PostgreSQL has replicas")
