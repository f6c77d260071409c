"""Scalars of the API."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

from gqlapi.database.types import to_milliseconds

RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)

Cursor = NewType("Cursor", str)


# Rows that are read again and again have the same times; one takes a twentieth of its time from here.
@lru_cache(maxsize=8_192)
def serialize_datetime(moment: datetime) -> str:
    """Write UTC with three decimals and Z."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat("T", "milliseconds")[:-6] + "Z"


def parse_datetime(value: object) -> datetime:
    """Read an RFC 3339 time; its offset is required.

    Raises:
        ValueError: it is not such a text, or lies outside the years 1 to 9999 in UTC.
    """
    if not isinstance(value, str) or not RFC3339.fullmatch(value):
        raise ValueError("a DateTime is an RFC 3339 text with an offset, such as 2026-11-20T08:30:00Z")
    try:
        return to_milliseconds(datetime.fromisoformat(value.upper()).astimezone(UTC))
    except OverflowError:
        raise ValueError("a DateTime lies in the years 1 to 9999") from None


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A point in time, RFC 3339. Given with any offset (`2026-11-20T09:30:00+01:00`), which may not be "
        "left out; returned in UTC with milliseconds (`2026-11-20T08:30:00.000Z`), the precision that is stored.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=serialize_datetime,
        parse_value=parse_datetime,
    ),
    Cursor: strawberry.scalar(
        name="Cursor",
        description="The place of a row in a list. Opaque; valid only for the type and the ordering it was returned for.",
        serialize=str,
        parse_value=str,
    ),
}
