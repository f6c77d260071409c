"""What a list is asked for, and what it answers."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson

from gqlapi.database.pagination import Window
from gqlapi.database.types import to_milliseconds
from gqlapi.errors import InvalidCursor
from gqlapi.repositories.conditions import Condition

R = TypeVar("R")
DIGEST_LENGTH = 6


# A cursor carries one text at most: a title's key, which takes up to 2,400 bytes.
MAX_CURSOR_LENGTH = 4_096
# Of rows, in cursors: the integers that statements compare counts with are no larger.
MAX_COUNT = 2**31 - 1


def _decode_datetime(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    try:
        return to_milliseconds(moment.astimezone(UTC))
    except OverflowError:  # there is no such year in UTC
        raise ValueError(text) from None


def _decode_text(text: str) -> str:
    if "\0" in text:  # PostgreSQL stores none
        raise ValueError(text)
    return text


def _decode_count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_COUNT:
        raise ValueError(value)
    return value


# How the value of an ordering attribute is read back out of a cursor's JSON.
DECODERS: dict[type, Callable[[Any], Any]] = {UUID: UUID, datetime: _decode_datetime, str: _decode_text, float: float}


DAMAGED = "The cursor is not one that this server made."


def encode_cursor(digest: str, values: Sequence[Any]) -> str:
    """Return an opaque cursor: base64url of JSON `[digest, values]`."""
    # `default`: the UUIDs of asyncpg have their own class, which orjson refuses.
    return urlsafe_b64encode(orjson.dumps([digest, values], default=str)).rstrip(b"=").decode()


def decode_cursor(cursor: str, digest: str) -> Sequence[Any]:
    """Return the values in a cursor.

    Raises:
        InvalidCursor: it is damaged, or carries another digest.
    """
    if len(cursor) > MAX_CURSOR_LENGTH:
        raise InvalidCursor(DAMAGED)
    try:
        carried, values = orjson.loads(urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
    except (Base64Error, ValueError, TypeError):
        raise InvalidCursor(DAMAGED) from None
    if carried != digest:
        raise InvalidCursor("The cursor belongs to another list or ordering; start again without it.")
    if not isinstance(values, list):
        raise InvalidCursor(DAMAGED)
    return values


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """One attribute of an ordering, and the type of its values."""

    attribute: str
    type: type
    descending: bool = False
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Ordering:
    """An ordering of one type, whose last attribute is unique; it makes and reads cursors.

    `digest` is a short name of the type and the ordering, which its cursors carry.
    """

    terms: tuple[OrderTerm, ...]
    typename: str = field(compare=False)
    digest: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        terms = (f"{'-' if term.descending else ''}{term.attribute}" for term in self.terms)
        text = ",".join([self.typename, *terms])
        object.__setattr__(self, "digest", hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH])

    def encode_cursor(self, row: Any) -> str:
        """Return the opaque cursor of a row: base64url of JSON `[digest, values]`."""
        return encode_cursor(self.digest, [getattr(row, term.attribute) for term in self.terms])

    def decode_cursor(self, cursor: str) -> tuple[Any, ...]:
        """Return the values of the row of a cursor.

        Raises:
            InvalidCursor: it is damaged, or was made by another ordering or for another type.
        """
        encoded = decode_cursor(cursor, self.digest)
        try:
            values = tuple(_decode(term, value) for term, value in zip(self.terms, encoded, strict=True))
        except (ValueError, TypeError):
            raise InvalidCursor(DAMAGED) from None
        if encode_cursor(self.digest, values) != cursor:  # a value is written in one way only
            raise InvalidCursor(DAMAGED)
        return values


def _decode(term: OrderTerm, value: object) -> Any:
    if value is None and term.nullable:
        return None
    if term.type is int:
        return _decode_count(value)
    if not isinstance(value, float if term.type is float else str):
        raise TypeError(value)
    return DECODERS[term.type](value)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A list as it is asked for: which rows, in which order, which window; prepared once per field."""

    ordering: Ordering
    window: Window
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class RecordPage(Generic[R]):
    """The records of one page, in order."""

    records: Sequence[R]
    has_next: bool
    has_previous: bool
