"""Scalars of the API."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

from gqlapi.database.types import to_leap_second

RFC3339 = re.compile(
    r"(?P<minute>\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}):(?P<second>\d{2})(\.(?P<fraction>\d+))?"
    r"(?P<offset>[Zz]|[+-]\d{2}:\d{2})",
    re.ASCII,
)
# Digits of a fraction that a datetime has.
MICROSECOND_DIGITS = 6

# As many digits as the highest position has.
POSITION = re.compile(r"[0-9]{1,18}", re.ASCII)

Cursor = NewType("Cursor", str)
Position = NewType("Position", int)


# Rows that are read again and again have the same times; one takes a twentieth of its time from here.
@lru_cache(maxsize=8_192)
def serialize_datetime(moment: datetime) -> str:
    """Write UTC with three decimals and Z."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat("T", "milliseconds")[:-6] + "Z"


def parse_datetime(value: object) -> datetime:
    """Read an RFC 3339 time in microseconds; its offset is required.

    A finer time stays between the two milliseconds that it lies between; what is stored has milliseconds. A leap second
    is the first second of the next minute, as on PostgreSQL.

    Raises:
        ValueError: it is not such a text, or lies outside the years 1 to 9999 in UTC.
    """
    found = RFC3339.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("a DateTime is an RFC 3339 text with an offset, such as 2026-11-20T08:30:00Z")
    is_leap = found["second"] == "60"
    text = f"{found['minute']}:{'59' if is_leap else found['second']}{found['offset']}".upper()
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
        moment = to_leap_second(moment) if is_leap else moment
        return moment + timedelta(microseconds=_microseconds(found["fraction"]))
    except OverflowError:
        raise ValueError("a DateTime lies in the years 1 to 9999") from None


def _microseconds(fraction: str | None) -> int:
    if fraction is None:
        return 0
    microseconds = int(fraction[:MICROSECOND_DIGITS].ljust(MICROSECOND_DIGITS, "0"))
    is_later = bool(fraction[MICROSECOND_DIGITS:].strip("0"))
    return microseconds + (is_later and microseconds % 1000 == 0)


def parse_position(value: object) -> int:
    """Read a position of the change feed.

    Raises:
        ValueError: it is not one that this server made.
    """
    if not isinstance(value, str) or not POSITION.fullmatch(value):
        raise ValueError("a Position is a text that an event of a subscription had")
    return int(value)


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A point in time, RFC 3339. Given with any offset (`2026-11-20T09:30:00+01:00`), which may not be "
        "left out; returned in UTC with milliseconds (`2026-11-20T08:30:00.000Z`), the precision that is stored. "
        "A finer time is compared as it is, and cut when it is stored.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=serialize_datetime,
        parse_value=parse_datetime,
    ),
    Cursor: strawberry.scalar(
        name="Cursor",
        description="The place of a row in a list. Opaque; valid only for the type and the ordering it was returned "
        "for.",
        serialize=str,
        parse_value=str,
    ),
    Position: strawberry.scalar(
        name="Position",
        description="The place of a change in the feed. Opaque, and durable: given as `since`, it resumes a "
        "subscription after the change.",
        serialize=str,
        parse_value=parse_position,
    ),
}
