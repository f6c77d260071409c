"""Turns failures of the database into errors that a client may see.

Mapped by SQLSTATE, never by exception class: SQLAlchemy reports most of asyncpg's errors as a bare DBAPIError.
https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

import re
from enum import StrEnum

from asyncpg.exceptions import InvalidCachedStatementError
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError

from gqlapi.database.slugs import CONSTRAINTS
from gqlapi.errors import ApiError, OperationTimeout, Unavailable

# Serialization failures and deadlocks.
CONTENDED = ("40001", "40P01")
# A row that was deleted between being found and being referred to: the same transaction says so when it is run again.
REFERENCE_LOST = "23503"
SQLITE_CONSTRAINT = re.compile(r"(?P<kind>UNIQUE|CHECK) constraint failed: (?P<columns>.+)")


class Trouble(StrEnum):
    """The kinds of failures for which an operation is refused, as the log names them."""

    BUSY = "busy"
    CONTENDED = "contended"
    UNREACHABLE = "unreachable"
    RESOURCES = "out of resources"
    DISK = "disk full or failing"
    LOCK_TIMEOUT = "lock timeout"
    STATEMENT_TIMEOUT = "statement timeout"
    OPERATION_TIMEOUT = "operation timeout"
    READ_ONLY = "read-only"
    PERMISSION = "permission denied"
    SCHEMA = "schema does not fit"


# The first prefix that fits decides.
SQLSTATES = {
    "57014": Trouble.STATEMENT_TIMEOUT,
    "55P03": Trouble.LOCK_TIMEOUT,
    "25006": Trouble.READ_ONLY,
    "42501": Trouble.PERMISSION,
    "42P01": Trouble.SCHEMA,
    "42703": Trouble.SCHEMA,
    "53100": Trouble.DISK,
    "58030": Trouble.DISK,
    "53300": Trouble.UNREACHABLE,  # too many connections
    "53": Trouble.RESOURCES,
    "08": Trouble.UNREACHABLE,
    "57P": Trouble.UNREACHABLE,  # shutdowns
    "25P03": Trouble.UNREACHABLE,  # idle in a transaction for too long
    "28": Trouble.UNREACHABLE,  # wrong user or password
    "3D000": Trouble.UNREACHABLE,  # no such database
}
SQLITE_MESSAGES = {
    "interrupted": Trouble.STATEMENT_TIMEOUT,
    "database is locked": Trouble.LOCK_TIMEOUT,
    "database or disk is full": Trouble.DISK,
    "disk I/O error": Trouble.DISK,
    "unable to open database": Trouble.UNREACHABLE,
    "attempt to write a readonly database": Trouble.READ_ONLY,
    "no such table": Trouble.SCHEMA,
    "no such column": Trouble.SCHEMA,
    "has no column named": Trouble.SCHEMA,
}
NOT_AVAILABLE = "The database is not available. Try again."
MESSAGES = {
    Trouble.BUSY: "The server is busy. Try again.",
    Trouble.CONTENDED: "Others are changing the same at this moment. Try again.",
    Trouble.READ_ONLY: "The database is read-only at the moment. Try again later.",
    Trouble.PERMISSION: "The database denies access to the server. Try again later.",
    Trouble.SCHEMA: "The database is not at the version that the server needs. Try again later.",
}


def sqlstate_of(error: DBAPIError) -> str:
    """Return the SQLSTATE of a PostgreSQL error, else an empty string."""
    return str(getattr(error.orig, "sqlstate", None) or "")


def is_disconnect(error: BaseException) -> bool:
    """Whether the connection, not the statement, failed."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or sqlstate_of(error).startswith(("08", "57P", "25P03"))
    return isinstance(error, OSError)


def is_stale_plan(error: BaseException) -> bool:
    """Whether a prepared statement failed only because a table has been altered since.

    All connections are replaced, with what they have prepared, when this is reported.
    """
    return isinstance(error, DBAPIError) and isinstance(_cause_of(error), InvalidCachedStatementError)


def is_transient(error: Exception) -> bool:
    """Whether the transaction is worth another attempt: it lost against another one."""
    if _is_contended(error) or is_stale_plan(error):
        return True
    return isinstance(error, DBAPIError) and sqlstate_of(error) == REFERENCE_LOST


def _is_contended(error: Exception) -> bool:
    if isinstance(error, IntegrityError):
        return constraint_of(error) in CONSTRAINTS
    return isinstance(error, StaleDataError) or (isinstance(error, DBAPIError) and sqlstate_of(error) in CONTENDED)


def constraint_of(error: IntegrityError) -> str:
    """Return the name of the constraint that a statement violated, by our own naming convention.

    SQLite reports the columns of a unique constraint instead of its name, and nothing about a foreign key.
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


def trouble_of(error: Exception) -> Trouble | None:
    """Return the kind of a failure for which an operation is refused; None for every other exception."""
    if _is_contended(error) or is_stale_plan(error):
        return Trouble.CONTENDED
    if isinstance(error, DBAPIError):
        sqlstate, text = sqlstate_of(error), str(error.orig)
        if sqlstate:
            found = [kind for prefix, kind in SQLSTATES.items() if sqlstate.startswith(prefix)]
        else:
            found = [kind for phrase, kind in SQLITE_MESSAGES.items() if phrase in text]
        return next(iter(found), Trouble.UNREACHABLE if is_disconnect(error) else None)
    if isinstance(error, PoolTimeout):
        return Trouble.BUSY
    # asyncpg connects (refused, unreachable), or the server did not answer in time.
    return Trouble.UNREACHABLE if isinstance(error, OSError) else None


def to_api_error(error: Exception) -> ApiError | None:
    """Return the error that a client sees for a failure, or None if it must be masked as internal."""
    trouble = trouble_of(error)
    if trouble is None:
        return None
    if trouble is Trouble.STATEMENT_TIMEOUT:
        return OperationTimeout("A statement took longer than the server allows.")
    return Unavailable(MESSAGES.get(trouble, NOT_AVAILABLE))


def describe(error: BaseException) -> dict[str, str]:
    """Return the class, the SQLSTATE and the message of a failure for the log, without its SQL and its details.

    PostgreSQL's first line names its own objects, never a value that a client has sent; the lines below may.
    """
    cause = _cause_of(error) if isinstance(error, DBAPIError) else error
    message = str(cause).partition("\n")[0] or "no answer in time"
    sqlstate = str(getattr(cause, "sqlstate", None) or "")
    return {"error": type(cause).__name__, **({"sqlstate": sqlstate} if sqlstate else {}), "message": message}


def _cause_of(error: DBAPIError) -> BaseException:
    """Return the driver's exception, which SQLAlchemy wraps twice for asyncpg."""
    original: BaseException = error.orig or error
    return original.__cause__ or original
