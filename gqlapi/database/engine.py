"""Engines for SQLite and PostgreSQL, set up so that both keep the same promises."""

import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from asyncpg.exceptions import InvalidCachedStatementError
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gqlapi.database.connector import Connector, PoolerSetting, install_pooler_support
from gqlapi.database.driver import bounded_connection, connect_sqlite
from gqlapi.database.parking import IDLE_SINCE
from gqlapi.database.statement_cache import StatementCache
from gqlapi.database.tracing import install_tracing
from gqlapi.database.url import normalize_url

SQLITE_BUSY_TIMEOUT_MS = 5_000
# What each connection keeps: pages of the file, which the system's cache has as well, and prepared statements.
SQLITE_PAGES_KIB, SQLITE_STATEMENTS = 700, 32
# A writer waits for the one connection: behind another writer, which itself may wait for the file's lock.
SQLITE_WRITER_TIMEOUT_SECONDS = 2 * SQLITE_BUSY_TIMEOUT_MS / 1000
# How much longer than its own statement timeout a server may take to answer, before it counts as gone.
ANSWER_MARGIN_SECONDS = 1.0
# Instructions of SQLite's virtual machine between two looks at the clock: about a millisecond.
SQLITE_PROGRESS_STEPS = 100_000
# An execution option: a statement's own timeout in milliseconds, shorter than the engine's.
TIMEOUT_OPTION = "timeout_ms"
# An execution option of an engine for PostgreSQL: its statement timeout in milliseconds.
USUAL_TIMEOUT_OPTION = "usual_timeout_ms"


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How connections are made and kept."""

    pool_size: int = 10
    pool_pre_ping: bool = False
    connect_timeout_seconds: float = 3.0
    statement_timeout_ms: int = 5_000
    pooler: PoolerSetting = "auto"
    # The way past the pooler; empty where it is that of all connections.
    direct_url: str = ""
    # Replicas to read from, how far behind they may be, and how long an operation waits for what its caller wrote.
    replica_urls: tuple[str, ...] = ()
    replica_max_lag_seconds: float = 10.0
    replica_wait_seconds: float = 0.1
    sqlite_synchronous: str = "normal"

    @property
    def command_timeout_seconds(self) -> float:
        """The longest wait for the answer to one statement."""
        return self.statement_timeout_ms / 1000 + ANSWER_MARGIN_SECONDS


def create_engines(url: str, options: EngineOptions, *, is_silent: bool = True) -> tuple[AsyncEngine, AsyncEngine]:
    """Return the engine for reads and the engine for writes; log a pooler that is recognised unless `is_silent`.

    One and the same on PostgreSQL. On SQLite, reads use connections that cannot write, and writes share one
    connection whose transactions begin IMMEDIATE: a deferred one that turns to writing fails, or loses updates.
    """
    url = normalize_url(url)
    if url.startswith("sqlite"):
        return (
            _create_sqlite_engine(url, options, begin="BEGIN", query_only=True),
            _create_sqlite_engine(url, options, begin="BEGIN IMMEDIATE", query_only=False),
        )
    engine = _create_postgresql_engine(url, options, is_silent=is_silent)
    return engine, engine


def _create_postgresql_engine(url: str, options: EngineOptions, *, is_silent: bool) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=options.pool_size,
        max_overflow=0,
        pool_pre_ping=options.pool_pre_ping,
        # Statement parameters are user data: never in a log line or an error text.
        hide_parameters=True,
        execution_options={"compiled_cache": StatementCache(), USUAL_TIMEOUT_OPTION: options.statement_timeout_ms},
        # Independent of the database's default; reads set their own.
        isolation_level="READ COMMITTED",
        connect_args=postgresql_arguments(options, is_silent=is_silent),
    )
    install_tracing(engine)
    install_pooler_support(engine)
    _replace_after_silence(engine)
    _replace_after_alteration(engine)
    return engine


def postgresql_arguments(options: EngineOptions, *, is_silent: bool = True) -> dict[str, Any]:
    """Return the arguments for connections that wait for nothing without a bound."""
    settings = {
        "application_name": "gqlapi",
        "statement_timeout": str(options.statement_timeout_ms),
        "idle_in_transaction_session_timeout": str(3 * options.statement_timeout_ms),
        # Our statements are short; compiling them costs more than it saves.
        "jit": "off",
    }
    return {
        "async_creator_fn": Connector(options.pooler, settings, is_silent=is_silent).connect,
        "timeout": options.connect_timeout_seconds,
        "command_timeout": options.command_timeout_seconds,
        "connection_class": bounded_connection(min(options.connect_timeout_seconds, options.command_timeout_seconds)),
    }


def _replace_after_silence(engine: AsyncEngine) -> None:
    """Replace all connections that were idle when the server did not answer on one of them.

    They lead the same way, and each would cost an operation the wait for its BEGIN.
    """
    silent_at = float("-inf")

    @sa.event.listens_for(engine.sync_engine, "invalidate")
    def _note_silence(_connection: Any, _record: object, cause: BaseException | None) -> None:
        nonlocal silent_at
        if isinstance(cause, TimeoutError):
            silent_at = time.monotonic()

    @sa.event.listens_for(engine.sync_engine, "checkin")
    def _note_checkin(_connection: Any, record: sa.pool.ConnectionPoolEntry) -> None:
        record.info[IDLE_SINCE] = time.monotonic()

    @sa.event.listens_for(engine.sync_engine, "checkout")
    def _refuse_suspect(_connection: Any, record: sa.pool.ConnectionPoolEntry, _proxy: object) -> None:
        # A new connection has no time yet.
        if record.info.get(IDLE_SINCE, silent_at) < silent_at:
            raise DisconnectionError


def _replace_after_alteration(engine: AsyncEngine) -> None:
    """Replace all connections when a statement that one has prepared does not fit a table any more.

    asyncpg forgets what the one connection has prepared; the others would fail one after the other.
    """

    @sa.event.listens_for(engine.sync_engine, "handle_error")
    def _note_alteration(failure: sa.engine.ExceptionContext) -> None:
        if isinstance(failure.original_exception.__cause__, InvalidCachedStatementError):
            failure.is_disconnect = True  # all connections of the pool are replaced when they are next used


def _create_sqlite_engine(url: str, options: EngineOptions, *, begin: str, query_only: bool) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=options.pool_size if query_only else 1,
        max_overflow=0,
        pool_timeout=SQLITE_WRITER_TIMEOUT_SECONDS,
        hide_parameters=True,
        execution_options={"compiled_cache": StatementCache()},
        # The driver never begins a transaction by itself; the event below does, for reads too.
        connect_args={
            "isolation_level": None,
            "async_creator_fn": connect_sqlite,
            "cached_statements": SQLITE_STATEMENTS,
        },
    )
    install_tracing(engine)

    synchronous = options.sqlite_synchronous.upper()

    @sa.event.listens_for(engine.sync_engine, "connect")
    def _set_pragmas(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", f"synchronous={synchronous}", f"busy_timeout={SQLITE_BUSY_TIMEOUT_MS}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.execute(f"PRAGMA cache_size=-{SQLITE_PAGES_KIB}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA query_only={'ON' if query_only else 'OFF'}")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    if query_only:
        _limit_statement_time(engine, options.statement_timeout_ms / 1000)
    return engine


def _limit_statement_time(engine: AsyncEngine, seconds: float) -> None:
    """Interrupt statements of SQLite, which has no statement timeout, through its progress handler."""

    @sa.event.listens_for(engine.sync_engine, "connect")
    def _watch(connection: Any, record: sa.pool.ConnectionPoolEntry) -> None:
        record.info["deadline"] = float("inf")
        connection.run_async(
            lambda driver: driver.set_progress_handler(
                lambda: time.monotonic() > record.info["deadline"], SQLITE_PROGRESS_STEPS
            )
        )

    @sa.event.listens_for(engine.sync_engine, "invalidate")
    def _interrupt(_connection: Any, record: sa.pool.ConnectionPoolEntry, _cause: object) -> None:
        # A statement that was cancelled still runs in its thread, and closing waits for it.
        record.info["deadline"] = float("-inf")

    @sa.event.listens_for(engine.sync_engine, "before_cursor_execute")
    def _start_clock(
        connection: sa.Connection, _cursor: object, _statement: str, _parameters: object, context: Any, _many: object
    ) -> None:
        allowed_ms = context.execution_options.get(TIMEOUT_OPTION) if context else None
        connection.info["deadline"] = time.monotonic() + (allowed_ms / 1000 if allowed_ms else seconds)
