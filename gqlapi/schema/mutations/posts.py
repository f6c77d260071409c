"""Mutations of posts."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any
from uuid import UUID

import strawberry

from gqlapi.accounts.policy import Action, require
from gqlapi.checks import required
from gqlapi.idempotency import Outcome
from gqlapi.models import Viewer
from gqlapi.problems import Problem, ProblemCode, Rejected, ValidationProblem
from gqlapi.publishing import posts
from gqlapi.publishing.creation import Row, create_post, create_posts
from gqlapi.publishing.drafts import prepare
from gqlapi.repositories import WriteScope
from gqlapi.schema.fields import FieldRules, Info, needs
from gqlapi.schema.mutations.base import (
    INPUT,
    WRITE_COST,
    DeletePayload,
    Payload,
    carry_out,
    given_id,
    mutation,
)
from gqlapi.schema.mutations.post_inputs import (
    ArchivePostInput,
    BulkErrorPolicy,
    CreatePostInput,
    CreatePostsInput,
    DeletePostInput,
    PublishPostInput,
    RestorePostInput,
    UnpublishPostInput,
    UpdatePostInput,
    to_new_post,
    to_patch,
)
from gqlapi.schema.ordering import to_ordering
from gqlapi.schema.pagination import Edge
from gqlapi.schema.scalars import Cursor
from gqlapi.schema.types import POSTS, Post

MAX_BULK = 100
DEFAULT_ORDERING = to_ordering(POSTS.default_order)


def _post(root: Any) -> Any:
    payload: PostPayload = root
    return payload.row


def _post_edge(root: Any) -> Any:
    row = _post(root)
    return None if row is None else Edge(node=row, cursor=Cursor(DEFAULT_ORDERING.encode_cursor(row)))


@strawberry.type(description="What became of a post.")
class PostPayload(Payload):
    """What became of a post; `row` is a record or an entity."""

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


@strawberry.type(description="What became of several posts.")
class PostsPayload(Payload):
    """What became of several posts."""

    results: list[PostPayload] = strawberry.field(
        default_factory=list, description="What became of each post of the input, in its order."
    )
    created_count: int = strawberry.field(default=0, description="How many were written.")


async def _answer(info: Info, id_: UUID) -> PostPayload:
    """Read a post that was written, with the relations that are selected."""
    post = await info.context.repositories.posts.get_aggregate_by("id", id_)
    if post is not None:
        info.context.loaders.prime(post)
    return PostPayload(errors=[], row=post)


Change = Callable[[WriteScope, UUID, int | None], Awaitable[None]]


async def _change(info: Info, given: Any, change: Change) -> UUID:
    """Carry a change of one post out, and return its key."""
    id_: UUID = given_id("Post", given.id)

    async def body(scope: WriteScope) -> Outcome:
        await change(scope, id_, given.expected_version)
        return Outcome(id_)

    await carry_out(info, given, body)
    return id_


def _rejected_bulk(*, errors: Sequence[Problem]) -> PostsPayload:
    return PostsPayload(errors=list(errors))  # type: ignore[arg-type] # problems are what the types of errors are read from


async def _prepare_all(given: CreatePostsInput) -> list[Row]:
    inputs = (to_new_post(post, ("posts", str(index))) for index, post in enumerate(given.posts))
    return [await prepare(*new_post) for new_post in inputs]


def _check_bulk(viewer: Viewer, given: CreatePostsInput) -> None:
    require(viewer, Action.CREATE_POST, viewer.id)
    if not given.posts:
        raise Rejected(required(("posts",), "Give at least one post."))
    if len(given.posts) > MAX_BULK:
        message = f"At most {MAX_BULK} posts at once."
        raise Rejected(ValidationProblem(code=ProblemCode.TOO_MANY, message=message, path=("posts",)))


def _bulk_rules() -> FieldRules:
    """Charge for each post that is written, and for what is read of each."""
    return FieldRules(
        prepare=lambda *, given: max(1, len(given.posts)),
        factor=lambda prepared: int(prepared.value),
        surcharge=lambda prepared: WRITE_COST * int(prepared.value),
    )


def _results_by_row(count: int, errors: Sequence[Problem]) -> list[PostPayload]:
    """Give each row of a rejected input its own errors, by their paths."""
    rows: list[list[Any]] = [[] for _ in range(count)]
    for problem in errors:
        if problem.path is not None and problem.path[:1] == ("posts",) and len(problem.path) > 1:
            rows[int(problem.path[1])].append(problem)
    return [PostPayload(errors=row) for row in rows]


async def _bulk_answer(info: Info, outcome: Outcome) -> PostsPayload:
    ids = [result for result in outcome.results if isinstance(result, UUID)]
    rows = dict(zip(ids, await asyncio.gather(*map(info.context.loaders.posts.load, ids)), strict=True))
    results = [
        PostPayload(errors=[], row=rows[result]) if isinstance(result, UUID) else PostPayload(errors=[*result])  # type: ignore[list-item] # problems again
        for result in outcome.results
    ]
    errors = [error for result in results for error in result.errors]
    return PostsPayload(errors=errors, results=results, created_count=len(ids))


@strawberry.type
class PostMutations:
    """Mutations of posts."""

    @mutation(PostPayload, description="Write a new post, as a draft or published at once.")
    async def create_post(self, info: Info, given: Annotated[CreatePostInput, INPUT]) -> PostPayload | None:
        viewer = info.context.viewer
        require(viewer, Action.CREATE_POST, viewer.id)
        row = await prepare(*to_new_post(given))

        async def body(scope: WriteScope) -> Outcome:
            return Outcome(await create_post(scope, row))

        outcome = await carry_out(info, given, body)
        assert outcome.id is not None  # noqa: S101 - else it was rejected
        return await _answer(info, outcome.id)

    @mutation(
        _rejected_bulk,
        description="Write up to 100 posts in one transaction; each costs as many points as one alone.",
        rules=_bulk_rules(),
    )
    async def create_posts(self, info: Info, given: Annotated[CreatePostsInput, INPUT]) -> PostsPayload | None:
        _check_bulk(info.context.viewer, given)
        rows = await _prepare_all(given)

        async def body(scope: WriteScope) -> Outcome:
            keeps_others = given.on_error is BulkErrorPolicy.REJECT_FAILED
            return Outcome(results=tuple(await create_posts(scope, rows, keeps_others=keeps_others)))

        try:
            outcome = await carry_out(info, given, body)
        except Rejected as rejected:
            payload = _rejected_bulk(errors=rejected.problems)
            payload.results = _results_by_row(len(rows), rejected.problems)
            return payload
        return await _bulk_answer(info, outcome)

    @mutation(PostPayload, description="Change a post. Leave out what stays as it is.")
    async def update_post(self, info: Info, given: Annotated[UpdatePostInput, INPUT]) -> PostPayload | None:
        patch = await posts.prepare_patch(*to_patch(given.patch))
        return await _answer(
            info, await _change(info, given, lambda scope, id_, version: posts.update_post(scope, id_, version, patch))
        )

    @mutation(PostPayload, description="Publish a post, now or later.")
    async def publish_post(self, info: Info, given: Annotated[PublishPostInput, INPUT]) -> PostPayload | None:
        return await _answer(
            info,
            await _change(info, given, lambda scope, id_, version: posts.publish_post(scope, id_, version, given.at)),
        )

    @mutation(PostPayload, description="Make a published, scheduled or archived post a draft again.")
    async def unpublish_post(self, info: Info, given: Annotated[UnpublishPostInput, INPUT]) -> PostPayload | None:
        return await _answer(info, await _change(info, given, posts.unpublish_post))

    @mutation(PostPayload, description="Take a post out of the public's sight, and keep when it was published.")
    async def archive_post(self, info: Info, given: Annotated[ArchivePostInput, INPUT]) -> PostPayload | None:
        return await _answer(info, await _change(info, given, posts.archive_post))

    @mutation(DeletePayload, description="Delete a post; `restorePost` brings it back.")
    async def delete_post(self, info: Info, given: Annotated[DeletePostInput, INPUT]) -> DeletePayload | None:
        await _change(info, given, posts.delete_post)
        return DeletePayload(errors=[], deleted_id=given.id)

    @mutation(PostPayload, description="Bring a deleted post back, as it was.")
    async def restore_post(self, info: Info, given: Annotated[RestorePostInput, INPUT]) -> PostPayload | None:
        return await _answer(info, await _change(info, given, posts.restore_post))
