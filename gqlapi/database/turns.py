"""Turns: work that one process of all that share a database does at a time."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from zlib import crc32

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

# The first of the two keys of PostgreSQL's advisory locks; migrations lock with a single key, which is another space.
LOCK_SPACE = int.from_bytes(b"gql")
# Beside the file of SQLite. Never the file itself: when a process closes one of its descriptors of a file, it loses
# all of its POSIX locks on it, those of SQLite included (https://www.sqlite.org/howtocorrupt.html, section 2.2).
LOCK_SUFFIX = "-turns"


@asynccontextmanager
async def turn(engine: AsyncEngine, name: str, max_seconds: float) -> AsyncIterator[bool]:
    """Yield whether this process has the turn called `name`; no other one has it until the block ends.

    It ends with the process, or with its connection. PostgreSQL: an advisory lock of a transaction, which a pooler in
    transaction mode allows; the transaction has neither a snapshot nor an id, so VACUUM does not wait for it. It is
    given up by the server after `max_seconds`.

    Raises:
        DBAPIError: the database cannot be reached.
    """
    if engine.dialect.name == "sqlite":
        async with _sqlite_turn(engine) as has_turn:
            yield has_turn
        return
    async with engine.connect() as connection, connection.begin() as transaction:
        is_taken = await connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(LOCK_SPACE, _key(name))))
        # After the SELECT, whose portal keeps its snapshot until the next statement.
        await connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = {int(max_seconds * 1000)}")
        yield bool(is_taken)
        if transaction.is_valid and not connection.invalidated:
            await transaction.rollback()


def _key(name: str) -> int:
    return crc32(name.encode()) - 2**31


@asynccontextmanager
async def _sqlite_turn(engine: AsyncEngine) -> AsyncIterator[bool]:
    """Lock a file beside the database; there is one turn for all names, because there is one writer."""
    if "uri" in engine.url.query or not engine.url.database:
        yield True
        return
    connection = await asyncio.to_thread(_lock, f"{engine.url.database}{LOCK_SUFFIX}")
    try:
        yield connection is not None
    finally:
        if connection is not None:
            await asyncio.shield(asyncio.to_thread(connection.close))


def _lock(path: str) -> sqlite3.Connection | None:
    """Lock a file; None if another process has locked it.

    Raises:
        sqlite3.OperationalError: it cannot be created.
    """
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            return None
        raise
    return connection
