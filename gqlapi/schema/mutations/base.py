"""What all mutations share: one input, one transaction, one payload that lists what is wrong."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, ClassVar

import strawberry
from graphql import GraphQLResolveInfo
from strawberry.types.field import StrawberryField

from gqlapi.context import Context
from gqlapi.execution.declarations import FieldRules
from gqlapi.idempotency import Body, Outcome, check_key, fingerprint_of, run_once
from gqlapi.models import Row, decode_global_id
from gqlapi.problems import Path, Problem, ProblemCode, Rejected, ValidationProblem, reject_if_any
from gqlapi.repositories import WriteScope
from gqlapi.schema.fields import Info, rules_metadata
from gqlapi.schema.mutations.normal_forms import plain
from gqlapi.schema.nullability import NULL_ONLY_ON_ERROR
from gqlapi.schema.pricing import WRITE_COST
from gqlapi.schema.user_errors import UserError

# Each of them is charged; an input has many values, of which all may be wrong.
MAX_ERRORS = 10
INPUT = strawberry.argument(name="input", description="The input.")
IDEMPOTENCY_KEY = (
    "A key of your own, 1 to 255 characters, that makes it safe to send the mutation again: within 24 hours the same "
    "key and input get the same answer, and nothing happens twice."
)
EXPECTED_VERSION = (
    "The version that you read; nothing is written when it is no longer the current one. Omit it to overwrite "
    "any version."
)

AtOnce = Callable[[WriteScope], Awaitable[Outcome | None]]
Resolver = Callable[[Any, Info, Any], Awaitable[Any]]


@strawberry.interface(description="What every mutation answers.")
class Payload:
    """What every mutation answers; in Python the errors are problems."""

    errors: list[UserError] = strawberry.field(
        description=f"Errors, up to {MAX_ERRORS}; empty on success.",
        metadata=rules_metadata(FieldRules(needs=frozenset({"errors"}), rows=lambda _: MAX_ERRORS)),
    )
    max_errors: ClassVar[int] = MAX_ERRORS


def mutation(
    payload: Any, *, description: str, rules: FieldRules | None = None, runs_alone: bool = False
) -> Callable[[Resolver], Any]:
    """Declare a mutation: what its resolver rejects becomes the errors of its payload.

    The field is nullable, so that its failure never takes back the answer of an earlier one that is committed; it is
    null only on error. Its input is converted once, when the operation is bound; `rules` find it as the prepared value.
    `runs_alone`: it cannot be part of an operation with @atomic, since it writes something when it fails, or ends or
    begins sessions. Every other one writes once, through `Context.mutate`.
    """

    def declare(resolver: Resolver) -> Any:
        async def resolve(source: Any, raw_info: GraphQLResolveInfo[Context], **_arguments: Any) -> Any:
            context = raw_info.context
            context.begin_field()
            info: Info = strawberry.Info(_raw_info=raw_info, _field=field)
            try:
                with context.resolving(str(raw_info.path.key)):
                    return await resolver(source, info, context.prepared(raw_info.field_nodes).value)
            except Rejected as rejected:
                return payload(errors=rejected.problems[: payload.max_errors])

        declared = rules or FieldRules(surcharge=lambda _: WRITE_COST)
        metadata = rules_metadata(replace(declared, prepare=_input_itself, resolve=resolve, runs_alone=runs_alone))
        field: StrawberryField = strawberry.mutation(
            resolver=resolver, description=description, metadata=metadata, directives=[NULL_ONLY_ON_ERROR]
        )
        return field

    return declare


def _input_itself(*, given: Any) -> Any:
    return given


async def carry_out(
    info: Info, given: Any, body: Body, at_once: AtOnce | None = None, *, shows: type[Row] | None = None
) -> Outcome:
    """Run `body` in one transaction, once for each idempotency key of the viewer; `at_once` does where there is none.

    `shows`: the rows that the payload shows, of which a replay says whether they are gone.

    Raises:
        Rejected: nothing was written.
    """
    key: str | None = getattr(given, "idempotency_key", None)
    reject_if_any(check_key(key))
    if key is None:
        return await info.context.mutate(body, at_once)
    fingerprint = fingerprint_of(info.field_name, plain(given))
    return await info.context.mutate(lambda scope: run_once(scope, key, fingerprint, body, shows))


def given_id(typename: str, text: str, path: Path = ("id",)) -> Any:
    """Decode an id of an input.

    Raises:
        Rejected: it is not the id of such an object.
    """
    try:
        global_id = decode_global_id(text)
    except ValueError:
        global_id = None
    if global_id is None or global_id.typename != typename:
        raise Rejected(
            ValidationProblem(code=ProblemCode.INVALID, message=f"This is not the id of a {typename}.", path=path)
        )
    return global_id.id


def problems_of(check: Callable[[], object]) -> tuple[Problem, ...]:
    """Return what a check rejects, so that it is reported together with other errors."""
    try:
        check()
    except Rejected as rejected:
        return rejected.problems
    return ()


def left_out(value: Any) -> Any:
    """Return None for what was left out, else the value."""
    return None if value is strawberry.UNSET else value


@strawberry.type(description="The result of a deletion.")
class DeletePayload(Payload):
    """The result of a deletion."""

    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the deleted object; null if nothing was deleted."
    )
