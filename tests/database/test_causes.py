import sqlite3
import ssl

import pytest
from asyncpg.exceptions import (
    CannotConnectNowError,
    DuplicatePreparedStatementError,
    InsufficientPrivilegeError,
    InvalidAuthorizationSpecificationError,
    TooManyConnectionsError,
)
from sqlalchemy.exc import OperationalError

from gqlapi.database.causes import DISK, FILE, MIGRATE, POOLER, UNKNOWN, cause_of
from gqlapi.errors import Unavailable

URL = "postgresql://gqlapi:p@db/blog"


class TestReason:
    def test_is_what_the_driver_says_first(self) -> None:
        failure = OperationalError("SELECT secret", {}, sqlite3.OperationalError("no such table: posts\nmore"))
        assert cause_of(failure, URL).reason == "no such table: posts"

    def test_is_that_behind_the_error_of_a_client(self) -> None:
        failure = Unavailable("The database is not available. Try again.")
        failure.__cause__ = OperationalError("SELECT 1", {}, sqlite3.OperationalError("disk I/O error"))
        assert cause_of(failure, URL) == ("disk I/O error", DISK)

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("got an unexpected parameter", "got an unexpected parameter"),
            ("wrong: p.", "wrong: ***"),
            ('wrong: "p"', 'wrong: "***"'),
            ("of p, or of pp", "of ***, or of pp"),
        ],
    )
    def test_masks_the_password_where_it_is_a_word(self, text: str, shown: str) -> None:
        assert cause_of(ValueError(text), URL).reason == shown

    def test_masks_every_secret(self) -> None:
        url = "postgresql://gqlapi@db/blog?password=hunter2&sslpassword=hunter3"
        assert cause_of(ValueError("hunter2 and hunter3"), url).reason == "*** and ***"

    def test_is_never_empty(self) -> None:
        assert cause_of(TimeoutError(), URL).reason == "it does not answer in time"
        assert cause_of(ConnectionResetError(), URL).reason == "ConnectionResetError"


class TestFix:
    @pytest.mark.parametrize(
        ("failure", "fix"),
        [
            (DuplicatePreparedStatementError('prepared statement "x" already exists'), POOLER),
            (InvalidAuthorizationSpecificationError('no pg_hba.conf entry for host "::1", no encryption'), "sslmode"),
            (InvalidAuthorizationSpecificationError('no pg_hba.conf entry for host "::1", SSL encryption'), "pg_hba"),
            (TooManyConnectionsError("sorry, too many clients already"), "max_connections"),
            (CannotConnectNowError("the database system is starting up"), "Wait until"),
            (ssl.SSLCertVerificationError("certificate verify failed"), "sslrootcert"),
            (TimeoutError(), "firewalls"),
            (InsufficientPrivilegeError("permission denied for schema public"), "CREATE to migrate"),
            (OSError("Multiple exceptions: [Errno 111] Connect call failed"), "Start the database"),
            (sqlite3.OperationalError("attempt to write a readonly database"), FILE),
            (sqlite3.OperationalError("no such column: posts.title"), MIGRATE),
            (sqlite3.DatabaseError("database disk image is malformed"), "Restore"),
            (ZeroDivisionError("division by zero"), UNKNOWN),
        ],
        ids=lambda value: str(value)[:60] or "silence" if isinstance(value, Exception) else "",
    )
    def test_fits_the_cause(self, failure: Exception, fix: str) -> None:
        assert fix in cause_of(failure, URL).fix
