"""Why a database cannot be used, and what helps: for operators, who may read what the driver says."""

import re
import socket
import sqlite3
import ssl
from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa
from asyncpg.exceptions import ClientConfigurationError, InterfaceError, PostgresError
from sqlalchemy.exc import DBAPIError

from gqlapi.database.url import SECRETS, normalize_url
from gqlapi.errors import ApiError

POOLER = "Set GQLAPI_DATABASE_POOLER=auto, or set the pooler up as docs/scaling.md says."
DIRECT = (
    "Set GQLAPI_DATABASE_DIRECT_URL to PostgreSQL without the pooler, or GQLAPI_DATABASE_POOLER=session, if it is in "
    "that mode."
)
LOGIN = "Correct the user name and the password in GQLAPI_DATABASE_URL; escape special characters (%40 for @)."
SERVER = "Start the database, or correct the host and the port in GQLAPI_DATABASE_URL."
FILE = "Let the server's user read and write the file and its folder."
DISK = "Free disk space, or move the database."
LOCK = "Look for a long transaction, an import or a backup; then run it again."
RIGHTS = "Grant the role USAGE on the schema, and SELECT, INSERT, UPDATE and DELETE on all tables."
MIGRATE = "Run `gqlapi migrate`; when it is at the newest revision already, restore the missing tables from a backup."
RESTORE = "Restore a complete backup, or set GQLAPI_DATABASE_URL to an empty database."
UNKNOWN = "Look into the database's log; GQLAPI_DATABASE_URL says where it is."
# The first text that an error contains decides, in lower case.
BY_TEXT = {
    "unsupported startup parameter": POOLER,
    "prepared statement": POOLER,
    "a pooler passes": DIRECT,
    "rejected ssl upgrade": "Turn TLS on in PostgreSQL, or take sslmode out of GQLAPI_DATABASE_URL.",
    "no encryption": "Add sslmode=require to GQLAPI_DATABASE_URL: the server wants TLS.",
    "no pg_hba.conf entry": "Admit this user, database and address in pg_hba.conf.",
    "permission denied for database": "Grant the role CONNECT on the database.",
    "permission denied for schema": "Grant the role USAGE on the schema, and CREATE to migrate.",
    "already exists": RESTORE,
    "connect call failed": SERVER,
    "file: it does not exist": "Run `gqlapi migrate`, or `gqlapi dev`, which does it.",
    "unable to open database": FILE,
    "readonly database": FILE,
    "not a database": "Set GQLAPI_DATABASE_URL to a file of SQLite.",
    "malformed": "Restore the file from a backup.",
    "disk is full": DISK,
    "disk i/o error": DISK,
    "no space left": DISK,
    "database is locked": LOCK,
    "no such table": MIGRATE,
    "no such column": MIGRATE,
}
BY_SQLSTATE = {
    "28P01": LOGIN,
    "28000": "Create the role with LOGIN, or correct the user name in GQLAPI_DATABASE_URL.",
    "3D000": "Create it with ENCODING 'UTF8', or correct the name of the database in GQLAPI_DATABASE_URL.",
    "53300": "Lower GQLAPI_POOL_SIZE or GQLAPI_WORKERS, end other clients, or raise max_connections.",
    "57P03": "Wait until the server has started, and try again.",
    "25006": "Set GQLAPI_DATABASE_URL to the primary, or turn default_transaction_read_only off.",
    "42501": RIGHTS,
    "42P01": MIGRATE,
    "42703": MIGRATE,
    "55P03": LOCK,
    "57014": "Try again when the database has less to do.",
    "53100": DISK,
    "58030": DISK,
}
# The first class that fits decides; the later ones are wider.
BY_CLASS: dict[type[BaseException], str] = {
    ssl.SSLError: "Name the file of the certificate authority in sslrootcert, or correct the host name.",
    FileNotFoundError: "Correct sslrootcert, sslcert and sslkey in GQLAPI_DATABASE_URL.",
    ClientConfigurationError: "Correct sslrootcert, sslcert and sslkey in GQLAPI_DATABASE_URL.",
    socket.gaierror: "Correct the host name in GQLAPI_DATABASE_URL: it cannot be resolved.",
    TimeoutError: "Correct the host and the port in GQLAPI_DATABASE_URL, or let firewalls pass the connection.",
    OSError: SERVER,
}
# What a database that cannot be used raises: SQLAlchemy passes the errors of connecting on as they are, and those of
# statements that go past it.
FAILURES = (OSError, DBAPIError, ApiError, PostgresError, InterfaceError, sqlite3.Error)


class Cause(NamedTuple):
    """A reason in one line, without secrets, and what to do about it."""

    reason: str
    fix: str


def cause_of(failure: BaseException, url: str) -> Cause:
    """Explain a failure of connecting to a database, or of a statement."""
    parsed = sa.make_url(normalize_url(url))
    causes = [*_chain(failure)]
    original = causes[-1]
    sqlstate = next((str(cause.sqlstate) for cause in causes if getattr(cause, "sqlstate", None)), "")  # type: ignore[attr-defined] # of those that have one
    reason = _without_secrets(str(original).partition("\n")[0].strip() or _name(original), parsed)
    return Cause(reason.rstrip("."), _fix(original, sqlstate, reason.lower(), parsed))


def _chain(failure: BaseException) -> Iterator[BaseException]:
    """Yield a failure and what it wraps, down to the driver's own."""
    cause: BaseException | None = failure
    while cause is not None:
        yield cause
        wraps = isinstance(cause, ApiError | DBAPIError) or type(cause).__module__.startswith("sqlalchemy")
        cause = (getattr(cause, "orig", None) or cause.__cause__) if wraps else None


def _name(failure: BaseException) -> str:
    return "it does not answer in time" if isinstance(failure, TimeoutError) else type(failure).__name__


def _fix(failure: BaseException, sqlstate: str, reason: str, url: sa.URL) -> str:
    if found := next((fix for text, fix in BY_TEXT.items() if text in reason), None):
        return found
    host = str(url.query.get("host", ""))
    if isinstance(failure, FileNotFoundError) and host.startswith("/"):
        return f"Start PostgreSQL, or correct `host`: there is no socket in {host}."
    by_class = next((fix for classes, fix in BY_CLASS.items() if isinstance(failure, classes)), UNKNOWN)
    return BY_SQLSTATE.get(sqlstate, by_class)


def _without_secrets(text: str, url: sa.URL) -> str:
    """Mask passwords where they are whole words: a short one may be a part of any word."""
    secrets = [url.password, *(value for name, value in url.query.items() if name in SECRETS)]
    for secret in filter(None, map(str, filter(None, secrets))):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
    return text
