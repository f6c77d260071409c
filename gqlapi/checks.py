"""Checks of inputs; each returns its errors, so that all errors of an input are reported together."""

import unicodedata
from collections.abc import Iterator
from typing import Protocol

from gqlapi.lines import hidden_character, is_visible, normalize_line
from gqlapi.names import is_nickname, normalize_nickname
from gqlapi.problems import (
    NotFoundProblem,
    Path,
    Problem,
    ProblemCode,
    Rejected,
    ValidationProblem,
    VersionConflictProblem,
)
from gqlapi.words import fold


class Versioned(Protocol):
    """A row with an optimistic lock."""

    version: int

    @property
    def global_id(self) -> str:
        """The opaque id that the API shows."""


def too_long(path: Path, most: int, message: str | None = None) -> Problem:
    """Return the problem of a text over its limit; `message` replaces the usual one."""
    message = message or f"At most {most} characters."
    return ValidationProblem(code=ProblemCode.TOO_LONG, message=message, path=path, limit=most)


def too_many(path: Path | None, most: int, message: str) -> Problem:
    """Return the problem of a list with more items than its limit."""
    return ValidationProblem(code=ProblemCode.TOO_MANY, message=message, path=path, limit=most)


def required(path: Path, message: str = "This cannot be empty.") -> Problem:
    """Return the problem of a value that is missing."""
    return ValidationProblem(code=ProblemCode.REQUIRED, message=message, path=path)


def invalid(path: Path, message: str) -> Problem:
    """Return the problem of an invalid value."""
    return ValidationProblem(code=ProblemCode.INVALID, message=message, path=path)


def check_line(text: str, path: Path, max_length: int, max_folded_length: int) -> Iterator[Problem]:
    """Check a text of one line: a reader must see all that is in it, and something."""
    line = text.strip()
    if len(line) > max_length:
        yield too_long(path, max_length)
    elif not line:
        yield required(path)
    elif (hidden := hidden_character(line)) is not None:
        yield invalid(path, f"It must be one line without invisible characters: remove {_code_point(hidden)}.")
    elif not is_visible(line):
        yield required(path, "This cannot be blank.")
    elif len(normalize_line(line)) > max_length:
        yield too_long(path, max_length)
    elif len(fold(line)) > max_folded_length:
        message = f"At most {max_folded_length} characters, counted after Unicode normalization."
        yield too_long(path, max_folded_length, message)


def check_name(text: str, path: Path, max_length: int, max_folded_length: int) -> Iterator[Problem]:
    """Check a name to show, which is stored as `normalize_nickname` returns it."""
    problems = [*check_line(text, path, max_length, max_folded_length)]
    yield from problems
    if not problems:
        name = normalize_nickname(text)
        # A visible character may decompose into a space and an accent, which alone is not visible.
        problems = [*check_line(name, path, max_length, max_folded_length)]
        yield from problems
        if not problems and not is_nickname(name):
            yield invalid(path, "It has a character that names cannot have, or cannot have at that place.")


def _code_point(character: str) -> str:
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X}" + (f" ({name})" if name else "")


def check_version(row: Versioned, expected: int | None) -> None:
    """Compare the version that a client read with that of a locked row.

    Raises:
        Rejected: the row has changed since.
    """
    if expected is not None and expected != row.version:
        message = f"Version {expected} was expected; the current one is {row.version}."
        raise Rejected(
            VersionConflictProblem(
                message=message,
                path=("expectedVersion",),
                expected_version=expected,
                current_version=row.version,
                current_id=row.global_id,
            )
        )


def not_found(typename: str, global_id: str | None, path: Path = ("id",)) -> Rejected:
    """Return the rejection of an id that names nothing that is visible to the viewer."""
    message = f"There is no such {typename.lower()}."
    return Rejected(NotFoundProblem(message=message, path=path, id=global_id))
