"""Statements that are their own transactions."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gqlapi.database.kept import KeptStatement, Rows, Values, connection_of
from gqlapi.database.parking import may_run_alone

# In the information of a session: whether a statement that commits itself has been sent, and not been answered.
UNANSWERED = "unanswered"


async def commit_at_once(session: AsyncSession, statement: KeptStatement, values: Values) -> Rows | None:
    """Execute a statement without BEGIN and COMMIT, if it is the first of its session, and return its rows.

    None, and nothing is sent, on SQLite, through a pooler that changes the backend, and on a connection that may have
    been lost while it was idle: BEGIN shows without harm. A statement whose answer is lost may have been committed.

    Raises:
        DBAPIError: as SQLAlchemy raises it.
    """
    connection = await connection_of(session)
    if not _is_ready(connection):
        return None
    session.info[UNANSWERED] = True
    rows = await statement.fetch(connection, values, in_transaction=False)
    session.info[UNANSWERED] = False
    return statement.processed(rows)


def may_have_committed(session: AsyncSession) -> bool:
    """Whether the outcome is unknown of a statement that commits itself."""
    unanswered: bool = session.info.get(UNANSWERED, False)
    return unanswered


def _is_ready(connection: AsyncConnection) -> bool:
    if connection.dialect.name != "postgresql" or not may_run_alone(connection):
        return False
    core: Any = connection.sync_connection
    adapter = core.connection.dbapi_connection
    has_begun = adapter._transaction is not None  # noqa: SLF001 - as SQLAlchemy's own cursor does
    return not has_begun and not adapter.driver_connection.is_closed()
