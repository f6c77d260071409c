"""The plan of a statement that was slow, for the log."""

import re
from typing import Any

from gqlapi.database.tracing import CURRENT_TRACE, plan_of
from gqlapi.database.unit import Database

# PostgreSQL shows the parameters in the conditions of a plan, and doubles the quotes in them.
LITERAL = re.compile(r"'(?:[^']|'')*'")
MAX_LINES = 100


async def plan_if_free(database: Database, sql: str, parameters: Any) -> list[str]:
    """Return the plan without values of parameters, or nothing if it would have to wait for a connection.

    The statement does not run. The plan is that of now, and that of another connection.

    Raises:
        DBAPIError: the statement cannot be explained.
    """
    if database.gate.is_full:
        return []
    CURRENT_TRACE.set(None)
    place = await database.gate.enter()
    try:
        async with database.read_engine.connect() as connection:
            lines = await connection.run_sync(plan_of, sql, _plain(parameters))
    finally:
        place.leave()
    return [LITERAL.sub("'…'", line) for line in lines[:MAX_LINES]]


def _plain(parameters: Any) -> Any:
    """Return parameters as `exec_driver_sql` takes them: a list would be taken for several sets."""
    return tuple(parameters) if isinstance(parameters, list) else parameters
