"""Dates as generators and people write them."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone

from gqlapi.database.types import to_leap_second, to_milliseconds
from gqlapi.interchange.unreadable import Unreadable
from gqlapi.models.base import EPOCH

DATE_TEXT = re.compile(
    r"(?P<year>\d{4})[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})"
    r"(?:(?:T|[ \t]+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?)?"
    r"[ \t]*(?:Z|UTC|GMT|(?P<sign>[+-])(?P<offset_hours>\d{1,2}):?(?P<offset_minutes>\d{2})?)?",
    re.ASCII | re.IGNORECASE,
)
MAX_QUOTED_LENGTH = 40
LEAP_SECOND = 60


def read_date(value: object) -> datetime | None:
    """Return a time in UTC, in milliseconds; what has no offset is in UTC already, and an empty value is None.

    Raises:
        Unreadable: it is no date, or one before 1970.
    """
    if value is None or value == "":
        return None
    try:
        moment = to_milliseconds(_to_datetime(value).astimezone(UTC))
    except (ValueError, OverflowError):
        # Only a text is quoted: a list of aliases may be larger than the memory.
        quoted = f" {value[:MAX_QUOTED_LENGTH]!r}" if isinstance(value, str) else ""
        raise Unreadable(f"its date{quoted} cannot be read") from None
    if moment < EPOCH:
        raise Unreadable("its date lies before 1970")
    return moment


def _to_datetime(value: object) -> datetime:
    match value:
        case str():
            return _parse(value)
        case datetime():
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        case date():
            return datetime.combine(value, time(), UTC)
    raise ValueError


def _parse(text: str) -> datetime:
    found = DATE_TEXT.fullmatch(text.strip())
    if found is None:
        raise ValueError
    microsecond = int((found["fraction"] or "")[:6].ljust(6, "0"))
    offset = timedelta(hours=int(found["offset_hours"] or 0), minutes=int(found["offset_minutes"] or 0))
    second = int(found["second"] or 0)
    is_leap = second == LEAP_SECOND
    moment = datetime(
        int(found["year"]),
        int(found["month"]),
        int(found["day"]),
        int(found["hour"] or 0),
        int(found["minute"] or 0),
        second - is_leap,
        microsecond,
        timezone(-offset if found["sign"] == "-" else offset),
    )
    return to_leap_second(moment) if is_leap else moment
