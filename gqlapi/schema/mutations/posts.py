"""Mutations of posts."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar
from uuid import UUID

import strawberry

from gqlapi import models
from gqlapi.accounts.policy import Action, require
from gqlapi.checks import required, too_many
from gqlapi.execution.declarations import FieldRules, Prepared
from gqlapi.idempotency import Outcome, check_key
from gqlapi.models import Row, Viewer
from gqlapi.problems import Problem, Rejected, reject_if_any
from gqlapi.publishing import posts
from gqlapi.publishing.creation import Result, create_post, create_post_at_once, create_posts
from gqlapi.publishing.drafts import prepare, prepare_all
from gqlapi.publishing.patches import prepare_patch
from gqlapi.repositories import WriteScope
from gqlapi.repositories.post_rows import is_visible_to, knows_selected
from gqlapi.repositories.records import PostRecord
from gqlapi.schema.fields import Info, needs, rules_metadata
from gqlapi.schema.mutations.base import (
    INPUT,
    MAX_ERRORS,
    DeletePayload,
    Payload,
    carry_out,
    given_id,
    mutation,
    problems_of,
)
from gqlapi.schema.mutations.post_inputs import (
    ArchivePostInput,
    BulkErrorPolicy,
    CreatePostInput,
    CreatePostsInput,
    DeletePostInput,
    PostPatchInput,
    PublishPostInput,
    RestorePostInput,
    UnpublishPostInput,
    UpdatePostInput,
    to_new_post,
    to_patch,
)
from gqlapi.schema.ordering import to_ordering
from gqlapi.schema.pagination import Edge
from gqlapi.schema.pricing import MARKDOWN_BYTES_PER_POINT, TAG_COST, TITLE_COST, WRITE_COST, markdown_cost
from gqlapi.schema.scalars import Cursor
from gqlapi.schema.types import POSTS, Post
from gqlapi.schema.user_errors import UserError

MAX_BULK = 100
DEFAULT_ORDERING = to_ordering(POSTS.default_order)


def _post(root: Any) -> Any:
    payload: PostPayload = root
    return payload.row


def _post_edge(root: Any) -> Any:
    row = _post(root)
    return None if row is None else Edge(node=row, cursor=Cursor(DEFAULT_ORDERING.encode_cursor(row)))


@strawberry.type(description="The result of a post mutation.")
class PostPayload(Payload):
    """The result of a post mutation; `row` is a record or an entity."""

    row: strawberry.Private[Any] = None

    post: Post | None = strawberry.field(
        resolver=_post,
        description="The post as it is now; null when nothing was written, or the viewer may not see it.",
    )
    post_edge: Edge[Post] | None = strawberry.field(
        resolver=_post_edge,
        description="The post with its place in the default ordering, for lists that the client keeps.",
        metadata=needs("published_at"),
    )


class BulkPayload(Payload):
    """What the payloads of mutations of many posts share."""

    errors: list[UserError] = strawberry.field(
        description=f"Errors of all posts together, up to {MAX_BULK}; empty when all were written.",
        metadata=rules_metadata(FieldRules(needs=frozenset({"errors"}), rows=lambda _: MAX_BULK)),
    )
    max_errors: ClassVar[int] = MAX_BULK


@strawberry.type(description="The result of a mutation of several posts.")
class PostsPayload(BulkPayload):
    """The result of a mutation of several posts."""

    results: list[PostPayload] = strawberry.field(
        default_factory=list,
        description="The result for each post of the input, in its order; empty when none was written.",
    )
    created_count: int = strawberry.field(default=0, description="How many were written.")


async def _answer(info: Info, outcome: Outcome) -> PostPayload:
    """Show a post as it was written if all that is selected is known, else read it."""
    assert outcome.id is not None  # noqa: S101 - else it was rejected
    posts = info.context.repositories.posts
    row: Any = outcome.written.get(outcome.id)
    if row is not None and knows_selected(posts.scope, row):
        return PostPayload(errors=[], row=row if is_visible_to(posts.scope.viewer, row) else None)
    row = await posts.get_aggregate_by("id", outcome.id)
    return PostPayload(errors=[], row=row)


Change = Callable[[WriteScope, UUID, int | None], Awaitable[PostRecord | None]]


def _check_change(info: Info, given: Any) -> list[Problem]:
    """Raise unless the viewer may change their own posts; return the errors of the id and the key.

    Raises:
        Rejected: the viewer may not.
    """
    viewer = info.context.viewer
    require(viewer, Action.CHANGE_POST, viewer.id)
    return [*problems_of(lambda: given_id("Post", given.id)), *check_key(given.idempotency_key)]


async def _change(
    info: Info,
    given: Any,
    change: Change,
    problems: Iterable[Problem] = (),
    shows: type[Row] | None = models.Post,
) -> Outcome:
    """Carry a change of one post out; `problems` are known already.

    Raises:
        Rejected: nothing was written.
    """
    reject_if_any([*_check_change(info, given), *problems])
    id_: UUID = given_id("Post", given.id)

    async def body(scope: WriteScope) -> Outcome:
        record = await change(scope, id_, given.expected_version)
        return Outcome(id_, written={} if record is None else {id_: record})

    return await carry_out(info, given, body, shows=shows)


def check_bulk(viewer: Viewer, action: Action, given: Any) -> None:
    """Check who sends a list of posts, and its length.

    Raises:
        Rejected: the viewer may not, or there are none, or too many.
    """
    require(viewer, action, viewer.id)
    if not given.posts:
        raise Rejected(required(("posts",), "Give at least one post."))
    if len(given.posts) > MAX_BULK:
        raise Rejected(too_many(("posts",), MAX_BULK, f"At most {MAX_BULK} posts at once."))


def bulk_size(prepared: Prepared) -> int:
    """Return the number of posts of a list."""
    return max(1, len(prepared.value.posts))


def _bulk_cost(prepared: Prepared) -> int:
    given: CreatePostsInput = prepared.value
    texts = sum(markdown_cost(post.markdown) for post in given.posts)
    tags = sum(len(post.tags or ()) for post in given.posts)
    return WRITE_COST * bulk_size(prepared) + TAG_COST * tags + texts


def _creation_cost(prepared: Prepared) -> int:
    given: CreatePostInput = prepared.value
    return WRITE_COST + markdown_cost(given.markdown)


def _change_cost(prepared: Prepared) -> int:
    return patch_cost(prepared.value.patch)


def patch_cost(patch: PostPatchInput) -> int:
    """Charge for a new text, or for a new title of a text that is not known yet."""
    if patch.markdown:
        return WRITE_COST + markdown_cost(patch.markdown)
    return WRITE_COST + (TITLE_COST if patch.title else 0)


def _bulk_rules() -> FieldRules:
    """Charge for each post that is written, for its text and tags, and for what is read of each."""
    return FieldRules(rows=bulk_size, surcharge=_bulk_cost)


def _bulk_outcome(written: Sequence[Result]) -> Outcome:
    results = tuple(result.id if isinstance(result, PostRecord) else result for result in written)
    return Outcome(results=results, written={row.id: row for row in written if isinstance(row, PostRecord)})


async def _bulk_answer(info: Info, outcome: Outcome) -> PostsPayload:
    results, errors = await bulk_results(info, outcome)
    return PostsPayload(errors=errors, results=results, created_count=count_done(outcome))


def count_done(outcome: Outcome) -> int:
    """Return how many posts of a list were written."""
    return sum(isinstance(result, UUID) for result in outcome.results)


async def bulk_results(info: Info, outcome: Outcome) -> tuple[list[PostPayload], list[UserError]]:
    """Return the result of each post of a list, and the errors of all together."""
    ids = [result for result in outcome.results if isinstance(result, UUID)]
    rows = await _bulk_rows(info, ids, outcome.written)
    results = [
        PostPayload(errors=[], row=rows[result])
        if isinstance(result, UUID)
        else PostPayload(errors=[*result[:MAX_ERRORS]])  # type: ignore[list-item] # problems again
        for result in outcome.results
    ]
    return results, [error for result in results for error in result.errors][:MAX_BULK]


async def _bulk_rows(info: Info, ids: Sequence[UUID], written: Mapping[UUID, Any]) -> Mapping[UUID, Any]:
    """Return posts as they were written, or read them all when it is a replay."""
    scope = info.context.repositories.posts.scope
    if written.keys() == {*ids} and all(knows_selected(scope, row) for row in written.values()):
        return {id_: row if is_visible_to(scope.viewer, row) else None for id_, row in written.items()}
    return dict(zip(ids, await info.context.repositories.posts.list_by_ids(ids), strict=True))


@strawberry.type
class PostMutations:
    """Mutations of posts."""

    @mutation(
        PostPayload,
        description="Write a new post, as a draft or published at once. Costs 1 point for "
        f"{MARKDOWN_BYTES_PER_POINT} bytes of Markdown, and more for markup.",
        rules=FieldRules(surcharge=_creation_cost),
    )
    async def create_post(self, info: Info, given: Annotated[CreatePostInput, INPUT]) -> PostPayload | None:
        viewer = info.context.viewer
        require(viewer, Action.CREATE_POST, viewer.id)
        post, problems = to_new_post(given)
        draft = await prepare(post, [*check_key(given.idempotency_key), *problems])

        async def body(scope: WriteScope) -> Outcome:
            row = await create_post(scope, draft)
            return Outcome(row.id, written={row.id: row})

        async def at_once(scope: WriteScope) -> Outcome | None:
            row = await create_post_at_once(scope, draft)
            return None if row is None else Outcome(row.id, written={row.id: row})

        return await _answer(info, await carry_out(info, given, body, at_once, shows=models.Post))

    @mutation(
        PostsPayload,
        description=(
            f"Write up to {MAX_BULK} posts in one transaction. Each costs {WRITE_COST} points, {TAG_COST} for each tag,"
            f" and 1 for {MARKDOWN_BYTES_PER_POINT} bytes of Markdown, more for markup."
        ),
        rules=_bulk_rules(),
    )
    async def create_posts(self, info: Info, given: Annotated[CreatePostsInput, INPUT]) -> PostsPayload | None:
        check_bulk(info.context.viewer, Action.CREATE_POST, given)
        rows = await prepare_all([to_new_post(post, ("posts", str(index))) for index, post in enumerate(given.posts)])

        async def body(scope: WriteScope) -> Outcome:
            keeps_others = given.on_error is BulkErrorPolicy.REJECT_FAILED
            return _bulk_outcome(await create_posts(scope, rows, keeps_others=keeps_others))

        return await _bulk_answer(info, await carry_out(info, given, body, shows=models.Post))

    @mutation(
        PostPayload,
        description="Change a post. Leave out what stays as it is; an empty patch writes nothing. Markdown costs as "
        f"much as in `createPost`, a title without Markdown {TITLE_COST:,} points.",
        rules=FieldRules(surcharge=_change_cost),
    )
    async def update_post(self, info: Info, given: Annotated[UpdatePostInput, INPUT]) -> PostPayload | None:
        problems = _check_change(info, given)
        patch, wrong = to_patch(given.patch)
        patch = await prepare_patch(patch, [*problems, *wrong])
        return await _answer(
            info, await _change(info, given, lambda scope, id_, version: posts.update_post(scope, id_, version, patch))
        )

    @mutation(PostPayload, description="Publish a post, now or later.")
    async def publish_post(self, info: Info, given: Annotated[PublishPostInput, INPUT]) -> PostPayload | None:
        def publish(scope: WriteScope, id_: UUID, version: int | None) -> Awaitable[PostRecord]:
            return posts.publish_post(scope, id_, version, given.at)

        return await _answer(info, await _change(info, given, publish, posts.check_publication(given.at)))

    @mutation(PostPayload, description="Turn a published, scheduled or archived post back into a draft.")
    async def unpublish_post(self, info: Info, given: Annotated[UnpublishPostInput, INPUT]) -> PostPayload | None:
        return await _answer(info, await _change(info, given, posts.unpublish_post))

    @mutation(PostPayload, description="Archive a post; it keeps its publication date.")
    async def archive_post(self, info: Info, given: Annotated[ArchivePostInput, INPUT]) -> PostPayload | None:
        return await _answer(info, await _change(info, given, posts.archive_post))

    @mutation(DeletePayload, description="Delete a post; `restorePost` brings it back.")
    async def delete_post(self, info: Info, given: Annotated[DeletePostInput, INPUT]) -> DeletePayload | None:
        await _change(info, given, posts.delete_post, shows=None)
        return DeletePayload(errors=[], deleted_id=given.id)

    @mutation(PostPayload, description="Bring a deleted post back, as it was.")
    async def restore_post(self, info: Info, given: Annotated[RestorePostInput, INPUT]) -> PostPayload | None:
        return await _answer(info, await _change(info, given, posts.restore_post))
