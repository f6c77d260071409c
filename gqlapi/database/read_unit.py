"""The unit that one query operation reads from: one session, one connection, one snapshot."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from asyncpg.exceptions import PostgresError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gqlapi.database.background import Background
from gqlapi.database.engine import TIMEOUT_OPTION, USUAL_TIMEOUT_OPTION
from gqlapi.database.failures import Trouble, is_disconnect, is_stale_plan, to_api_error, trouble_of
from gqlapi.database.gate import ClientKeys, Place, PoolGate
from gqlapi.database.incidents import Incidents
from gqlapi.database.kept import KeptStatement, Rows, Values, end_transaction
from gqlapi.database.parking import Parking, may_run_alone
from gqlapi.database.replicas import Replica
from gqlapi.errors import ApiError, answer_too_large

# A ROLLBACK that is not answered, and the end of a connection that does not end politely, both take less.
CLOSE_TIMEOUT_SECONDS = 6.0
MAX_BODY_LENGTH = 10 * 1_048_576

T = TypeVar("T")


class UnitClosed(Exception):
    """A statement came after the end of its operation, or was ended with it; there is no one to answer."""


class ReadUnit:
    """One connection, and a session on it where entities are read, with one snapshot, for one query operation.

    Siblings of an operation ask at the same time, and a connection runs one statement at a time: statements wait for
    each other under a lock. The first failure poisons the unit, so that an answer never mixes two states.
    """

    # Set before the first statement by a caller that knows that there is only one: kept statements then pay no BEGIN
    # and no ROLLBACK on PostgreSQL. If a second one comes nevertheless, it and all later ones share a snapshot, which
    # is later than that of the first.
    expects_one_statement = False

    def __init__(
        self,
        parking: Parking,
        gate: PoolGate,
        background: Background,
        incidents: Incidents,
        *,
        place: Place | None = None,
        client: ClientKeys = (),
        max_body_length: int = MAX_BODY_LENGTH,
    ) -> None:
        """Prepare the unit; it connects at its first statement."""
        self._place = place
        self._client = client
        self._replica: Replica | None = None
        self._primary = self._parking = parking
        self._gate = gate
        self._background = background
        self._incidents = incidents
        self._lock = asyncio.Lock()
        self._connection: AsyncConnection | None = None
        self._session: AsyncSession | None = None
        # Whether the connection has a transaction to end.
        self._has_begun = False
        self._is_first = True
        self._statement: asyncio.Task[Any] | None = None
        self._interrupted: asyncio.Task[Any] | None = None
        self._failure: Exception | None = None
        self._closing: asyncio.Task[None] | None = None
        self._closed = False
        # Whether it was closed, and connection and place were given back.
        self.is_released = False
        self._body_budget = self._max_body_length = max_body_length

    def read_from(self, replica: Replica) -> None:
        """Read from a replica; before the first statement."""
        self._replica, self._parking = replica, replica.parking

    @property
    def dialect_name(self) -> str:
        """`postgresql` or `sqlite`."""
        return self._primary.engine.dialect.name

    @property
    def body_budget(self) -> int:
        """How many characters of bodies of posts may still be read."""
        return self._body_budget

    async def fetch(self, statement: KeptStatement, values: Values, *, timeout_ms: int | None = None) -> Rows:
        """Execute a kept statement, with its own timeout if given, and return its rows as the driver has them.

        Its `processors` are not applied.

        Raises:
            ApiError: the database timed out or is not available.
        """

        async def execute(connection: AsyncConnection) -> Rows:
            if timeout_ms is None:
                self._has_begun |= self._begins(connection)
                return await statement.fetch(connection, values, in_transaction=self._has_begun)
            self._has_begun = True
            if connection.dialect.name != "postgresql":
                return await statement.fetch(connection, values, options={TIMEOUT_OPTION: timeout_ms})
            async with self._statement_timeout(connection, timeout_ms):
                return await statement.fetch(connection, values)

        return await self._run(execute)

    async def rows(self, statement: sa.Select[Any], parameters: dict[str, Any] | None = None) -> Sequence[sa.Row[Any]]:
        """Run one statement that is built for the occasion, and return all its rows.

        Raises:
            ApiError: the database timed out or is not available.
        """

        async def execute(connection: AsyncConnection) -> Any:
            self._has_begun = True
            return (await connection.execute(statement, parameters)).all()

        rows: Sequence[sa.Row[Any]] = await self._run(execute)
        return rows

    async def entities(self, statement: sa.Select[Any], parameters: dict[str, Any] | None = None) -> Sequence[Any]:
        """Run one statement through the ORM and return its entities, with what `selectinload` adds.

        Raises:
            ApiError: the database timed out or is not available.
        """

        async def execute(connection: AsyncConnection) -> Sequence[Any]:
            self._has_begun = True
            if self._session is None:
                self._session = AsyncSession(connection, expire_on_commit=False, autoflush=False)
            entities: Sequence[Any] = (await self._session.execute(statement, parameters)).scalars().all()
            return entities

        return await self._run(execute)

    def count_body(self, length: int) -> None:
        """Count the characters of bodies that were read.

        Raises:
            LimitExceeded: they are more than allowed.
        """
        self._body_budget -= length
        if self._body_budget < 0:
            raise answer_too_large(self._max_body_length)

    def count_bodies(self, texts: Sequence[str | None]) -> None:
        """Count bodies that were read; one that is missing did not fit the budget.

        Raises:
            LimitExceeded: they are more than allowed.
        """
        self.count_body(self._body_budget + 1 if None in texts else sum(map(len, texts)))  # type: ignore[arg-type] # none is None

    async def close(self) -> None:
        """End the transaction; release the connection and the slot; a statement that still runs is cancelled.

        Both come back within a bound although the caller is cancelled while it waits.
        """
        self._closed = True
        if self._closing is None:
            if not self._lock.locked() and (self._connection is None or self._has_nothing_to_end):
                await self._give_back()
                return
            self._closing = self._background.start(self._close())
        await asyncio.shield(self._closing)

    async def hand_over(self) -> Place | None:
        """Close the unit, and return its place, if it has one: its connection is free for another transaction."""
        place, self._place = self._place, None
        try:
            await self.close()
        except BaseException:
            if place is not None and self._closing is not None:  # the connection comes back later, and the place then
                self._closing.add_done_callback(lambda _: place.leave())
            elif place is not None:
                place.leave()
            raise
        return place

    @property
    def _has_nothing_to_end(self) -> bool:
        """Whether the connection comes back without waiting for the database, so that nothing can interrupt it."""
        return not self._has_begun and self._failure is None

    async def _give_back(self) -> None:
        try:
            await self._disconnect()
        finally:
            self._leave()

    async def _close(self) -> None:
        # Loaders run in their own tasks, which outlive an operation that failed or timed out.
        self._interrupted = self._statement
        if self._interrupted is not None:
            self._interrupted.cancel()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS), self._lock:
                await self._disconnect()
        except TimeoutError as error:
            self._incidents.record(Trouble.UNREACHABLE, error)
        finally:
            self._leave()

    def _leave(self) -> None:
        self.is_released = True
        if self._place is not None:
            self._place.leave()

    async def _run(self, execute: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async with self._lock:
            if self._closed:
                raise UnitClosed
            if self._failure is not None:
                raise self._failure
            self._statement = asyncio.current_task()
            try:
                return await self._execute(execute)
            except asyncio.CancelledError:
                # What was read before is lost with the connection.
                self._failure = UnitClosed()
                if self._interrupted is not None and not self._interrupted.uncancel():
                    raise self._failure from None  # cancelled by `close` only
                raise
            except Exception as error:
                self._failure = self._refusal(error) or error
                if self._failure is error:
                    raise
                raise self._failure from error
            finally:
                self._statement = None

    def _refusal(self, error: Exception) -> ApiError | None:
        if (trouble := trouble_of(error)) is not None:
            self._incidents.record(trouble, error)
        return to_api_error(error)

    async def _execute(self, execute: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        if self._connection is not None:
            return await execute(self._connection)
        try:
            return await execute(await self._connect())
        except Exception as error:
            # A stale connection fails at its first statement, when nothing has been read, and one retry is safe.
            if not (is_disconnect(error) or is_stale_plan(error) or self._is_of_replica(error)):
                raise
            await self._disconnect()
            if self._replica is not None:
                self._replica.suspect()
                self._parking = self._primary
            return await execute(await self._connect())

    def _is_of_replica(self, error: Exception) -> bool:
        """Whether the primary may do what a replica did not: replay conflicts with reads, and brings tables later."""
        if self._replica is None or not isinstance(error, DBAPIError | PostgresError):
            return False
        return trouble_of(error) is not Trouble.STATEMENT_TIMEOUT

    async def _connect(self) -> AsyncConnection:
        if self._place is None:
            self._place = await self._gate.enter(self._client)
        self._connection = await self._parking.connect()
        return self._connection

    def _begins(self, connection: AsyncConnection) -> bool:
        if self.expects_one_statement and self._is_first:
            # BEGIN is the ping of a connection that may have been lost while it was idle: it waits for a shorter time.
            self._is_first = False
            return not may_run_alone(connection)
        return True

    @asynccontextmanager
    async def _statement_timeout(self, connection: AsyncConnection, timeout_ms: int) -> AsyncIterator[None]:
        """Give statements of a transaction of PostgreSQL their own timeout; a failure ends the transaction."""
        usual_ms = connection.sync_engine.get_execution_options()[USUAL_TIMEOUT_OPTION]
        await connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(timeout_ms)}")
        yield
        await connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(usual_ms)}")

    async def _disconnect(self) -> None:
        if self._connection is None:
            return
        connection, self._connection = self._connection, None
        session, self._session = self._session, None
        self._has_begun = False
        if session is None and await self._has_parked(connection):
            return
        try:
            if session is not None:
                await session.close()
            await connection.close()
        except (DBAPIError, OSError) as error:
            # What has been read has been read; the pool replaces the connection.
            if not is_disconnect(error):
                raise
            self._incidents.record(Trouble.UNREACHABLE, error)

    async def _has_parked(self, connection: AsyncConnection) -> bool:
        """Park the connection for the next operation; return False for one that SQLAlchemy must look after."""
        if not self._parking.is_used or self._failure is not None:
            return False
        try:
            return await end_transaction(connection) and self._parking.park(connection)
        except Exception as error:  # noqa: BLE001 - the rows that were read stay valid
            self._incidents.record(Trouble.UNREACHABLE, error)
            return True
