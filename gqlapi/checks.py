"""Checks of inputs; each returns what is wrong, so that an input is told all at once."""

from collections.abc import Iterator
from typing import Protocol

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


def too_long(path: Path, most: int) -> Problem:
    """Return the problem of a text over its limit."""
    return ValidationProblem(code=ProblemCode.TOO_LONG, message=f"At most {most} characters.", path=path)


def required(path: Path, message: str = "This cannot be empty.") -> Problem:
    """Return the problem of a value that is missing."""
    return ValidationProblem(code=ProblemCode.REQUIRED, message=message, path=path)


def invalid(path: Path, message: str) -> Problem:
    """Return the problem of a value that cannot be taken."""
    return ValidationProblem(code=ProblemCode.INVALID, message=message, path=path)


def check_line(text: str, path: Path, most: int, most_folded: int) -> Iterator[Problem]:
    """Check a title or a name, which cannot be empty."""
    if not text.strip():
        yield required(path)
    elif len(text) > most or len(fold(text)) > most_folded:
        yield too_long(path, most)


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
    """Return the rejection of an id that names nothing the viewer may know of."""
    message = f"There is no such {typename.lower()}."
    return Rejected(NotFoundProblem(message=message, path=path, id=global_id))
