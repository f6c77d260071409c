"""Turns failures of the database into errors that a client may see.

Mapped by SQLSTATE, never by exception class: SQLAlchemy reports most of asyncpg's errors as a bare DBAPIError.
https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from sqlalchemy.exc import DBAPIError

from gqlapi.errors import ApiError, OperationTimeout, Unavailable

QUERY_CANCELED = "57014"
# connection failures, resources exhausted (too many connections, disk full), shutdowns, a lock held too long
UNAVAILABLE_PREFIXES = ("08", "53", "57P", "55P03")
SQLITE_UNAVAILABLE = ("database is locked", "disk is full", "disk I/O error", "unable to open database")


def sqlstate_of(error: DBAPIError) -> str:
    """Return the SQLSTATE of a PostgreSQL error, else an empty string."""
    return str(getattr(error.orig, "sqlstate", None) or "")


def is_disconnect(error: BaseException) -> bool:
    """Tell whether the connection, not the statement, failed."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or sqlstate_of(error).startswith(("08", "57P"))
    return isinstance(error, OSError)


def to_api_error(error: Exception) -> ApiError | None:
    """Return what a client is told of a database failure, or None where it must be masked as internal."""
    if isinstance(error, DBAPIError):
        sqlstate, text = sqlstate_of(error), str(error.orig)
        if sqlstate == QUERY_CANCELED or text == "interrupted":
            return OperationTimeout("A statement took longer than the server allows.")
        if is_disconnect(error) or sqlstate.startswith(UNAVAILABLE_PREFIXES) or text.startswith(SQLITE_UNAVAILABLE):
            return Unavailable("The database is not available. Try again.")
    elif isinstance(error, OSError):  # asyncpg connects: refused, unreachable, timed out
        return Unavailable("The database is not available. Try again.")
    return None
