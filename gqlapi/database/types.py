"""Column types that behave the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine


def to_milliseconds(moment: datetime) -> datetime:
    """Cut a time to the precision that the database and the API keep."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def to_leap_second(moment: datetime) -> datetime:
    """Return the moment after a second 59, which represents the second 60 (RFC 3339, section 5.7), as on PostgreSQL.

    Raises:
        ValueError: it is not the last second of a month in UTC.
        OverflowError: it is the last second of the year 9999.
    """
    following = moment.astimezone(UTC) + timedelta(seconds=1)
    if (following.day, following.hour, following.minute) != (1, 0, 0):
        raise ValueError("a leap second is the last second of a month in UTC")
    return following


def utc_now() -> datetime:
    """Return the current time, aware, in milliseconds."""
    return to_milliseconds(datetime.now(UTC))


class UtcDateTime(sa.TypeDecorator[datetime]):
    """A point in time in milliseconds: aware in Python, timestamptz on PostgreSQL, naive UTC on SQLite.

    Raises:
        ValueError: a naive time is bound.
    """

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sa.DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a UTC offset cannot be stored")
        moment = to_milliseconds(value.astimezone(UTC))
        return moment if dialect.name == "postgresql" else moment.replace(tzinfo=None)

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Any:
        # asyncpg already returns aware UTC times: no work per row.
        return None if dialect.name == "postgresql" else super().result_processor(dialect, coltype)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class DatabaseNow(FunctionElement[datetime]):
    """The clock of the database, as the default of a column: for rows that other programs write."""

    inherit_cache = True
    type = UtcDateTime()


@compiles(DatabaseNow, "postgresql")
def _now_on_postgresql(*_: Any, **__: Any) -> str:
    return "date_trunc('milliseconds', now())"


@compiles(DatabaseNow, "sqlite")
def _now_on_sqlite(*_: Any, **__: Any) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


# Text that sorts by code point on both databases, like Python's `str`: SQLite compares bytes by default, PostgreSQL
# does with the "C" collation, and the order of UTF-8 bytes is the order of code points.
SORT_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def enum_column_type(enum: type[StrEnum], name: str) -> Any:
    """Store the values of `enum` as VARCHAR(16) with a named CHECK: adding a value is no ALTER TYPE."""
    return sa.Enum(
        enum,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=16,
        validate_strings=True,
        values_callable=lambda members: [member.value for member in members],
    )


class EnumSet(sa.TypeDecorator[frozenset[Any]]):
    """A set of an enum's values, as their sorted names with commas between: a dozen at most, never queried by value."""

    impl = sa.String(64)
    cache_ok = True

    def __init__(self, enum: type[StrEnum]) -> None:
        """Keep values of `enum`."""
        super().__init__()
        self.enum = enum

    def process_bind_param(self, value: frozenset[Any] | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else ",".join(sorted(value))

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> frozenset[Any] | None:
        return None if value is None else frozenset(self.enum(part) for part in value.split(",") if part)
