"""Expected failures, as clients see them: one type for each kind of problem."""

from typing import Annotated, Any

import strawberry

from gqlapi import problems
from gqlapi.models import decode_global_id
from gqlapi.schema.enums import ApiScope, ProblemCode
from gqlapi.schema.fields import Info
from gqlapi.schema.nodes import load_node
from gqlapi.schema.types import Post, Tag, Versioned, is_one_of_types

ConflictingNode = Annotated[
    Post | Tag, strawberry.union("ConflictingNode", description="What can have a unique value already.")
]


@strawberry.interface(
    description="Why a mutation failed; an error that the caller can fix. More kinds may come: ask for the "
    "fields of this interface, and for those of the kinds that you treat specially."
)
class UserError:
    """An expected failure."""

    message: str = strawberry.field(description="What is wrong, in English, for a person.")
    code: ProblemCode = strawberry.field(description="What is wrong, for a program.")
    path: list[str] | None = strawberry.field(
        description='Where in `input`, such as `["posts", "0", "title"]`; null where it is no single value.'
    )


@strawberry.type(description="The value is invalid: REQUIRED, INVALID, TOO_LONG or TOO_MANY.")
class ValidationError(UserError):
    """A value is invalid."""

    is_type_of = is_one_of_types(problems.ValidationProblem)

    limit: int | None = strawberry.field(
        description="The maximum that was exceeded: characters for TOO_LONG, items for TOO_MANY; null for other codes."
    )


@strawberry.type(description="There is no such row, or it is not visible to the viewer.")
class NotFoundError(UserError):
    """A row is not there."""

    is_type_of = is_one_of_types(problems.NotFoundProblem)

    id: strawberry.ID | None = strawberry.field(description="The id from the input.")


@strawberry.type(description="FORBIDDEN, or UNAUTHENTICATED where signing in would help.")
class ForbiddenError(UserError):
    """The viewer may not do this."""

    is_type_of = is_one_of_types(problems.ForbiddenProblem)

    required_scope: ApiScope | None = strawberry.field(
        description="The scope that the API token lacks, where a token with it would do."
    )


async def _existing(root: Any, info: Info) -> Any:
    problem: problems.ConflictProblem = root
    return await _load(info, problem.existing_id)


async def _current(root: Any, info: Info) -> Any:
    problem: problems.VersionConflictProblem = root
    return await _load(info, problem.current_id)


async def _load(info: Info, global_id: str | None) -> Any:
    return None if global_id is None else await load_node(info.context, decode_global_id(global_id))


@strawberry.type(description="NOT_UNIQUE, or IDEMPOTENCY_MISMATCH.")
class ConflictError(UserError):
    """Something else holds the value."""

    is_type_of = is_one_of_types(problems.ConflictProblem)

    existing: ConflictingNode | None = strawberry.field(
        resolver=_existing,
        description="The post or tag that has the value already, if the viewer may see it; null for user names and "
        "e-mail addresses.",
    )


@strawberry.type(description="Somebody else changed the row since it was read; nothing was written.")
class VersionConflictError(UserError):
    """Somebody else was faster."""

    is_type_of = is_one_of_types(problems.VersionConflictProblem)

    expected_version: int = strawberry.field(description="The version that was given.")
    current_version: int = strawberry.field(description="The version of the row as it is.")
    current: Versioned | None = strawberry.field(
        resolver=_current, description="The row as it is, to merge the change with; null if it is deleted."
    )


@strawberry.type(description="There were too many attempts.")
class RateLimitedError(UserError):
    """There were too many attempts."""

    is_type_of = is_one_of_types(problems.RateLimitedProblem)

    retry_after_seconds: int = strawberry.field(description="Seconds to wait before retrying.")


@strawberry.type(description="Another root field of the operation with @atomic failed; nothing was written.")
class RolledBackError(UserError):
    """Another root field failed."""

    is_type_of = is_one_of_types(problems.RolledBackProblem)

    failed_field: str = strawberry.field(description="The name in the response of the first field that failed.")


USER_ERRORS = [
    ValidationError,
    NotFoundError,
    ForbiddenError,
    ConflictError,
    VersionConflictError,
    RateLimitedError,
    RolledBackError,
]
