"""Inputs as plain values, the same for inputs that mean the same: idempotency keys compare these.

A field whose meaning is wider than its value says so in its metadata: `metadata=normal(line)`.
"""

import json
from collections.abc import Callable
from dataclasses import Field, fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import strawberry

from gqlapi.database.types import to_milliseconds
from gqlapi.lines import normalize_line
from gqlapi.names import normalize_nickname
from gqlapi.words import fold

NORMAL_FORM = "normal form"
# Of texts that are brought into a normal form, which may take a time that is quadratic: all of these are shorter.
MAX_LENGTH = 400
Form = Callable[[Any], Any]


def normal(*forms: Form) -> dict[str, Form]:
    """Return the metadata of a field whose plain value goes through these functions, null excepted."""

    def apply(value: Any) -> Any:
        for form in forms:
            value = form(value)
        return value

    return {NORMAL_FORM: apply}


def line(text: str) -> str:
    """Write a text of one line as it is stored; one that is too long to be stored stays as it is."""
    return normalize_line(text) if len(text) <= MAX_LENGTH else text


def nickname(text: str) -> str:
    """Write a name to show as it is stored."""
    return normalize_nickname(text) if len(text) <= MAX_LENGTH else text


def folded(text: str) -> str:
    """Fold a text that is compared without regard to case."""
    return fold(text) if len(text) <= MAX_LENGTH else text


def distinct(values: list[Any]) -> list[Any]:
    """Leave out what occurred in a list before."""
    return [*{json.dumps(value, sort_keys=True): value for value in reversed(values)}.values()][::-1]


def unordered(values: list[Any]) -> list[Any]:
    """Sort a list whose order does not matter."""
    return sorted(distinct(values), key=lambda value: json.dumps(value, sort_keys=True))


def absent_if_empty(value: Any) -> Any:
    """Take an empty list, or an object that says nothing, for one that is left out."""
    return value or strawberry.UNSET


def plain(value: Any) -> Any:
    """Return an input as plain values; what was left out, or has its default, is left out."""
    if is_dataclass(value):
        named = ((field.name, _plain_field(field, getattr(value, field.name))) for field in fields(value))
        return {name: item for name, item in named if item is not strawberry.UNSET}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, datetime):
        return to_milliseconds(value).isoformat()
    return value


def _plain_field(field: Field[Any], value: Any) -> Any:
    if value is strawberry.UNSET or value == field.default:
        return strawberry.UNSET
    form = field.metadata.get(NORMAL_FORM)
    return plain(value) if form is None or value is None else form(plain(value))
