"""The database of a process: its engines, the transactions of writes, and the units that operations read from."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from typing import Any, Literal, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from gqlapi.database.at_once import may_have_committed
from gqlapi.database.background import Background
from gqlapi.database.driver import create_unpooled_engine
from gqlapi.database.engine import EngineOptions, create_engines, postgresql_arguments
from gqlapi.database.failures import Trouble, is_disconnect, is_transient, to_api_error, trouble_of
from gqlapi.database.gate import ClientKeys, Place, PoolGate
from gqlapi.database.incidents import Incidents
from gqlapi.database.parking import Parking
from gqlapi.database.read_unit import MAX_BODY_LENGTH, ReadUnit
from gqlapi.database.readiness import Probe
from gqlapi.database.replicas import Replica, Replicas, refuse_sqlite
from gqlapi.database.url import normalize_url
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
        """Prepare the engines; nothing connects before the first statement, and replicas are used while watched.

        Raises:
            ValueError: the database, or one of the replicas, is not PostgreSQL.
        """
        options = options or EngineOptions()
        self._url, self._options = url, options
        # Called when an operation has committed a transaction.
        self.on_commit: Callable[[], None] = _nothing
        read_engine, self.write_engine = create_engines(url, options, is_silent=not logs_incidents)
        self.read_engine = read_engine.execution_options(**_read_options(read_engine, read_consistency))
        # On SQLite every statement begins a transaction; a pool that pings looks at each connection it hands out.
        self.parking = Parking(self.read_engine, is_used=self.dialect_name != "sqlite" and not options.pool_pre_ping)
        self.replicas = self._create_replicas(url, options, read_consistency) if options.replica_urls else None
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

    @property
    def _patience_seconds(self) -> float:
        """How long a transaction may take before it is given up: two statements that are not answered."""
        return 2 * self._options.command_timeout_seconds

    def _create_replicas(self, url: str, options: EngineOptions, consistency: ReadConsistency) -> Replicas:
        refuse_sqlite([url, *options.replica_urls])
        replicas = []
        for replica_url in options.replica_urls:
            engine, _ = create_engines(replica_url, options)
            engine = engine.execution_options(**_read_options(engine, consistency))
            replicas.append(Replica(replica_url, Parking(engine, is_used=self.parking.is_used)))
        return Replicas(url, replicas, options)

    def watching_replicas(self) -> AbstractAsyncContextManager[None]:
        """Read from replicas in the block, as far as they are fit."""
        return nullcontext() if self.replicas is None else self.replicas.watching()

    @property
    def _running(self) -> set[asyncio.Task[Any]]:
        return self._background.tasks

    @property
    def dialect_name(self) -> str:
        """`postgresql` or `sqlite`."""
        return self.read_engine.dialect.name

    def create_unpooled_engine(self) -> AsyncEngine:
        """Create an engine of PostgreSQL for a connection that stays out of the pool; the caller disposes of it.

        It does not lead through the pooler, if there is a way past it.
        """
        options = self._options
        if options.direct_url:
            options = replace(options, pooler="auto")
        return create_unpooled_engine(normalize_url(options.direct_url or self._url), **postgresql_arguments(options))

    def read(self, *, place: Place | None = None, client: ClientKeys = ()) -> ReadUnit:
        """Create a unit that reads one snapshot; it connects at its first statement.

        A `place`, the limiter's slot that the caller holds, becomes the unit's own; else it takes one for `client`.
        """
        return ReadUnit(
            self.parking,
            self.gate,
            self._background,
            self.incidents,
            place=place,
            client=client,
            max_body_length=self._max_body_length,
        )

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Run one transaction: committed at the end of the block, rolled back when it raises.

        The session joins the transaction of its connection, on which kept statements run without it.
        """
        await self.parking.close_oldest()
        async with self.write_engine.connect() as connection:
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

    async def transact(self, body: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Run `body` in one transaction and commit it; run it again, up to three times, when it lost against another.

        The body must have no effect outside the database. Cancelling the caller does not stop a transaction that
        began: it ends by itself.

        Raises:
            ApiError: the database timed out or is not available.
        """
        return await asyncio.shield(self.start(body))

    def start(self, body: Callable[[AsyncSession], Awaitable[T]]) -> asyncio.Task[T]:
        """Start what `transact` awaits; `dispose` waits until it has ended."""
        return self._background.start(self._attempt(body))

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
            await self._attempt(body)
        except Exception as error:
            logger.warning("background transaction failed", name=name, exc_info=error)
        finally:
            place.leave()

    async def _attempt(self, body: Callable[[AsyncSession], Awaitable[T]]) -> T:
        give_up_at = time.monotonic() + self._patience_seconds
        for pause in (*RETRY_PAUSES_SECONDS, None):
            session, has_ended = None, False
            try:
                async with self.write() as session:
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
        parkings = [self.parking, *(replica.parking for replica in (self.replicas.all if self.replicas else ()))]
        for parking in parkings:
            await parking.clear()
        for engine in (*(parking.engine for parking in parkings), self.write_engine):
            try:
                async with asyncio.timeout(DISPOSE_TIMEOUT_SECONDS):
                    await engine.dispose()
            except TimeoutError:
                logger.exception("database connections given up", seconds=DISPOSE_TIMEOUT_SECONDS)


def _nothing() -> None:
    pass


def _read_options(engine: AsyncEngine, consistency: ReadConsistency) -> dict[str, Any]:
    if engine.dialect.name != "postgresql":
        return {}  # a deferred transaction of SQLite is a snapshot, and costs nothing
    level = "REPEATABLE READ" if consistency == "snapshot" else "READ COMMITTED"
    return {"isolation_level": level, "postgresql_readonly": True}


def create_database(settings: Settings, *, logs_incidents: bool = False, pool_size: int | None = None) -> Database:
    """Create the database from settings, with another size of its pool if one is given."""
    options = EngineOptions(
        pool_size=pool_size or settings.pool_size,
        pool_pre_ping=settings.pool_pre_ping,
        connect_timeout_seconds=settings.connect_timeout_seconds,
        statement_timeout_ms=settings.statement_timeout_ms,
        pooler=settings.database_pooler,
        direct_url=settings.database_direct_url,
        replica_urls=tuple(settings.replica_urls),
        replica_max_lag_seconds=settings.replica_max_lag_seconds,
        replica_wait_seconds=settings.replica_wait_ms / 1000,
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
