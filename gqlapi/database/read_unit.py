"""The unit that one query operation reads from: one session, one connection, one snapshot."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from gqlapi.database.background import Background
from gqlapi.database.engine import TIMEOUT_OPTION
from gqlapi.database.failures import Trouble, is_disconnect, is_stale_plan, to_api_error, trouble_of
from gqlapi.database.gate import ClientKeys, Place, PoolGate
from gqlapi.database.incidents import Incidents
from gqlapi.database.tracing import TRACE_OPTION, Trace
from gqlapi.errors import ApiError, answer_too_large

# A ROLLBACK that is not answered, and the end of a connection that does not end politely, both take less.
CLOSE_TIMEOUT_SECONDS = 6.0
# A body and what is made of it are up to 1.3 million characters: so many rows are in memory before they are counted.
ROWS_WITH_BODIES = 10
MAX_BODY_LENGTH = 10 * 1_048_576


class UnitClosed(Exception):
    """A statement came after the end of its operation, or was ended with it; there is no one to answer."""


class ReadUnit:
    """One session on one connection, reading one snapshot, for one query operation.

    Siblings of an operation ask at the same time, and a session runs one statement at a time: statements wait for
    each other under a lock. The first failure poisons the unit, so that an answer never mixes two states.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        gate: PoolGate,
        background: Background,
        incidents: Incidents,
        trace: Trace | None = None,
        *,
        place: Place | None = None,
        client: ClientKeys = (),
        max_body_length: int = MAX_BODY_LENGTH,
    ) -> None:
        """Prepare the unit; it connects at its first statement, and is closed in the background."""
        self._place = place
        self._client = client
        self._options = {} if trace is None else {TRACE_OPTION: trace}
        self._engine = engine
        self._gate = gate
        self._background = background
        self._incidents = incidents
        self._lock = asyncio.Lock()
        self._session: AsyncSession | None = None
        self._statement: asyncio.Task[Any] | None = None
        self._interrupted: asyncio.Task[Any] | None = None
        self._failure: Exception | None = None
        self._closing: asyncio.Task[None] | None = None
        self._closed = False
        self._max_body_length = max_body_length
        self._body_length = 0

    async def rows(
        self,
        statement: sa.Select[Any],
        parameters: dict[str, Any] | None = None,
        *,
        timeout_ms: int | None = None,
        has_bodies: bool = False,
    ) -> Sequence[sa.Row[Any]]:
        """Run one statement, with a timeout of its own if given, and return all its rows.

        `has_bodies`: the rows hold bodies of posts, and are read a few at a time until they exceed the unit's budget.

        Raises:
            LimitExceeded: the bodies that the unit has read are longer than allowed.
            ApiError: the database timed out or is not available.
        """
        if timeout_ms is not None:
            statement = statement.execution_options(**{TIMEOUT_OPTION: timeout_ms})
        if has_bodies and not self._is_autocommit:  # PostgreSQL has cursors in transactions only
            statement = statement.execution_options(yield_per=ROWS_WITH_BODIES)
        rows: Sequence[sa.Row[Any]] = await self._run(statement, parameters, entities=False)
        if has_bodies and self._is_autocommit:
            self.count_body(_length_of(rows))
        return rows

    def count_body(self, length: int) -> None:
        """Count the characters of bodies that were read.

        Raises:
            LimitExceeded: they are more than allowed.
        """
        self._body_length += length
        if self._body_length > self._max_body_length:
            raise answer_too_large(self._max_body_length)

    async def entities(self, statement: sa.Select[Any], parameters: dict[str, Any] | None = None) -> Sequence[Any]:
        """Run one statement through the ORM and return its entities, with what `selectinload` adds.

        Raises:
            ApiError: the database timed out or is not available.
        """
        entities: Sequence[Any] = (await self._run(statement, parameters, entities=True)).scalars().all()
        return entities

    async def close(self) -> None:
        """End the transaction and give the connection and the place back; a statement that still runs is cancelled.

        Both come back within a bound although the caller is cancelled while it waits.
        """
        self._closed = True
        if self._closing is None:
            if self._session is None and not self._lock.locked():
                self._leave()
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

    async def _close(self) -> None:
        # Loaders run in tasks of their own, which outlive an operation that failed or timed out.
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
        if self._place is not None:
            self._place.leave()

    async def _run(self, statement: sa.Select[Any], parameters: dict[str, Any] | None, *, entities: bool) -> Any:
        async with self._lock:
            if self._closed:
                raise UnitClosed
            if self._failure is not None:
                raise self._failure
            self._statement = asyncio.current_task()
            try:
                return await self._execute(statement, parameters, entities=entities)
            except asyncio.CancelledError:
                # What was read before is lost with the connection.
                self._failure = UnitClosed()
                if self._interrupted is not None and not self._interrupted.uncancel():
                    raise self._failure from None  # cancelled by `close`, and by nobody else
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

    async def _execute(self, statement: sa.Select[Any], parameters: dict[str, Any] | None, *, entities: bool) -> Any:
        is_first = self._session is None
        try:
            return await self._attempt(statement, parameters, entities=entities)
        except Exception as error:
            # BEGIN is the ping: a stale connection fails here, when nothing has been read, and one retry is safe.
            if not is_first or not (is_disconnect(error) or is_stale_plan(error)):
                raise
            await self._disconnect()
            return await self._attempt(statement, parameters, entities=entities)

    async def _attempt(self, statement: sa.Select[Any], parameters: dict[str, Any] | None, *, entities: bool) -> Any:
        if self._session is None:
            if self._place is None:
                self._place = await self._gate.enter(self._client)
            self._session = AsyncSession(
                self._engine, expire_on_commit=False, autoflush=False, execution_options=self._options
            )
        if entities:
            return await self._session.execute(statement, parameters)
        # A Core execution on the session's own connection: a third cheaper for plain rows.
        connection = await self._session.connection()
        options = statement.get_execution_options()
        if "yield_per" in options:
            return await self._read_bodies(connection, statement, parameters)
        timeout_ms = options.get(TIMEOUT_OPTION)
        if timeout_ms is None or connection.dialect.name != "postgresql":
            return (await connection.execute(statement, parameters)).all()
        async with self._statement_timeout(connection, timeout_ms):
            return (await connection.execute(statement, parameters)).all()

    async def _read_bodies(
        self, connection: AsyncConnection, statement: sa.Select[Any], parameters: dict[str, Any] | None
    ) -> Sequence[sa.Row[Any]]:
        """Read rows through a cursor, so that no more of them are in memory than the budget allows."""
        rows: list[sa.Row[Any]] = []
        async with connection.stream(statement, parameters) as result:
            async for some in result.partitions():
                self.count_body(_length_of(some))
                rows += some
        return rows

    @property
    def _is_autocommit(self) -> bool:
        return self._engine.get_execution_options().get("isolation_level") == "AUTOCOMMIT"

    @asynccontextmanager
    async def _statement_timeout(self, connection: AsyncConnection, timeout_ms: int) -> AsyncIterator[None]:
        """Give statements of PostgreSQL a timeout of their own."""
        # Without a transaction, LOCAL would end with the SET itself.
        is_autocommit = self._is_autocommit
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
        if self._session is None:
            return
        session, self._session = self._session, None
        try:
            await session.close()
        except (DBAPIError, OSError) as error:
            # What has been read has been read; the pool replaces the connection.
            if not is_disconnect(error):
                raise
            self._incidents.record(Trouble.UNREACHABLE, error)


def _length_of(rows: Sequence[sa.Row[Any]]) -> int:
    return sum(len(value) for row in rows for value in row if isinstance(value, str))
