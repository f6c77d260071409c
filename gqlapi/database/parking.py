"""Connections that stay checked out of the pool between operations of one statement.

SQLAlchemy's checkout and checkin cost 0.1 ms of CPU, as much as the statement itself in the driver. A connection that
has begun no transaction has nothing to reset: it is parked, and the next operation takes it as it is.
"""

import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gqlapi.database.connector import NEEDS_TRANSACTION

IDLE_SINCE = "idle_since"
# A connection that was idle for longer may have been lost without a word.
FRESH_SECONDS = 1.0


class Parking:
    """The parked connections of an engine; at most as many as its pool has, since each was checked out of it."""

    def __init__(self, engine: AsyncEngine, *, is_used: bool) -> None:
        """Park connections of an engine, or none if it is not `is_used`."""
        self.engine = engine
        self.is_used = is_used
        self._parked: list[AsyncConnection] = []
        self._suspect_before = float("-inf")
        sa.event.listen(engine.sync_engine, "invalidate", self._note_loss)

    def __len__(self) -> int:
        """Return how many connections are parked."""
        return len(self._parked)

    async def connect(self) -> AsyncConnection:
        """Return a connection without a transaction, parked before or from the pool."""
        while self._parked:
            connection = self._parked.pop()
            if connection.info[IDLE_SINCE] > self._suspect_before:
                return connection
            await connection.invalidate()
            await connection.close()
        return await self.engine.connect()

    def park(self, connection: AsyncConnection) -> bool:
        """Park a connection that has begun no transaction; return False for one that must be closed instead."""
        if not self.is_used or connection.invalidated:
            return False
        connection.info[IDLE_SINCE] = time.monotonic()
        self._parked.append(connection)
        return True

    async def close_oldest(self) -> None:
        """Give a parked connection back to the pool if there is no other for a caller who takes one from there."""
        pool: Any = self.engine.pool
        if self._parked and pool.checkedout() >= pool.size():
            await self._parked.pop().close()

    async def clear(self) -> None:
        """Give all connections back to the pool."""
        while self._parked:
            await self._parked.pop().close()

    def _note_loss(self, _connection: Any, _record: object, cause: BaseException | None) -> None:
        """Replace what is parked now when it is next taken: another connection to the same server was lost.

        One that is closed because its statement was cancelled says nothing about the others.
        """
        if isinstance(cause, Exception):
            self._suspect_before = time.monotonic()


def may_run_alone(connection: AsyncConnection) -> bool:
    """Whether a single statement needs no BEGIN: the connection was given back within the last second.

    Then it needs no ping. Through a pooler that changes the backend, BEGIN brings the settings.
    """
    info = connection.info
    idle_since: float = info.get(IDLE_SINCE, float("-inf"))
    return time.monotonic() - idle_since < FRESH_SECONDS and not info[NEEDS_TRANSACTION]
