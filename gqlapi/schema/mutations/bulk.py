"""Mutations of many posts."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import strawberry

from gqlapi import models
from gqlapi.accounts.policy import Action
from gqlapi.checks import required
from gqlapi.execution.declarations import FieldRules, Prepared
from gqlapi.idempotency import Outcome, check_key
from gqlapi.models import GlobalId, Row
from gqlapi.problems import reject_if_any
from gqlapi.publishing import bulk
from gqlapi.publishing.drafts import check_tags
from gqlapi.publishing.patches import PostPatch, TagListPatch
from gqlapi.publishing.posts import check_publication, deleted, published
from gqlapi.repositories import WriteScope
from gqlapi.repositories.records import PostRecord
from gqlapi.schema.fields import Info
from gqlapi.schema.mutations.base import INPUT, MAX_ERRORS, DeletePayload, carry_out, mutation
from gqlapi.schema.mutations.bulk_inputs import (
    AddTagsInput,
    DeletePostsInput,
    PublishPostsInput,
    RemoveTagsInput,
    UpdatePostsInput,
    to_patched_targets,
    to_targets,
)
from gqlapi.schema.mutations.post_inputs import BulkErrorPolicy, tag_refs
from gqlapi.schema.mutations.posts import (
    MAX_BULK,
    BulkPayload,
    PostPayload,
    bulk_results,
    bulk_size,
    check_bulk,
    count_done,
    patch_cost,
)
from gqlapi.schema.pricing import TAG_COST, TITLE_COST, WRITE_COST


@strawberry.type(description="The result of a change of several posts.")
class ChangedPostsPayload(BulkPayload):
    """The result of a change of several posts."""

    results: list[PostPayload] = strawberry.field(
        default_factory=list,
        description="The result for each post of the input, in its order; empty when none was changed.",
    )
    changed_count: int = strawberry.field(default=0, description="How many were changed.")


@strawberry.type(description="The result of a deletion of several posts.")
class DeletedPostsPayload(BulkPayload):
    """The result of a deletion of several posts."""

    results: list[DeletePayload] = strawberry.field(
        default_factory=list,
        description="The result for each post of the input, in its order; empty when none was deleted.",
    )
    deleted_count: int = strawberry.field(default=0, description="How many were deleted.")


Write = Callable[[WriteScope, Sequence[bulk.Row], bool], Awaitable[list[bulk.Result]]]


def _rules(cost: Callable[[Any], int] = lambda _given: 0) -> FieldRules:
    """Charge for each post that is written, and for what is read of each."""

    def surcharge(prepared: Prepared) -> int:
        return WRITE_COST * bulk_size(prepared) + cost(prepared.value)

    return FieldRules(rows=bulk_size, surcharge=surcharge)


def _patches_cost(given: UpdatePostsInput) -> int:
    """Charge for texts and titles, and for tags, of which each may be a new one."""
    tags = (item.patch.tags for item in given.posts)
    named = sum(len(tags.set or ()) + len(tags.add or ()) + len(tags.remove or ()) for tags in tags if tags)
    return sum(patch_cost(item.patch) - WRITE_COST for item in given.posts) + TAG_COST * named


def _tags_cost(given: AddTagsInput | RemoveTagsInput) -> int:
    return (TAG_COST + len(given.posts)) * len(given.tags)


async def _carry_out(
    info: Info, given: Any, rows: Sequence[bulk.Row], write: Write, shows: type[Row] | None = models.Post
) -> Outcome:
    keeps_others = given.on_error is BulkErrorPolicy.REJECT_FAILED

    async def body(scope: WriteScope) -> Outcome:
        written = await write(scope, rows, keeps_others)
        results = tuple(
            row if isinstance(row, tuple) else result if isinstance(result, tuple) else row.id
            for row, result in zip(rows, written, strict=True)
        )
        records = {row.id: row for row in written if isinstance(row, PostRecord)}
        return Outcome(results=results, written=records)

    return await carry_out(info, given, body, shows=shows)


async def _changed(info: Info, outcome: Outcome) -> ChangedPostsPayload:
    results, errors = await bulk_results(info, outcome)
    return ChangedPostsPayload(errors=errors, results=results, changed_count=count_done(outcome))


async def _patch_all(scope: WriteScope, rows: Sequence[bulk.Row], keeps_others: bool) -> list[bulk.Result]:  # noqa: FBT001 - a Write
    return await bulk.update_posts(scope, rows, keeps_others=keeps_others)


async def _change_tags(info: Info, given: AddTagsInput | RemoveTagsInput, *, adds: bool) -> ChangedPostsPayload:
    check_bulk(info.context.viewer, Action.CHANGE_POST, given)
    refs, problems = tag_refs(given.tags, ("tags",))
    empty = [] if given.tags else [required(("tags",), "Give at least one tag.")]
    reject_if_any([*check_key(given.idempotency_key), *problems, *empty, *check_tags(refs, ("tags",))])
    tags = TagListPatch(add=refs) if adds else TagListPatch(remove=refs)
    rows = to_targets(given.posts, PostPatch(tags=tags))
    return await _changed(info, await _carry_out(info, given, rows, _patch_all))


@strawberry.type
class BulkMutations:
    """Mutations of many posts, each in one transaction."""

    @mutation(
        ChangedPostsPayload,
        description=f"Change up to {MAX_BULK} posts in one transaction, with one patch for each. Each costs "
        f"{WRITE_COST} points, {TAG_COST} for each tag, {TITLE_COST:,} for a title without Markdown, and for Markdown "
        "as much as in `createPost`.",
        rules=_rules(_patches_cost),
    )
    async def update_posts(self, info: Info, given: Annotated[UpdatePostsInput, INPUT]) -> ChangedPostsPayload | None:
        check_bulk(info.context.viewer, Action.CHANGE_POST, given)
        rows = await to_patched_targets(given.posts)
        return await _changed(info, await _carry_out(info, given, rows, _patch_all))

    @mutation(
        ChangedPostsPayload,
        description=f"Publish up to {MAX_BULK} posts in one transaction, now or later.",
        rules=_rules(),
    )
    async def publish_posts(self, info: Info, given: Annotated[PublishPostsInput, INPUT]) -> ChangedPostsPayload | None:
        check_bulk(info.context.viewer, Action.CHANGE_POST, given)
        reject_if_any(check_publication(given.at))

        async def publish(scope: WriteScope, rows: Sequence[bulk.Row], keeps_others: bool) -> list[bulk.Result]:  # noqa: FBT001 - a Write
            return await bulk.change_posts(scope, rows, published(scope.now, given.at), keeps_others=keeps_others)

        return await _changed(info, await _carry_out(info, given, to_targets(given.posts), publish))

    @mutation(
        DeletedPostsPayload,
        description=f"Delete up to {MAX_BULK} posts in one transaction; `restorePost` restores one.",
        rules=_rules(),
    )
    async def delete_posts(self, info: Info, given: Annotated[DeletePostsInput, INPUT]) -> DeletedPostsPayload | None:
        check_bulk(info.context.viewer, Action.CHANGE_POST, given)

        async def delete(scope: WriteScope, rows: Sequence[bulk.Row], keeps_others: bool) -> list[bulk.Result]:  # noqa: FBT001 - a Write
            return await bulk.change_posts(scope, rows, deleted(scope.now), keeps_others=keeps_others)

        outcome = await _carry_out(info, given, to_targets(given.posts), delete, shows=None)
        results = [_deletion(result) for result in outcome.results]
        errors = [error for result in results for error in result.errors][:MAX_BULK]
        return DeletedPostsPayload(errors=errors, results=results, deleted_count=count_done(outcome))

    @mutation(
        ChangedPostsPayload,
        description=f"Append tags to up to {MAX_BULK} posts in one transaction. Costs {WRITE_COST} points for each post"
        f", {TAG_COST} for each tag, and 1 for each tag of each post.",
        rules=_rules(_tags_cost),
    )
    async def add_tags(self, info: Info, given: Annotated[AddTagsInput, INPUT]) -> ChangedPostsPayload | None:
        return await _change_tags(info, given, adds=True)

    @mutation(
        ChangedPostsPayload,
        description=f"Remove tags from up to {MAX_BULK} posts in one transaction. Costs as much as `addTags`.",
        rules=_rules(_tags_cost),
    )
    async def remove_tags(self, info: Info, given: Annotated[RemoveTagsInput, INPUT]) -> ChangedPostsPayload | None:
        return await _change_tags(info, given, adds=False)


def _deletion(result: Any) -> DeletePayload:
    if isinstance(result, tuple):
        return DeletePayload(errors=[*result[:MAX_ERRORS]])
    return DeletePayload(errors=[], deleted_id=strawberry.ID(GlobalId("Post", result).encode()))
