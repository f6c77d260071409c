"""The feed of a process, which subscribers follow from a position."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

import structlog

from gqlapi.database.unit import Database
from gqlapi.errors import ApiError, Code
from gqlapi.feed.reader import Reader, is_complete
from gqlapi.feed.wakeups import Wakeups, is_being_cancelled
from gqlapi.repositories.feed import Change, PostFacts, get_first_position, read_facts, read_status

RETRY_SECONDS = 0.5
Changes = Sequence[Change]
T = TypeVar("T")

logger = structlog.get_logger()


class PositionExpired(ApiError):
    """The feed no longer has all changes after a position, or never had it: the client must read anew."""

    code = Code.POSITION_EXPIRED

    def __init__(self) -> None:
        super().__init__("The feed no longer keeps what happened after this position. Read again, then subscribe.")


class Feed:
    """The changes of posts, in the order of their positions: each one once, none left out.

    It reads while it has subscribers, in one task for all of them. Nothing is held for one that waits, no connection
    and no queue: it takes what is new from the memory of the process, or from the database if it is far behind.
    """

    def __init__(self, database: Database, *, keep_changes_for: timedelta) -> None:
        """Prepare; nothing is read before the first subscriber."""
        self._database = database
        self._reader = Reader(database, keep_changes_for=keep_changes_for)
        self.wakeups = Wakeups(database)
        self._subscribers = 0
        self._reading: asyncio.Task[None] | None = None
        self._started: asyncio.Task[None] | None = None
        self._news = asyncio.Condition()
        self._facts: tuple[frozenset[UUID], asyncio.Task[dict[UUID, PostFacts]]] | None = None

    @property
    def subscribers(self) -> int:
        """How many follow the feed."""
        return self._subscribers

    @property
    def lag_seconds(self) -> float:
        """How long ago the feed was read to its end, 0 without subscribers: none still to come is older."""
        return time.monotonic() - self._reader.read_at if self._subscribers and self._reader.read_at else 0.0

    def note_commit(self) -> None:
        """Look for changes soon: a transaction of this process was committed."""
        self.wakeups.note_commit()

    async def follow(self, since: int | None) -> AsyncGenerator[Changes]:
        """Begin to follow the feed; what is returned yields the changes after a position, or after now, without end.

        Raises:
            PositionExpired: the feed does not have all changes after the position any more.
            ApiError: the database timed out or is not available at the start; later it is waited for.
        """
        changes = self._follow(since)
        await anext(changes)
        return changes

    async def _follow(self, since: int | None) -> AsyncGenerator[Changes]:
        async with self._subscribing():
            setbacks = self._reader.setbacks
            position = self._reader.position if since is None else since
            if since is not None:
                await self._check(since)
            yield ()
            while True:
                changes = await self._after(position, setbacks)
                if changes:
                    position = changes[-1].position
                    yield changes

    async def facts(self, changes: Changes) -> dict[UUID, PostFacts]:
        """Read who may see the posts of changes now; subscribers that ask at the same time share the answer.

        A database that is not available is waited for.
        """
        ids = frozenset(change.post_id for change in changes)
        if self._facts is None or self._facts[0] != ids or self._facts[1].done():
            self._facts = ids, asyncio.create_task(_patiently(lambda: self._read_facts(ids)))
        return await asyncio.shield(self._facts[1])

    async def close(self) -> None:
        """Stop reading."""
        self.wakeups.close()
        await self._stop()

    async def _check(self, since: int) -> None:
        """Raise PositionExpired unless the changes after a position are all there."""
        unit = self._database.read()
        try:
            last = (await read_status(unit)).last_position
            first = await get_first_position(unit)
        finally:
            await unit.close()
        if since > last or since < (last if first is None else first - 1):
            raise PositionExpired

    async def _after(self, position: int, setbacks: int) -> Changes:
        """Return changes after a position, or wait for some and return none.

        Raises:
            PositionExpired: some were pruned, or the database has lost some.
        """
        if self._reader.setbacks != setbacks:
            raise PositionExpired
        recent = self._reader.recent(position)
        if recent is None:
            changes = await _patiently(lambda: self._reader.list_after(position))
            if not is_complete(changes, position):
                raise PositionExpired
            return changes
        if not recent:
            async with self._news:
                await self._news.wait_for(lambda: self._reader.position > position or self._reader.setbacks != setbacks)
        return recent

    async def _read_facts(self, ids: Collection[UUID]) -> dict[UUID, PostFacts]:
        unit = self._database.read()
        try:
            return await read_facts(unit, ids)
        finally:
            await unit.close()

    @asynccontextmanager
    async def _subscribing(self) -> AsyncIterator[None]:
        self._subscribers += 1
        try:
            if self._started is None:
                self._started = asyncio.create_task(self._start())
            started = self._started
            try:
                await asyncio.shield(started)
            except Exception:
                if self._started is started:
                    self._started = None
                raise
            yield
        finally:
            self._subscribers -= 1
            if not self._subscribers:
                await self._stop()

    async def _start(self) -> None:
        await self._reader.start()
        self._reading = asyncio.create_task(self._read())

    async def _stop(self) -> None:
        running = [task for task in (self._started, self._reading) if task is not None]
        self._started = self._reading = None
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def _read(self) -> None:
        listening = asyncio.create_task(self.wakeups.listen())
        has_failed = False
        try:
            while not is_being_cancelled():
                before = self._reader.position, self._reader.setbacks
                try:
                    seconds = await self._reader.round()
                    has_failed = False
                except Exception as error:
                    if not has_failed:
                        logger.warning("feed cannot be read", exc_info=error)
                    has_failed, seconds = True, RETRY_SECONDS
                if (self._reader.position, self._reader.setbacks) != before:
                    async with self._news:
                        self._news.notify_all()
                await self.wakeups.wait(seconds)
        finally:
            listening.cancel()
            await asyncio.wait([listening])


async def _patiently(read: Callable[[], Awaitable[T]]) -> T:
    """Read, again and again while the database is not available."""
    while True:
        try:
            return await read()
        except ApiError:
            await asyncio.sleep(RETRY_SECONDS)
