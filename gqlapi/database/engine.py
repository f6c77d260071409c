"""Engines for SQLite and PostgreSQL, set up so that both keep the same promises."""

import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gqlapi.database.statement_cache import StatementCache
from gqlapi.database.url import normalize_url

SQLITE_BUSY_TIMEOUT_MS = 5_000
# Instructions of SQLite's virtual machine between two looks at the clock: about a millisecond.
SQLITE_PROGRESS_STEPS = 100_000
# An execution option: a statement's own timeout in milliseconds, shorter than the engine's.
TIMEOUT_OPTION = "timeout_ms"


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How connections are made and kept."""

    pool_size: int = 10
    pool_pre_ping: bool = False
    connect_timeout_seconds: float = 3.0
    statement_timeout_ms: int = 5_000


def create_engines(url: str, options: EngineOptions) -> tuple[AsyncEngine, AsyncEngine]:
    """Return the engine for reads and the engine for writes.

    One and the same on PostgreSQL. On SQLite, reads use connections that cannot write, and writes share one
    connection whose transactions begin IMMEDIATE: a deferred one that turns to writing fails, or loses updates.
    """
    url = normalize_url(url)
    if url.startswith("sqlite"):
        return (
            _create_sqlite_engine(url, options, begin="BEGIN", query_only=True),
            _create_sqlite_engine(url, options, begin="BEGIN IMMEDIATE", query_only=False),
        )
    engine = _create_postgresql_engine(url, options)
    return engine, engine


def _create_postgresql_engine(url: str, options: EngineOptions) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=options.pool_size,
        max_overflow=0,
        pool_pre_ping=options.pool_pre_ping,
        # Statement parameters are user data: never in a log line or an error text.
        hide_parameters=True,
        execution_options={"compiled_cache": StatementCache()},
        connect_args={
            "timeout": options.connect_timeout_seconds,
            "server_settings": {
                "application_name": "gqlapi",
                "statement_timeout": str(options.statement_timeout_ms),
                "idle_in_transaction_session_timeout": str(3 * options.statement_timeout_ms),
                # Our statements are short; compiling them costs more than it saves.
                "jit": "off",
            },
        },
    )


def _create_sqlite_engine(url: str, options: EngineOptions, *, begin: str, query_only: bool) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=options.pool_size if query_only else 1,
        max_overflow=0,
        hide_parameters=True,
        execution_options={"compiled_cache": StatementCache()},
        # The driver never begins a transaction by itself; the event below does, for reads too.
        connect_args={"isolation_level": None},
    )

    @sa.event.listens_for(engine.sync_engine, "connect")
    def _set_pragmas(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={SQLITE_BUSY_TIMEOUT_MS}"):
            cursor.execute(f"PRAGMA {pragma}")
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

    @sa.event.listens_for(engine.sync_engine, "before_cursor_execute")
    def _start_clock(
        connection: sa.Connection, _cursor: object, _statement: str, _parameters: object, context: Any, _many: object
    ) -> None:
        allowed_ms = context.execution_options.get(TIMEOUT_OPTION) if context else None
        connection.info["deadline"] = time.monotonic() + (allowed_ms / 1000 if allowed_ms else seconds)
