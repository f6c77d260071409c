"""Running the Alembic revisions: from code, one migrator at a time, without stopping the traffic."""

import logging
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gqlapi.database.connector import Way
from gqlapi.database.driver import create_unpooled_engine
from gqlapi.database.slugs import recreate_on_sqlite
from gqlapi.database.url import normalize_url

logger = logging.getLogger(__name__)

# The key of PostgreSQL's advisory lock; such locks belong to one database.
LOCK_KEY = int.from_bytes(b"gqlapi", "big")
LOCK_POLL_SECONDS = 0.5
# A statement that waits for a table's lock makes all later queries of that table wait behind it: it gives up soon,
# lets them pass, and tries again.
LOCK_TIMEOUT_SECONDS = 2
ATTEMPTS = 5
PAUSE_SECONDS = 1.0
# A lock was not granted in time; a deadlock with a server that writes.
RETRIED = frozenset({"55P03", "40P01"})
SQLITE_BUSY_TIMEOUT_MS = 60_000

_running_here = threading.Lock()


class PoolerInTheWay(ConnectionError):
    """What needs a separate session is to run through a pooler."""


class UnknownRevision(Exception):
    """A migration is to go to a revision that does not exist."""


def scripts_directory() -> Path:
    """Find the revisions: inside an installed package, or beside the package in a checkout.

    Raises:
        FileNotFoundError: they are in neither place.
    """
    package = Path(__file__).resolve().parents[1]
    for directory in (package / "_migrations", package.parent / "alembic"):
        if (directory / "env.py").is_file():
            return directory
    raise FileNotFoundError(f"the migration scripts are neither inside {package} nor beside it")


def head_revision() -> str:
    """Return the id of the newest revision.

    Raises:
        FileNotFoundError: there are no revisions.
    """
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise FileNotFoundError(f"{scripts_directory()} holds no revisions")
    return head


@cache
def known_revisions() -> tuple[str, ...]:
    """Return the ids of all revisions, the newest first; the first call imports them."""
    return tuple(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def missing_revisions(current: str | None) -> list[str] | None:
    """Return the ids of the revisions after `current`, the newest first; None when it is not one of ours."""
    ids = [*known_revisions()]
    if current is None:
        return ids
    return ids[: ids.index(current)] if current in ids else None


def is_missing_file(url: sa.URL) -> bool:
    """Return whether the URL is that of an SQLite file which does not exist; connecting would create it."""
    return url.get_backend_name() == "sqlite" and "uri" not in url.query and not Path(url.database or "").exists()


async def current_revision(url: str) -> str | None:
    """Return the id of the revision that the database is at, None before the first; a missing file stays missing."""
    if is_missing_file(sa.make_url(normalize_url(url))):
        return None
    async with connect(url, has_own_sessions=True) as connection:  # which one statement needs not
        return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


async def upgrade(engine_or_url: AsyncEngine | str, revision: str = "head", *, has_own_sessions: bool = False) -> bool:
    """Bring the database to `revision`, on its own connection, waiting while another process migrates.

    The lock lives as long as a PostgreSQL session, so the URL must not lead through a pooler, unless that is known to
    give each client a separate session. False, and nothing is changed, when the database is at a revision that is not
    known here.

    Raises:
        PoolerInTheWay: the URL leads through a pooler.
        UnknownRevision: there is no such revision to go to.
        RuntimeError: a migration is running in this process.
    """
    if isinstance(engine_or_url, AsyncEngine):
        engine_or_url = engine_or_url.url.render_as_string(hide_password=False)
    # Alembic keeps its context in globals.
    if not _running_here.acquire(blocking=False):
        raise RuntimeError("a migration is already running in this process")
    try:
        async with connect(engine_or_url, has_own_sessions=has_own_sessions) as connection:
            return await connection.run_sync(_upgrade_on, revision)
    finally:
        _running_here.release()


@asynccontextmanager
async def connect(url: str, *, has_own_sessions: bool = False) -> AsyncIterator[AsyncConnection]:
    """Open the one connection that a migration needs.

    Raises:
        PoolerInTheWay: it leads through a pooler that is not known to have sessions.
    """
    url = normalize_url(url)
    # On SQLite the driver would commit before DDL, so the event begins instead.
    arguments = {"isolation_level": None} if url.startswith("sqlite") else {}
    engine = create_unpooled_engine(url, creates_file=True, **arguments)
    if url.startswith("sqlite"):
        sa.event.listen(engine.sync_engine, "begin", _begin)
    try:
        async with engine.connect() as connection:
            if not has_own_sessions:
                await _refuse_pooler(connection)
            yield connection
    finally:
        await engine.dispose()


async def _refuse_pooler(connection: AsyncConnection) -> None:
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if connection.dialect.name == "postgresql" and driver.way is not Way.DIRECT:
        raise PoolerInTheWay("a pooler passes the connection on, and may give each transaction another session")


def run_exclusively(connection: sa.Connection, run: Callable[[], None]) -> None:
    """Call `run` as the only migrator of this database.

    On PostgreSQL `run` is called up to five times, when a lock was not granted in time; the revisions that it
    committed before stay. On SQLite the connection comes from `connect` or from the engine for writes: a transaction
    must begin before DDL, with BEGIN IMMEDIATE.

    Raises:
        RuntimeError: the connection is in a transaction, so that nothing could be committed.
    """
    if connection.in_transaction():
        raise RuntimeError("a migration needs a connection that is not in a transaction")
    if connection.dialect.name == "sqlite":
        with _sqlite_migrator(connection):
            run()
    else:
        with _postgresql_migrator(connection):
            _run_until_locks_are_granted(connection, run)


def check_foreign_keys(*, ctx: MigrationContext, step: Any, **_: Any) -> None:
    """Fail a revision on SQLite, where constraints are off for its duration, that leaves references to missing rows.

    Raises:
        RuntimeError: there are such rows; the transaction is still open and is rolled back.
    """
    if ctx.dialect.name != "sqlite" or ctx.connection is None:
        return
    broken = ctx.connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        tables = ", ".join(f"{table} to {parent}" for table, parent in sorted({(row[0], row[2]) for row in broken}))
        raise RuntimeError(f"revision {step.up_revision_id} leaves {len(broken)} broken references: {tables}")


def recreate_triggers(*, ctx: MigrationContext, **_: Any) -> None:
    """Create the triggers of SQLite again that a revision has dropped with the table that it re-created."""
    if ctx.dialect.name == "sqlite" and ctx.connection is not None:
        recreate_on_sqlite(ctx.connection)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts_directory()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.info.get("begin", "BEGIN"))


def _upgrade_on(connection: sa.Connection, revision: str) -> bool:
    config = _config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        current = MigrationContext.configure(connection).get_current_heads()
        if set(current) <= set(known_revisions()):
            raise UnknownRevision(str(error)) from error
        return False
    return True


@contextmanager
def _postgresql_migrator(connection: sa.Connection) -> Iterator[None]:
    # Never pg_advisory_lock(): its wait holds a snapshot, which CREATE INDEX CONCURRENTLY in the holder waits for.
    while not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(LOCK_KEY))):
        logger.info("another process is migrating this database; waiting")
        _pause(connection, LOCK_POLL_SECONDS)
    connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
    connection.commit()
    try:
        yield
    finally:
        if not connection.invalidated:  # else the lock went with the session
            connection.rollback()
            connection.exec_driver_sql("RESET lock_timeout")
            connection.execute(sa.select(sa.func.pg_advisory_unlock(LOCK_KEY)))
            connection.commit()


def _run_until_locks_are_granted(connection: sa.Connection, run: Callable[[], None]) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            run()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in RETRIED or attempt == ATTEMPTS:
                raise
            logger.warning("a table is locked; attempt %d of %d", attempt, ATTEMPTS)
        else:
            return
        connection.rollback()
        _pause(connection, PAUSE_SECONDS)


def _pause(connection: sa.Connection, seconds: float) -> None:
    """Wait in the server, which blocks no event loop; before and after it no transaction is open."""
    connection.commit()
    connection.execute(sa.select(sa.func.pg_sleep(seconds)))
    connection.commit()


@contextmanager
def _sqlite_migrator(connection: sa.Connection) -> Iterator[None]:
    """Take the write lock when a transaction begins, and let tables be re-created.

    Dropping the old table deletes the rows that refer to it when foreign keys are on.
    """
    connection.info["begin"] = "BEGIN IMMEDIATE"
    _pragma(connection, f"busy_timeout={SQLITE_BUSY_TIMEOUT_MS}")
    with suppress(sqlite3.OperationalError):  # the file is in use, for example by a process that does the same
        _pragma(connection, "journal_mode=WAL")
    foreign_keys = _pragma(connection, "foreign_keys")
    _pragma(connection, "foreign_keys=OFF")
    try:
        yield
    finally:
        connection.rollback()
        _pragma(connection, f"foreign_keys={foreign_keys}")


def _pragma(connection: sa.Connection, text: str) -> Any:
    """Run a PRAGMA at the driver: SQLAlchemy would begin a transaction, in which some have no effect."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(f"PRAGMA {text}")
        row = cursor.fetchone()
        return row and row[0]
    finally:
        cursor.close()
