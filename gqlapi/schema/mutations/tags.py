"""Mutations of tags."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry

from gqlapi import models
from gqlapi.accounts.policy import Action, require
from gqlapi.idempotency import Outcome, check_key
from gqlapi.problems import reject_if_any
from gqlapi.publishing import tags
from gqlapi.repositories import WriteScope
from gqlapi.schema.fields import Info
from gqlapi.schema.mutations.base import (
    EXPECTED_VERSION,
    IDEMPOTENCY_KEY,
    INPUT,
    DeletePayload,
    Payload,
    carry_out,
    given_id,
    left_out,
    mutation,
    problems_of,
)
from gqlapi.schema.mutations.normal_forms import folded, nickname, normal, unordered
from gqlapi.schema.types import Tag


@strawberry.input(description="A tag to be created or changed.")
class UpsertTagInput:
    """A tag to be created or changed."""

    slug: str = strawberry.field(
        description="The unique name for URLs, by which an existing tag is found.", metadata=normal(folded)
    )
    name: str = strawberry.field(
        description="The name to show, unique without regard to case; one line of 1 to 100 characters.",
        metadata=normal(nickname),
    )
    description: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The meaning of the tag, at most 2,000 characters; null clears it; omit to keep it.",
    )
    idempotency_key: str | None = strawberry.field(default=None, description=IDEMPOTENCY_KEY)


@strawberry.input(description="A tag to be deleted.")
class DeleteTagInput:
    """A tag to be deleted."""

    id: strawberry.ID = strawberry.field(description="The id of the tag.")
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)
    idempotency_key: str | None = strawberry.field(default=None, description=IDEMPOTENCY_KEY)


@strawberry.input(description="Tags that become one.")
class MergeTagsInput:
    """Tags that become one."""

    from_: list[strawberry.ID] = strawberry.field(
        name="from",
        description="The tags that are deleted, 1 to 100; their posts get the other one.",
        metadata=normal(unordered),
    )
    into: strawberry.ID = strawberry.field(description="The tag that stays.")
    idempotency_key: str | None = strawberry.field(default=None, description=IDEMPOTENCY_KEY)


@strawberry.type(description="The result of a tag mutation.")
class TagPayload(Payload):
    """The result of a tag mutation; in Python it is a record."""

    tag: Tag | None = strawberry.field(default=None, description="The tag as it is now; null when nothing was written.")


@strawberry.type(description="The result of a tag mutation.")
class UpsertTagPayload(Payload):
    """The result of a tag mutation; in Python it is a record."""

    tag: Tag | None = strawberry.field(default=None, description="The tag as it is now; null when nothing was written.")
    created: bool = strawberry.field(default=False, description="Whether it is new.")


async def _row(info: Info, outcome: Outcome) -> Any:
    """Return a tag as it was written; a replay reads it."""
    assert outcome.id is not None  # noqa: S101 - else it was rejected
    written = outcome.written.get(outcome.id)
    return written or (await info.context.repositories.tags.list_by_ids([outcome.id]))[0]


@strawberry.type
class TagMutations:
    """Mutations of tags."""

    @mutation(UpsertTagPayload, description="Create the tag with this slug, or change it.")
    async def upsert_tag(self, info: Info, given: Annotated[UpsertTagInput, INPUT]) -> UpsertTagPayload | None:
        require(info.context.viewer, Action.CHANGE_TAG)

        async def body(scope: WriteScope) -> Outcome:
            keeps = given.description is strawberry.UNSET
            description = left_out(given.description)
            tag, created = await tags.upsert_tag(
                scope, slug=given.slug, name=given.name, description=description, keeps=keeps
            )
            return Outcome(tag.id, created=created, written={tag.id: tag})

        outcome = await carry_out(info, given, body, shows=models.Tag)
        return UpsertTagPayload(errors=[], tag=await _row(info, outcome), created=outcome.created)

    @mutation(DeletePayload, description="Delete a tag, and take it off all posts.")
    async def delete_tag(self, info: Info, given: Annotated[DeleteTagInput, INPUT]) -> DeletePayload | None:
        require(info.context.viewer, Action.CHANGE_TAG)
        reject_if_any([*problems_of(lambda: given_id("Tag", given.id)), *check_key(given.idempotency_key)])
        id_: UUID = given_id("Tag", given.id)

        async def body(scope: WriteScope) -> Outcome:
            await tags.delete_tag(scope, id_, given.expected_version)
            return Outcome(id_)

        await carry_out(info, given, body)
        return DeletePayload(errors=[], deleted_id=given.id)

    @mutation(TagPayload, description="Delete tags, and give their posts another one instead.")
    async def merge_tags(self, info: Info, given: Annotated[MergeTagsInput, INPUT]) -> TagPayload | None:
        require(info.context.viewer, Action.CHANGE_TAG)
        sources, into = _merged_ids(given)

        async def body(scope: WriteScope) -> Outcome:
            return Outcome(into, written={into: await tags.merge_tags(scope, sources, into)})

        outcome = await carry_out(info, given, body, shows=models.Tag)
        return TagPayload(errors=[], tag=await _row(info, outcome))


def _merged_ids(given: MergeTagsInput) -> tuple[list[UUID], UUID]:
    sources = [partial(given_id, "Tag", text, ("from", str(index))) for index, text in enumerate(given.from_)]
    into = partial(given_id, "Tag", given.into, ("into",))
    wrong = [problem for decode in (*sources, into) for problem in problems_of(decode)]
    reject_if_any([*wrong, *check_key(given.idempotency_key)])
    return [decode() for decode in sources], into()
