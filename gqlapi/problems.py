"""Expected failures of a mutation, which its payload lists; the API shows each as its own type.

Problem
├── ValidationProblem        REQUIRED, INVALID, TOO_LONG, TOO_MANY: a value is invalid
├── NotFoundProblem          NOT_FOUND: there is no such row, or it is not visible to the viewer
├── ForbiddenProblem         FORBIDDEN, UNAUTHENTICATED: the viewer may not do this
├── ConflictProblem          NOT_UNIQUE, IDEMPOTENCY_MISMATCH: another row or call holds the value
├── VersionConflictProblem   VERSION_CONFLICT: somebody else was faster
├── RateLimitedProblem       RATE_LIMITED: too many attempts
└── RolledBackProblem        ROLLED_BACK: another root field of the operation failed
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# Names of input fields and indexes of lists, from the input inwards.
Path = tuple[str, ...]


class ProblemCode(StrEnum):
    """The whole vocabulary of `UserError.code`."""

    REQUIRED = "REQUIRED"
    INVALID = "INVALID"
    TOO_LONG = "TOO_LONG"
    TOO_MANY = "TOO_MANY"
    NOT_UNIQUE = "NOT_UNIQUE"
    NOT_FOUND = "NOT_FOUND"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH"
    RATE_LIMITED = "RATE_LIMITED"
    ROLLED_BACK = "ROLLED_BACK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong, in words for a person and a code for a program, and where in the input, if it is there."""

    message: str
    code: ProblemCode
    path: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationProblem(Problem):
    """A value is invalid; `limit` is the maximum that a text or a list exceeds."""

    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFoundProblem(Problem):
    """A row does not exist, or is not visible to the viewer; `id` is the one that was given."""

    code: ProblemCode = ProblemCode.NOT_FOUND
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForbiddenProblem(Problem):
    """The viewer may not do this; `required_scope` is what their token lacks."""

    code: ProblemCode = ProblemCode.FORBIDDEN
    required_scope: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictProblem(Problem):
    """Another row holds the value; `existing_id` is its global id, where it is no secret."""

    code: ProblemCode = ProblemCode.NOT_UNIQUE
    existing_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionConflictProblem(Problem):
    """The row has changed since the client read it; `current_id` is its global id."""

    code: ProblemCode = ProblemCode.VERSION_CONFLICT
    expected_version: int
    current_version: int
    current_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitedProblem(Problem):
    """There were too many attempts."""

    code: ProblemCode = ProblemCode.RATE_LIMITED
    retry_after_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBackProblem(Problem):
    """Another root field of an operation with @atomic failed; `failed_field` is its name in the response."""

    code: ProblemCode = ProblemCode.ROLLED_BACK
    failed_field: str


class Rejected(Exception):
    """A mutation is rejected; its transaction is rolled back."""

    def __init__(self, *problems: Problem) -> None:
        """Reject for these reasons, at least one."""
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


def reject_if_any(problems: Iterable[Problem]) -> None:
    """Reject when something is wrong.

    Raises:
        Rejected: there is a problem.
    """
    if found := tuple(problems):
        raise Rejected(*found)
