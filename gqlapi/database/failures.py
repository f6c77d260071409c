"""Turns failures of the database into errors that a client may see.

Mapped by SQLSTATE, never by exception class: SQLAlchemy reports most of asyncpg's errors as a bare DBAPIError.
https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

import re

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError

from gqlapi.errors import ApiError, OperationTimeout, Unavailable

QUERY_CANCELED = "57014"
# connection failures, resources exhausted (too many connections, disk full), shutdowns, a lock held too long
UNAVAILABLE_PREFIXES = ("08", "53", "57P", "55P03")
# Serialization failures and deadlocks.
CONTENDED = ("40001", "40P01")
# A row that was deleted between being found and being referred to: the same transaction says so when it is run again.
REFERENCE_LOST = "23503"
SQLITE_CONSTRAINT = re.compile(r"(?P<kind>UNIQUE|CHECK) constraint failed: (?P<columns>.+)")
SQLITE_UNAVAILABLE = ("database is locked", "database or disk is full", "disk I/O error", "unable to open database")


def sqlstate_of(error: DBAPIError) -> str:
    """Return the SQLSTATE of a PostgreSQL error, else an empty string."""
    return str(getattr(error.orig, "sqlstate", None) or "")


def is_disconnect(error: BaseException) -> bool:
    """Tell whether the connection, not the statement, failed."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or sqlstate_of(error).startswith(("08", "57P"))
    return isinstance(error, OSError)


def is_transient(error: Exception) -> bool:
    """Tell whether the transaction is worth another attempt: it lost against another one."""
    return _is_contended(error) or (isinstance(error, DBAPIError) and sqlstate_of(error) == REFERENCE_LOST)


def _is_contended(error: Exception) -> bool:
    return isinstance(error, StaleDataError) or (isinstance(error, DBAPIError) and sqlstate_of(error) in CONTENDED)


def constraint_of(error: IntegrityError) -> str:
    """Return the name of the constraint that a statement violated, by our own naming convention.

    SQLite tells the columns of a unique constraint instead of its name, and nothing of a foreign key.
    """
    if name := getattr(error.orig, "constraint_name", None) or getattr(
        getattr(error.orig, "__cause__", None), "constraint_name", None
    ):
        return str(name)
    found = SQLITE_CONSTRAINT.fullmatch(str(error.orig))
    if found is None:
        return ""
    if found["kind"] == "CHECK":
        return found["columns"]
    columns = [column.partition(".") for column in found["columns"].split(", ")]
    return "_".join(["uq", columns[0][0], *(name for _, _, name in columns)])


def to_api_error(error: Exception) -> ApiError | None:
    """Return what a client is told of a database failure, or None where it must be masked as internal."""
    if _is_contended(error):
        return Unavailable("Others are changing the same at this moment. Try again.")
    if isinstance(error, DBAPIError):
        sqlstate, text = sqlstate_of(error), str(error.orig)
        if sqlstate == QUERY_CANCELED or text == "interrupted":
            return OperationTimeout("A statement took longer than the server allows.")
        if is_disconnect(error) or sqlstate.startswith(UNAVAILABLE_PREFIXES) or text.startswith(SQLITE_UNAVAILABLE):
            return Unavailable("The database is not available. Try again.")
    elif isinstance(error, OSError | PoolTimeout):  # asyncpg connects: refused, unreachable, timed out
        return Unavailable("The database is not available. Try again.")
    return None
