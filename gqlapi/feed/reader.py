"""Reads the feed for all subscribers of a process, and gives positions to changes that have none."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from itertools import takewhile
from typing import TypeVar

from gqlapi.database.read_unit import ReadUnit
from gqlapi.database.types import utc_now
from gqlapi.database.unit import Database
from gqlapi.repositories.feed import Change, FeedStatus, give_positions, list_changes, read_status

# The newest changes, which subscribers take from memory.
KEPT_CHANGES = 2_000
# How long a reader waits if nothing wakes it.
POLL_SECONDS = 1.0
# How far the clocks of servers may differ: a change is sent when this server's clock shows what it has made public.
MAX_SKEW_SECONDS = 2.0

T = TypeVar("T")


class Reader:
    """The newest changes of the feed, as far as they have been read.

    A round takes one statement when nothing has changed; a change takes one transaction of one process, and one
    statement of each, for any number of subscribers.
    """

    def __init__(self, database: Database, *, keep_changes_for: timedelta) -> None:
        """Prepare to read; changes older than `keep_changes_for` may have been pruned."""
        self._database = database
        self._keep = keep_changes_for
        self._changes: deque[Change] = deque(maxlen=KEPT_CHANGES)
        self._before_first = 0
        # The position up to which the feed has been read.
        self.position = 0
        # How often the database has lost positions that it had given: a standby took over that had not got them.
        self.setbacks = 0
        # When it was last read to its end, on the clock of `time.monotonic`.
        self.read_at = 0.0

    async def start(self) -> None:
        """Begin after the last change that is committed now.

        Raises:
            ApiError: the database timed out or is not available.
        """
        status = await self._number(await self._read(read_status))
        self._skip_to(status.last_position)
        self.read_at = time.monotonic()

    async def round(self) -> float:
        """Read what is new, and return for how many seconds there is nothing to do unless somebody wakes the reader.

        Raises:
            ApiError: the database timed out or is not available.
        """
        status = await self._number(await self._read(read_status))
        if status.last_position < self.position:
            self.setbacks += 1
            self._skip_to(status.last_position)
        while self.position < status.last_position:
            changes = await self.list_after(self.position)
            if not changes:  # they were pruned at once
                self._skip_to(status.last_position)
                break
            ahead = (max(change.created_at for change in changes) - utc_now()).total_seconds()
            if ahead > 0:
                await asyncio.sleep(min(ahead, MAX_SKEW_SECONDS))
            self._remember(changes)
        self.read_at = time.monotonic()
        if status.next_publication is None:
            return POLL_SECONDS
        return min(POLL_SECONDS, max(0.0, (status.next_publication - utc_now()).total_seconds()))

    def recent(self, after: int) -> Sequence[Change] | None:
        """Return the changes after a position, or None if they are no longer in memory."""
        if after < self._before_first:
            return None
        newer = takewhile(lambda change: change.position > after, reversed(self._changes))
        return [*newer][::-1]

    async def list_after(self, position: int) -> list[Change]:
        """Read up to 1,000 changes after a position.

        Raises:
            ApiError: the database timed out or is not available.
        """
        return await self._read(lambda unit: list_changes(unit, position))

    def _remember(self, changes: Sequence[Change]) -> None:
        if not is_complete(changes, self.position):
            self._skip_to(changes[-1].position)
            return
        overflow = len(self._changes) + len(changes) - KEPT_CHANGES
        if overflow > 0:
            self._before_first = [*self._changes, *changes][overflow - 1].position
        self._changes.extend(changes)
        self.position = changes[-1].position

    def _skip_to(self, position: int) -> None:
        """Remember only what comes after a position: some changes before it were pruned."""
        self._changes.clear()
        self.position = self._before_first = position

    async def _number(self, status: FeedStatus) -> FeedStatus:
        """Give positions to changes that have none, and to scheduled posts that are due their change."""
        now = utc_now()
        is_due = status.next_publication is not None and status.next_publication <= now
        if not (status.has_new or is_due):
            return status
        while await self._database.transact(lambda session: give_positions(session, now, since=now - self._keep)):
            pass
        return await self._read(read_status)

    async def _read(self, read: Callable[[ReadUnit], Awaitable[T]]) -> T:
        unit = self._database.read()
        try:
            return await read(unit)
        finally:
            await unit.close()


def is_complete(changes: Sequence[Change], after: int) -> bool:
    """Whether changes that were read after a position are all there were: positions have no gaps before pruning."""
    return bool(changes) and changes[-1].position - after == len(changes)
