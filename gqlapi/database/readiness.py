"""Whether the database can serve: reachable, at our revision, writable; asked on a connection outside the pool."""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from gqlapi.database.driver import create_unpooled_engine
from gqlapi.database.engine import EngineOptions, postgresql_arguments
from gqlapi.database.failures import Trouble, trouble_of
from gqlapi.database.migrations import is_missing_file, known_revisions
from gqlapi.database.url import normalize_url

PROBE_TIMEOUT_SECONDS = 2.0
OK = "ok"
UNKNOWN = "unknown"
# A database ahead of the code is one that a newer release has expanded for itself; the older one runs on it.
AHEAD = "ahead"
READY = (OK, AHEAD)


@dataclass(frozen=True, slots=True)
class Checks:
    """The state of each part in one word or a few; `unknown` if an earlier one failed."""

    connection: str = UNKNOWN
    revision: str = UNKNOWN
    writable: str = UNKNOWN

    @property
    def passed(self) -> bool:
        """Whether requests can be served."""
        return all(state in READY for state in asdict(self).values())


class Probe:
    """Asks a database for its state, in two short statements, over its own connection each time."""

    def __init__(self, url: str, options: EngineOptions) -> None:
        """Prepare the engine; nothing connects before the first check."""
        self._engine = _create_engine(url, options)

    async def check(self) -> tuple[Checks, Exception | None]:
        """Return the state of each part, and the failure that kept one from being seen, within a bound."""
        if is_missing_file(self._engine.url):
            return Checks(connection="missing"), None
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
                known = await asyncio.to_thread(known_revisions)
                async with self._engine.connect() as connection:
                    return Checks(OK, **await connection.run_sync(_look, known)), None
        except Exception as error:  # noqa: BLE001 - any reason why the database does not answer
            return Checks(connection="unreachable"), error


def _create_engine(url: str, options: EngineOptions) -> AsyncEngine:
    url = normalize_url(url)
    if url.startswith("sqlite"):
        return create_unpooled_engine(url, isolation_level=None, timeout=0)
    engine = create_unpooled_engine(url, **postgresql_arguments(options))
    return engine.execution_options(isolation_level="READ COMMITTED")


def _look(connection: sa.Connection, known: tuple[str, ...]) -> dict[str, str]:
    """Return the revision's state and whether a write could begin."""
    is_postgresql = connection.dialect.name == "postgresql"
    writable = _postgresql_state(connection) if is_postgresql else _sqlite_state(connection)
    return {"revision": _revision_state(connection, known), "writable": writable}


def _revision_state(connection: sa.Connection, known: tuple[str, ...]) -> str:
    try:
        [current] = [*connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars()] or [None]
    except DBAPIError as error:
        trouble = trouble_of(error)
        if trouble is Trouble.PERMISSION:
            return "permission denied"
        if trouble is Trouble.SCHEMA:
            return "not migrated"
        raise
    if current is None:
        return "not migrated"
    if current not in known:
        return AHEAD
    return OK if current == known[0] else "behind"


def _postgresql_state(connection: sa.Connection) -> str:
    # Also on for a standby.
    setting = sa.select(sa.func.current_setting("transaction_read_only"))
    return "read-only" if connection.scalar(setting) == "on" else OK


def _sqlite_state(connection: sa.Connection) -> str:
    """Begin a write and end it: permissions do not show what the file system allows."""
    state = OK
    for statement in _harmless_write(connection):
        try:
            connection.exec_driver_sql(statement)
        except DBAPIError as error:
            # The holder of the lock can write.
            if trouble_of(error) is not Trouble.LOCK_TIMEOUT:
                state = "read-only" if trouble_of(error) is Trouble.READ_ONLY else "failing"
            break
    if connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr] # aiosqlite's
        connection.exec_driver_sql("ROLLBACK")
    return state


def _harmless_write(connection: sa.Connection) -> Iterator[str]:
    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    # Of a file that is read-only, this begins a mere read.
    yield "BEGIN IMMEDIATE"
    yield f"PRAGMA user_version={int(version)}"
