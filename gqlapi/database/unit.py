"""The database of a process: its engines, the transactions of writes, and the units that operations read from."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from gqlapi.database.at_once import may_have_committed
from gqlapi.database.background import Background
from gqlapi.database.engine import EngineOptions, create_engines
from gqlapi.database.failures import Trouble, is_disconnect, is_transient, to_api_error, trouble_of
from gqlapi.database.gate import ClientKeys, Place, PoolGate
from gqlapi.database.incidents import Incidents
from gqlapi.database.parking import Parking
from gqlapi.database.read_unit import MAX_BODY_LENGTH, ReadUnit
from gqlapi.database.readiness import Probe
from gqlapi.database.tracing import TRACE_OPTION, Trace, install_tracing
from gqlapi.errors import ApiError
from gqlapi.settings import Settings

# Pauses before each new attempt at a transaction that lost against another one; half of each is left to chance.
RETRY_PAUSES_SECONDS = (0.01, 0.04, 0.16)
# SQLite closes a connection in its thread, after what runs there.
DISPOSE_TIMEOUT_SECONDS = 5.0

ReadConsistency = Literal["snapshot", "statement"]
T = TypeVar("T")

logger = structlog.get_logger()


class Database:
    """The engines of a process, and the gate in front of their pool."""

    def __init__(
        self,
        url: str,
        options: EngineOptions | None = None,
        *,
        read_consistency: ReadConsistency = "snapshot",
        queue_size: int = 100,
        queue_timeout_seconds: float = 2.0,
        client_share: float = 1.0,
        max_body_length: int = MAX_BODY_LENGTH,
        logs_incidents: bool = False,
    ) -> None:
        """Prepare the engines; nothing connects before the first statement."""
        options = options or EngineOptions()
        read_engine, self.write_engine = create_engines(url, options)
        for engine in {read_engine, self.write_engine}:
            install_tracing(engine)
        self.read_engine = read_engine.execution_options(**_read_options(read_engine, read_consistency))
        # On SQLite every statement begins a transaction; a pool that pings looks at each connection it hands out.
        parks = self.dialect_name == "postgresql" and not options.pool_pre_ping
        self.parking = Parking(self.read_engine, is_used=parks)
        self.incidents = Incidents(is_silent=not logs_incidents)
        self.probe = Probe(url, options)
        self.gate = PoolGate(
            options.pool_size,
            queue_size=queue_size,
            timeout_seconds=queue_timeout_seconds,
            client_share=client_share,
            on_refusal=lambda: self.incidents.record(Trouble.BUSY),
        )
        self._background = Background()
        self._max_body_length = max_body_length
        # A transaction ends within this time, or is given up: two statements that are not answered.
        self._patience_seconds = 2 * options.command_timeout_seconds

    @property
    def _running(self) -> set[asyncio.Task[Any]]:
        return self._background.tasks

    @property
    def dialect_name(self) -> str:
        """`postgresql` or `sqlite`."""
        return self.read_engine.dialect.name

    def read(self, trace: Trace | None = None, *, place: Place | None = None, client: ClientKeys = ()) -> ReadUnit:
        """Create a unit that reads one snapshot and reports its statements to `trace`; it connects at its first one.

        A `place`, the limiter's slot that the caller holds, becomes the unit's own; else it takes one for `client`.
        """
        return ReadUnit(
            self.parking,
            self.gate,
            self._background,
            self.incidents,
            trace,
            place=place,
            client=client,
            max_body_length=self._max_body_length,
        )

    @asynccontextmanager
    async def write(self, trace: Trace | None = None) -> AsyncIterator[AsyncSession]:
        """Run one transaction: committed at the end of the block, rolled back when it raises.

        The session joins the transaction of its connection, on which kept statements run without it.
        """
        await self.parking.close_oldest()
        async with self.write_engine.connect() as connection:
            if trace is not None:
                await connection.execution_options(**{TRACE_OPTION: trace})
            await connection.begin()
            session = AsyncSession(connection, expire_on_commit=False)
            try:
                yield session
                if session.in_transaction():
                    await session.commit()  # writes what is not flushed; the connection commits
                await connection.commit()
            finally:
                if session.in_transaction():
                    await session.close()

    async def transact(self, body: Callable[[AsyncSession], Awaitable[T]], trace: Trace | None = None) -> T:
        """Run `body` in one transaction and commit it; run it again, up to three times, when it lost against another.

        The body must have no effect outside the database. Cancelling the caller does not stop a transaction that
        began: it ends by itself.

        Raises:
            ApiError: the database timed out or is not available.
        """
        return await asyncio.shield(self.start(body, trace))

    def start(self, body: Callable[[AsyncSession], Awaitable[T]], trace: Trace | None = None) -> asyncio.Task[T]:
        """Start what `transact` awaits; `dispose` waits until it has ended."""
        return self._background.start(self._attempt(body, trace))

    def start_if_free(self, body: Callable[[AsyncSession], Awaitable[Any]], name: str) -> None:
        """Start a transaction without waiting for it; it is skipped if it would have to wait for a connection.

        Its failure is logged under `name`.
        """
        self._background.start(self._run_if_free(body, name))

    async def _run_if_free(self, body: Callable[[AsyncSession], Awaitable[Any]], name: str) -> None:
        if self.gate.is_full:
            return
        place = await self.gate.enter()
        try:
            await self._attempt(body, None)
        except Exception as error:
            logger.warning("background transaction failed", name=name, exc_info=error)
        finally:
            place.leave()

    async def _attempt(self, body: Callable[[AsyncSession], Awaitable[T]], trace: Trace | None) -> T:
        give_up_at = time.monotonic() + self._patience_seconds
        for pause in (*RETRY_PAUSES_SECONDS, None):
            session, has_ended = None, False
            try:
                async with self.write(trace) as session:
                    outcome = await body(session)
                    has_ended = True
            except Exception as error:
                has_ended |= session is not None and may_have_committed(session)
                # A connection that is lost before COMMIT was sent has changed nothing; afterwards it is unknown.
                may_repeat = is_transient(error) or (is_disconnect(error) and not has_ended)
                if pause is None or not may_repeat or time.monotonic() > give_up_at:
                    if (failure := self._refusal(error)) is not None:
                        raise failure from error
                    raise
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - parts two rivals, no secret
            else:
                return outcome
        raise AssertionError  # the last attempt returned or raised

    def _refusal(self, error: Exception) -> ApiError | None:
        if (trouble := trouble_of(error)) is not None:
            self.incidents.record(trouble, error)
        return to_api_error(error)

    async def dispose(self) -> None:
        """Close all connections when what runs has ended; what takes too long is given up."""
        await self._background.end(self._patience_seconds)
        self.incidents.close()
        await self.parking.clear()
        for engine in (self.read_engine, self.write_engine):
            try:
                async with asyncio.timeout(DISPOSE_TIMEOUT_SECONDS):
                    await engine.dispose()
            except TimeoutError:
                logger.exception("database connections given up", seconds=DISPOSE_TIMEOUT_SECONDS)


def _read_options(engine: AsyncEngine, consistency: ReadConsistency) -> dict[str, Any]:
    if engine.dialect.name != "postgresql":
        return {}  # a deferred transaction of SQLite is a snapshot, and costs nothing
    if consistency == "statement":
        return {"isolation_level": "AUTOCOMMIT"}
    return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def create_database(settings: Settings, *, logs_incidents: bool = False, pool_size: int | None = None) -> Database:
    """Create the database from settings, with another size of its pool if one is given."""
    options = EngineOptions(
        pool_size=pool_size or settings.pool_size,
        pool_pre_ping=settings.pool_pre_ping,
        connect_timeout_seconds=settings.connect_timeout_seconds,
        statement_timeout_ms=settings.statement_timeout_ms,
        sqlite_synchronous=settings.synchronous,
    )
    return Database(
        settings.database_url,
        options,
        read_consistency=settings.read_consistency,
        queue_size=settings.pool_queue_size,
        queue_timeout_seconds=settings.pool_timeout_seconds,
        client_share=settings.client_share,
        max_body_length=settings.max_answer_bytes,
        logs_incidents=logs_incidents,
    )
