"""Inputs of the mutations of many posts, and what the publishing layer is given of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import strawberry

from gqlapi.checks import invalid
from gqlapi.problems import Path, Rejected
from gqlapi.publishing.bulk import NOTHING, Row, Target
from gqlapi.publishing.drafts import LONG_MARKDOWN
from gqlapi.publishing.patches import PostPatch, prepare_patch
from gqlapi.schema.mutations.base import EXPECTED_VERSION, IDEMPOTENCY_KEY, given_id, problems_of
from gqlapi.schema.mutations.normal_forms import distinct, normal
from gqlapi.schema.mutations.post_inputs import POST_ID, BulkErrorPolicy, PostPatchInput, TagRefInput, to_patch

POSTS = "1 to 100 posts, each once."
PUBLISH_AT = (
    "When they become public: a time ahead schedules them. If omitted, publishes now or keeps the original publication "
    "time."
)
ON_ERROR = "What happens to the other posts when some cannot be changed."
TAGS_ADDED = "The tags to append to each post, 1 to 20."
TAGS_REMOVED = "The tags to remove, 1 to 20; it is no error when a post does not have one."


def _posts() -> Any:
    return strawberry.field(description=POSTS)


def _on_error() -> Any:
    return strawberry.field(default=BulkErrorPolicy.REJECT_ALL, description=ON_ERROR)


def _key() -> Any:
    return strawberry.field(default=None, description=IDEMPOTENCY_KEY)


@strawberry.input(description="A post, and the version that it must have.")
class PostVersionInput:
    """A post, and the version that it must have."""

    id: strawberry.ID = strawberry.field(description=POST_ID)
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)


@strawberry.input(description="A change of one of several posts.")
class PostChangeInput(PostVersionInput):
    """A change of one of several posts."""

    patch: PostPatchInput = strawberry.field(description="What changes.")


@strawberry.input(description="Changes of several posts.")
class UpdatePostsInput:
    """Changes of several posts."""

    posts: list[PostChangeInput] = _posts()
    on_error: BulkErrorPolicy = _on_error()
    idempotency_key: str | None = _key()


@strawberry.input(description="A publication of several posts.")
class PublishPostsInput:
    """A publication of several posts."""

    posts: list[PostVersionInput] = _posts()
    at: datetime | None = strawberry.field(default=None, description=PUBLISH_AT)
    on_error: BulkErrorPolicy = _on_error()
    idempotency_key: str | None = _key()


@strawberry.input(description="Several posts to delete.")
class DeletePostsInput:
    """Several posts to delete."""

    posts: list[PostVersionInput] = _posts()
    on_error: BulkErrorPolicy = _on_error()
    idempotency_key: str | None = _key()


@strawberry.input(description="Tags to append to several posts.")
class AddTagsInput:
    """Tags to append to several posts."""

    posts: list[PostVersionInput] = _posts()
    tags: list[TagRefInput] = strawberry.field(description=TAGS_ADDED, metadata=normal(distinct))
    on_error: BulkErrorPolicy = _on_error()
    idempotency_key: str | None = _key()


@strawberry.input(description="Tags to remove from several posts.")
class RemoveTagsInput:
    """Tags to remove from several posts."""

    posts: list[PostVersionInput] = _posts()
    tags: list[TagRefInput] = strawberry.field(description=TAGS_REMOVED, metadata=normal(distinct))
    on_error: BulkErrorPolicy = _on_error()
    idempotency_key: str | None = _key()


def to_targets(given: Sequence[PostVersionInput], patch: PostPatch = NOTHING) -> list[Row]:
    """Return the posts of a list, all with one patch, or their problems: an invalid id, or a second mention."""
    rows: list[Row] = []
    seen: set[str] = set()
    for index, item in enumerate(given):
        path: Path = ("posts", str(index))
        decode = partial(given_id, "Post", item.id, (*path, "id"))
        problems = problems_of(decode)
        if item.id in seen:
            problems = (invalid((*path, "id"), "This post is in the list already."),)
        seen.add(item.id)
        rows.append(problems or Target(decode(), item.expected_version, path, patch, tags_path=path))
    return rows


async def to_patched_targets(given: Sequence[PostChangeInput]) -> list[Row]:
    """Return the posts of a list with their patches, checked and rendered, or their problems."""
    rows = to_targets(given)
    is_long = sum(len(item.patch.markdown or "") for item in given) > LONG_MARKDOWN
    for index, (item, row) in enumerate(zip(given, rows, strict=True)):
        if index:
            await asyncio.sleep(0)  # as in `prepare_all`: the names of its tags may take 20 ms
        path: Path = ("posts", str(index), "patch")
        patch, problems = to_patch(item.patch, path)
        known = row if isinstance(row, tuple) else ()
        try:
            patch = await prepare_patch(patch, [*known, *problems], path, is_long=is_long)
        except Rejected as rejected:
            rows[index] = rejected.problems
        else:
            assert isinstance(row, Target)  # noqa: S101 - else it was rejected
            rows[index] = replace(row, patch=patch, tags_path=(*path, "tags"))
    return rows
