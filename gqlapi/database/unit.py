"""Units of work: the session that one operation reads from, and the transaction that one write runs in."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from gqlapi.database.engine import TIMEOUT_OPTION, EngineOptions, create_engines
from gqlapi.database.failures import is_disconnect, is_transient, to_api_error
from gqlapi.database.gate import Place, PoolGate
from gqlapi.database.tracing import TRACE_OPTION, Trace, install_tracing

# A pool whose connections are all busy makes the next one wait; who asks for health does not.
PING_TIMEOUT_SECONDS = 2.0

# Pauses before each new attempt at a transaction that lost against another one; half of each is left to chance.
RETRY_PAUSES_SECONDS = (0.01, 0.04, 0.16)

ReadConsistency = Literal["snapshot", "statement"]
T = TypeVar("T")


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
    ) -> None:
        """Prepare the engines; nothing connects before the first statement."""
        options = options or EngineOptions()
        read_engine, self.write_engine = create_engines(url, options)
        for engine in {read_engine, self.write_engine}:
            install_tracing(engine)
        self.read_engine = read_engine.execution_options(**_read_options(read_engine, read_consistency))
        self._running: set[asyncio.Task[Any]] = set()
        self.gate = PoolGate(options.pool_size, queue_size=queue_size, timeout_seconds=queue_timeout_seconds)

    @property
    def dialect_name(self) -> str:
        """`postgresql` or `sqlite`."""
        return self.read_engine.dialect.name

    def read(self, trace: Trace | None = None, *, place: Place | None = None) -> "ReadUnit":
        """Make a unit that reads one snapshot and tells `trace` of its statements; it connects at its first one.

        A `place` behind the gate that the caller already has becomes the unit's own.
        """
        return ReadUnit(self.read_engine, self.gate, trace, place=place)

    @asynccontextmanager
    async def write(self, trace: Trace | None = None) -> AsyncIterator[AsyncSession]:
        """Run one transaction: committed at the end of the block, rolled back when it raises."""
        options = {} if trace is None else {TRACE_OPTION: trace}
        session = AsyncSession(self.write_engine, expire_on_commit=False, execution_options=options)
        async with session, session.begin():
            yield session

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
        running = asyncio.create_task(self._attempt(body, trace))
        self._running.add(running)
        running.add_done_callback(self._forget)
        return running

    def _forget(self, ended: asyncio.Task[Any]) -> None:
        self._running.discard(ended)
        if not ended.cancelled():
            ended.exception()  # else asyncio complains of one that nobody waited for

    async def _attempt(self, body: Callable[[AsyncSession], Awaitable[T]], trace: Trace | None) -> T:
        for pause in (*RETRY_PAUSES_SECONDS, None):
            has_ended = False
            try:
                async with self.write(trace) as session:
                    outcome = await body(session)
                    has_ended = True
            except Exception as error:
                # A connection that is lost before COMMIT was sent has changed nothing; afterwards nobody knows.
                may_repeat = is_transient(error) or (is_disconnect(error) and not has_ended)
                if pause is None or not may_repeat:
                    if (failure := to_api_error(error)) is not None:
                        raise failure from error
                    raise
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - parts two rivals, no secret
            else:
                return outcome
        raise AssertionError  # the last attempt returned or raised

    async def ping(self) -> None:
        """Run one trivial statement outside the gate, so that a busy server is not taken for a broken one.

        Raises:
            Exception: whatever the driver says when the database cannot be reached.
        """
        async with asyncio.timeout(PING_TIMEOUT_SECONDS), self.read_engine.connect() as connection:
            await connection.execute(sa.select(1))

    async def dispose(self) -> None:
        """Close all connections, when the transactions that run have ended."""
        while self._running:
            await asyncio.gather(*self._running, return_exceptions=True)
        await self.read_engine.dispose()
        await self.write_engine.dispose()


def _read_options(engine: AsyncEngine, consistency: ReadConsistency) -> dict[str, Any]:
    if engine.dialect.name != "postgresql":
        return {}  # a deferred transaction of SQLite is a snapshot, and costs nothing
    if consistency == "statement":
        return {"isolation_level": "AUTOCOMMIT"}
    return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


class ReadUnit:
    """One session on one connection, reading one snapshot, for one query operation.

    Siblings of an operation ask at the same time, and a session runs one statement at a time: statements wait for
    each other under a lock. The first failure poisons the unit, so that an answer never mixes two states.
    """

    def __init__(
        self, engine: AsyncEngine, gate: PoolGate, trace: Trace | None = None, *, place: Place | None = None
    ) -> None:
        """Prepare the unit; it connects at its first statement."""
        self._place = place
        self._options = {} if trace is None else {TRACE_OPTION: trace}
        self._engine = engine
        self._gate = gate
        self._lock = asyncio.Lock()
        self._session: AsyncSession | None = None
        self._statement: asyncio.Task[Any] | None = None
        self._failure: Exception | None = None
        self._closed = False

    async def rows(
        self, statement: sa.Select[Any], parameters: dict[str, Any] | None = None, *, timeout_ms: int | None = None
    ) -> Sequence[sa.Row[Any]]:
        """Run one statement, with a timeout of its own if given, and return all its rows.

        Raises:
            ApiError: the database timed out or is not available.
        """
        if timeout_ms is not None:
            statement = statement.execution_options(**{TIMEOUT_OPTION: timeout_ms})
        rows: Sequence[sa.Row[Any]] = (await self._run(statement, parameters, entities=False)).all()
        return rows

    async def entities(self, statement: sa.Select[Any], parameters: dict[str, Any] | None = None) -> Sequence[Any]:
        """Run one statement through the ORM and return its entities, with what `selectinload` adds.

        Raises:
            ApiError: the database timed out or is not available.
        """
        entities: Sequence[Any] = (await self._run(statement, parameters, entities=True)).scalars().all()
        return entities

    async def close(self) -> None:
        """End the transaction and give the connection back; a statement that still runs is cancelled."""
        self._closed = True
        # Loaders run in tasks of their own, which outlive an operation that failed or timed out.
        if self._statement is not None:
            self._statement.cancel()
        async with self._lock:
            try:
                await self._disconnect()
            finally:
                if self._place is not None:
                    self._place.leave()

    async def _run(self, statement: sa.Select[Any], parameters: dict[str, Any] | None, *, entities: bool) -> Any:
        async with self._lock:
            if self._closed:
                raise asyncio.CancelledError
            if self._failure is not None:
                raise self._failure
            self._statement = asyncio.current_task()
            try:
                return await self._execute(statement, parameters, entities=entities)
            except Exception as error:
                self._failure = to_api_error(error) or error
                if self._failure is error:
                    raise
                raise self._failure from error
            finally:
                self._statement = None

    async def _execute(self, statement: sa.Select[Any], parameters: dict[str, Any] | None, *, entities: bool) -> Any:
        is_first = self._session is None
        try:
            return await self._attempt(statement, parameters, entities=entities)
        except Exception as error:
            # BEGIN is the ping: a stale connection fails here, when nothing has been read, and one retry is safe.
            if not is_first or not is_disconnect(error):
                raise
            await self._disconnect()
            return await self._attempt(statement, parameters, entities=entities)

    async def _attempt(self, statement: sa.Select[Any], parameters: dict[str, Any] | None, *, entities: bool) -> Any:
        if self._session is None:
            if self._place is None:
                self._place = await self._gate.enter()
            self._session = AsyncSession(
                self._engine, expire_on_commit=False, autoflush=False, execution_options=self._options
            )
        if entities:
            return await self._session.execute(statement, parameters)
        # A Core execution on the session's own connection: a third cheaper for plain rows.
        connection = await self._session.connection()
        timeout_ms = statement.get_execution_options().get(TIMEOUT_OPTION)
        if timeout_ms is None or connection.dialect.name != "postgresql":
            return await connection.execute(statement, parameters)
        async with self._statement_timeout(connection, timeout_ms):
            return await connection.execute(statement, parameters)

    @asynccontextmanager
    async def _statement_timeout(self, connection: AsyncConnection, timeout_ms: int) -> AsyncIterator[None]:
        """Give statements of PostgreSQL a timeout of their own."""
        # Without a transaction, LOCAL would end with the SET itself.
        is_autocommit = self._engine.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
        scope = "SESSION" if is_autocommit else "LOCAL"
        await connection.exec_driver_sql(f"SET {scope} statement_timeout = {int(timeout_ms)}")
        try:
            yield
        except DBAPIError:
            if is_autocommit and not connection.invalidated:  # else the rollback resets it
                await connection.exec_driver_sql(f"SET {scope} statement_timeout TO DEFAULT")
            raise
        await connection.exec_driver_sql(f"SET {scope} statement_timeout TO DEFAULT")

    async def _disconnect(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()
