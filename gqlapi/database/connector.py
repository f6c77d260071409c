"""Connections to PostgreSQL itself, or through a pooler such as PgBouncer, which refuses our settings at the start.

In transaction mode a pooler gives each transaction another backend: what a session sets would be seen by strangers, and
a statement that it prepared may not be there. Our settings go with each BEGIN, and statements stay prepared only where
the pooler keeps track of them (PgBouncer 1.21 or newer with `max_prepared_statements`).
https://www.pgbouncer.org/config.html
"""

import asyncio
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Literal
from uuid import uuid4

import asyncpg
import sqlalchemy as sa
import structlog
from asyncpg.exceptions import PostgresError
from sqlalchemy.ext.asyncio import AsyncEngine

from gqlapi.database.libpq import driver_arguments

PoolerSetting = Literal["auto", "none", "session", "transaction"]
# From direct connections to a pooler that prepares statements, and to one that does not; one attempt is to spare.
MAX_ATTEMPTS = 4
REFUSED_PARAMETER = "unsupported startup parameter"
# In the information of a connection: whether each statement needs a transaction, which brings its settings.
NEEDS_TRANSACTION = "needs_transaction"

logger = structlog.get_logger()


class Way(Enum):
    """How a connection reaches PostgreSQL, and what its session may keep."""

    DIRECT = auto()
    # A pooler that gives each client a separate backend until it disconnects.
    SESSION = auto()
    # Each transaction has another backend, and the pooler prepares statements wherever they are used.
    TRANSACTION = auto()
    # Each transaction has another backend, which knows nothing of statements that others have prepared.
    UNPREPARED = auto()

    @property
    def is_by_transaction(self) -> bool:
        """Whether a session keeps nothing between two transactions."""
        return self in {Way.TRANSACTION, Way.UNPREPARED}


FIRST_WAYS: dict[PoolerSetting, Way] = {
    "auto": Way.DIRECT,
    "none": Way.DIRECT,
    "session": Way.SESSION,
    "transaction": Way.TRANSACTION,
}


class SettingConnection(asyncpg.Connection):  # type: ignore[misc] # asyncpg has no types
    """A connection that knows its way, and sends settings with each BEGIN, in the same message."""

    way = Way.DIRECT
    begin_settings = ""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109 - asyncpg's
        """Execute one or several statements, which have no parameters."""
        if query.startswith("BEGIN"):
            query += self.begin_settings
        status: str = await super().execute(query, *args, timeout=timeout)
        return status


class Connector:
    """Connects as the setting says; `auto` recognises a pooler at each connection, and remembers the way.

    A pooler in session mode looks like one in transaction mode, which is served well by less.
    """

    def __init__(self, pooler: PoolerSetting, settings: Mapping[str, str], *, is_silent: bool = True) -> None:
        """Connect with settings of the session, by PostgreSQL's names; log a pooler unless `is_silent`."""
        self.way = FIRST_WAYS[pooler]
        self._is_automatic = pooler == "auto"
        self._settings = settings
        self._is_silent = is_silent

    async def connect(self, **arguments: Any) -> asyncpg.Connection:
        """Connect; a caller that is cancelled leaves a connection behind that is closed when it is there.

        The arguments are those of asyncpg, and libpq's parameters of the URL. asyncpg itself leaves a future with an
        exception behind, of which asyncio complains.
        """
        connecting = asyncio.create_task(self._connect(arguments))
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(_discard)
            raise

    async def _connect(self, arguments: Mapping[str, Any]) -> asyncpg.Connection:
        for _ in range(MAX_ATTEMPTS):
            way = self.way
            try:
                connection = await self._open(way, arguments)
            except PostgresError as error:
                if not (self._is_automatic and way is Way.DIRECT and REFUSED_PARAMETER in str(error)):
                    raise
                self._learn(Way.TRANSACTION)
                continue
            try:
                found = await self._look(way, connection)
            except BaseException:
                connection.terminate()
                raise
            if found is way:
                return connection
            connection.terminate()
            self._learn(found)
        raise ConnectionError("each connection to the database leads another way")

    async def _open(self, way: Way, arguments: Mapping[str, Any]) -> asyncpg.Connection:
        driver = {"connection_class": SettingConnection, **driver_arguments(arguments)}
        of_url = driver.pop("server_settings", {})
        settings = {**self._settings, **of_url}
        # The one setting that poolers pass on.
        at_start = {name: value for name, value in settings.items() if name == "application_name" or name in of_url}
        if way is Way.DIRECT:
            return await asyncpg.connect(**driver, server_settings=settings)
        if way is Way.UNPREPARED:
            driver["statement_cache_size"] = 0
        connection = await asyncpg.connect(**driver, server_settings=at_start)
        others = {name: value for name, value in settings.items() if name not in at_start}
        if way.is_by_transaction:
            connection.begin_settings = "".join(f" SET LOCAL {name} = '{value}';" for name, value in others.items())
        elif others:
            await connection.execute("".join(f"SET {name} = '{value}';" for name, value in others.items()))
        connection.way = way
        return connection

    async def _look(self, way: Way, connection: asyncpg.Connection) -> Way:
        """Return the way that a connection really leads."""
        if self._is_automatic and not await is_pooled(connection):
            return Way.DIRECT
        if self._is_automatic and not way.is_by_transaction:
            return Way.TRANSACTION
        if way is Way.TRANSACTION and not await _keeps_statements(connection):
            return Way.UNPREPARED
        return way

    def _learn(self, way: Way) -> None:
        if self.way is Way.DIRECT and not self._is_silent:
            logger.info("pooler recognised", settings="with each transaction")
        self.way = way


def install_pooler_support(engine: AsyncEngine) -> None:
    """Adapt SQLAlchemy's part of each new connection of an engine to the way that it leads."""

    @sa.event.listens_for(engine.sync_engine, "connect")
    def _adapt(adapter: Any, record: sa.pool.ConnectionPoolEntry) -> None:
        way: Way = adapter.driver_connection.way
        record.info[NEEDS_TRANSACTION] = way.is_by_transaction
        if way is Way.UNPREPARED:
            # Without a name a statement is described anew each time, or a table may have changed in between.
            adapter._prepared_statement_cache = None  # noqa: SLF001 - the URL, which could set it, is not ours


async def is_pooled(connection: asyncpg.Connection) -> bool:
    """Whether another program passes the connection on: the number of the backend that it announces is made up."""
    # By the simple protocol, which is safe through any pooler; its answer is the number of rows.
    status = await connection.execute(f"SELECT 1 WHERE pg_backend_pid() = {int(connection.get_server_pid())}")
    return not str(status).endswith(" 1")


async def _keeps_statements(connection: asyncpg.Connection) -> bool:
    """Whether a pooler keeps track of prepared statements: then they have another name at the server."""
    name = f"gqlapi_{uuid4().hex}"
    async with connection.transaction():
        await connection.prepare("SELECT 1", name=name)
        status = await connection.execute(f"SELECT 1 FROM pg_prepared_statements WHERE name = '{name}'")  # noqa: S608 - made here
        is_renamed = str(status).endswith(" 0")
        if not is_renamed:
            await connection.execute(f"DEALLOCATE {name}")
    return is_renamed


def _discard(connecting: asyncio.Task[asyncpg.Connection]) -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().terminate()
