"""What wakes the readers of the feed: commits of this process, and those of others by LISTEN and NOTIFY.

Both only save time. Without them a reader looks once a second.
"""

import asyncio
import secrets
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from gqlapi.database.causes import DIRECT
from gqlapi.database.unit import Database
from gqlapi.repositories.feed import CHANNEL, notify

# Commits within this time share one notification.
NOTIFY_SECONDS = 0.03
RECONNECT_SECONDS = 1.0
# How often the listener looks whether its connection still lives.
PING_SECONDS = 10.0
PING_TIMEOUT_SECONDS = 5.0

logger = structlog.get_logger()


class Wakeups:
    """Wakes the reader of this process, and notifies other processes of commits of this one."""

    def __init__(self, database: Database) -> None:
        """Prepare; nothing connects before `listen`."""
        self._database = database
        self._is_shared = database.dialect_name == "postgresql"
        # Whether other processes are notified of commits.
        self.notifies = self._is_shared
        self._event = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._name = secrets.token_hex(8)

    def note_commit(self) -> None:
        """Wake the reader of this process now, those of others soon: what was committed may be a change."""
        self._event.set()
        if self.notifies and self._timer is None:
            self._notify_soon()

    def wake(self, _connection: Any, _pid: int, _channel: str, sender: str) -> None:
        """Wake the reader of this process, unless the commit was its own: that has woken it already."""
        if sender != self._name:
            self._event.set()

    async def wait(self, seconds: float) -> None:
        """Wait until somebody wakes the reader, or for some seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return
        finally:
            self._event.clear()

    def close(self) -> None:
        """Send no more notifications."""
        if self._timer is not None:
            self._timer.cancel()

    def _notify_soon(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(NOTIFY_SECONDS, self._notify)

    def _notify(self) -> None:
        if self._database.gate.is_full:
            self._notify_soon()
            return
        self._timer = None
        self._database.start_if_free(lambda session: notify(session, self._name), "notification of the feed")

    async def listen(self) -> None:
        """Wake the reader when another process commits; connect again for as long as the caller is not cancelled."""
        if not self._is_shared:
            return
        engine, has_failed = self._database.create_unpooled_engine(), False
        try:
            while not is_being_cancelled():
                try:
                    async with engine.connect() as connection:
                        if (await _driver(connection)).way.is_by_transaction:
                            logger.warning("feed does not listen", reason="a pooler is in between", fix=DIRECT)
                            return
                        await self._begin_on(connection)
                        has_failed = False
                        await self._ping(connection)
                except Exception as error:
                    if not has_failed:
                        logger.warning("feed does not listen", exc_info=error)
                    has_failed = True
                await asyncio.sleep(RECONNECT_SECONDS)
        finally:
            await engine.dispose()

    async def _begin_on(self, connection: AsyncConnection) -> None:
        await (await _driver(connection)).add_listener(CHANNEL, self.wake)
        self._event.set()  # earlier notifications are lost

    async def _ping(self, connection: AsyncConnection) -> None:
        driver = await _driver(connection)
        while True:
            await asyncio.sleep(PING_SECONDS)
            await driver.execute("SELECT 1", timeout=PING_TIMEOUT_SECONDS)


async def _driver(connection: AsyncConnection) -> Any:
    return (await connection.get_raw_connection()).driver_connection


def is_being_cancelled() -> bool:
    """Whether the current task is to end: asyncpg may turn its cancellation into another error."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
