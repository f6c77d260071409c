"""Connections of both drivers that wait for nothing without a bound, and survive cancellation at any moment.

A server that disappears silently (a lost host, a firewall that forgot the connection) never answers; the kernel
notices after minutes. Statements are bounded by asyncpg's `command_timeout`.
"""

import asyncio
import os
import sqlite3
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite
import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gqlapi.database.connector import Connector, SettingConnection, install_pooler_support

# A connection that is given up while its server still works on something: the longest wait for that to end.
CLOSE_TIMEOUT_SECONDS = 1.0
ITER_CHUNK_SIZE = 64


def bounded_connection(control_timeout_seconds: float) -> type[asyncpg.Connection]:
    """Return the class of connections that wait that long for a BEGIN or a ROLLBACK.

    Both take no time at a server that works; a COMMIT may take as long as a statement.
    """

    class BoundedConnection(SettingConnection):
        _is_ending = False

        async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109 - asyncpg's
            if timeout is None and query.startswith(("BEGIN", "ROLLBACK")):
                timeout = control_timeout_seconds
            return await super().execute(query, *args, timeout=timeout)

        async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's
            if timeout is None:
                # SQLAlchemy closes what is idle: the server is notified, and nothing is left to wait for.
                self.terminate()
                return
            self._is_ending = True
            try:
                await super().close(timeout=min(timeout, CLOSE_TIMEOUT_SECONDS))
            finally:
                self._is_ending = False

        def terminate(self) -> None:
            # SQLAlchemy, cancelled while it closes a connection, terminates it. The close continues in its task, and
            # a statement that was cancelled is cancelled on the server, too.
            if not self._is_ending:
                super().terminate()

    return BoundedConnection


class SqliteConnection(aiosqlite.Connection):
    """A connection whose thread is stopped once; a second stop would wait for the thread for ever."""

    _stopped: asyncio.Future[Any] | None = None

    def stop(self) -> asyncio.Future[Any] | None:
        """Close the connection after what runs in its thread, and end the thread."""
        if self._stopped is None:
            self._stopped = super().stop()
        return self._stopped

    async def _connect(self) -> aiosqlite.Connection:
        """Connect; after a failure the thread has ended, and does not outlive the event loop that it answers to."""
        try:
            return await super()._connect()
        except Exception:
            await self.close()
            raise

    async def close(self) -> None:
        """Wait until the connection is closed."""
        if (stopped := self.stop()) is not None:
            await asyncio.shield(stopped)


def connect_sqlite(*arguments: Any, creates_file: bool = False, **options: Any) -> SqliteConnection:
    """Return a connection that connects when it is awaited, as aiosqlite's function does.

    Only a migration creates the file: an empty one that is left behind looks like a database.
    """
    connect = _create_sqlite if creates_file else _open_sqlite
    connection = SqliteConnection(partial(connect, *arguments, **options), ITER_CHUNK_SIZE)
    # What still runs when the process ends does not keep it; SQLAlchemy does this for the connections it makes.
    connection._thread.daemon = True  # noqa: SLF001
    return connection


def _create_sqlite(database: str, **options: Any) -> sqlite3.Connection:
    """Open a database; a new file, and those that SQLite puts beside it, are for this user alone."""
    if not options.get("uri"):
        # Where it cannot be created, SQLite itself says so.
        with suppress(OSError):
            os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    connection: sqlite3.Connection = sqlite3.connect(database, **options)
    return connection


def _open_sqlite(database: str, **options: Any) -> sqlite3.Connection:
    if not options.get("uri") and not Path(database).exists():
        raise sqlite3.OperationalError("unable to open database file: it does not exist")
    connection: sqlite3.Connection = sqlite3.connect(database, **options)
    return connection


def create_unpooled_engine(url: str | sa.URL, *, creates_file: bool = False, **arguments: Any) -> AsyncEngine:
    """Return an engine that connects anew each time; the arguments are those of the driver.

    `creates_file`: a file of SQLite that does not exist is created. A pooler before PostgreSQL is recognised.
    """
    if sa.make_url(url).get_backend_name() == "sqlite":
        arguments["async_creator_fn"] = partial(connect_sqlite, creates_file=creates_file)
        return create_async_engine(url, poolclass=sa.NullPool, hide_parameters=True, connect_args=arguments)
    arguments.setdefault("async_creator_fn", Connector("auto", {}).connect)
    engine = create_async_engine(url, poolclass=sa.NullPool, hide_parameters=True, connect_args=arguments)
    install_pooler_support(engine)
    return engine
