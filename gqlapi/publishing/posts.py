"""Writing posts. Each function runs in the transaction of its scope and changes nothing when it rejects."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from gqlapi.accounts.policy import Action, require
from gqlapi.checks import check_version, invalid, not_found
from gqlapi.database.types import to_milliseconds
from gqlapi.models import ChangeKind, GlobalId, Post, PostState, SlugRule
from gqlapi.models.base import EPOCH
from gqlapi.problems import Problem, Rejected, reject_if_any
from gqlapi.publishing.patches import PostPatch, load_tags, patched_tags, patched_values, patched_words
from gqlapi.publishing.slugs import changed_slugs
from gqlapi.publishing.tag_finder import TagFinder
from gqlapi.repositories import WriteScope
from gqlapi.repositories.post_writes import PostWriteRepository
from gqlapi.repositories.records import PostRecord

# The new values of a post's columns, and what the change feed calls it.
Changed = tuple[Mapping[str, Any], ChangeKind]


async def update_post(
    scope: WriteScope, id_: UUID, expected_version: int | None, patch: PostPatch
) -> PostRecord | None:
    """Change a post; an empty patch is checked, and writes nothing.

    Raises:
        Rejected: there is no such post, it has changed, its slug is taken, a tag is not there, or the viewer may not.
    """
    if patch.is_empty:
        await _load(scope, id_, expected_version, locked=False)
        return None
    finder = None
    if patch.tags is not None:
        # Checked before the tags, for the right error; locked after them, for the order of locks.
        await _load(scope, id_, expected_version, locked=False)
        finder = TagFinder(scope)
        reject_if_any(await load_tags(finder, [patch.tags]))
        await finder.create(patch.tags.given)
    repository, post = await _load(
        scope,
        id_,
        expected_version,
        with_tags=finder is not None,
        with_text=patch.needs_text,
    )
    # Rejected before anything is written.
    tag_ids = None
    if patch.tags is not None and finder is not None:
        tag_ids = patched_tags(finder, post, patch.tags, ("patch", "tags"))
    slugs = await changed_slugs(scope, [(post, patch.slug_change)])
    [slug] = slugs
    if not isinstance(slug, dict):
        raise Rejected(slug)
    words = await patched_words(post.title, post.text if patch.needs_text else "", patch)
    record = await repository.update(post, patched_values(patch) | slug, ChangeKind.UPDATED, words)
    if tag_ids is not None:
        await repository.replace_tags(post, tag_ids, post.visible_from)
    return record


def check_publication(at: datetime | None) -> Iterator[Problem]:
    """Check a time of publication."""
    if at is not None and at < EPOCH:
        yield invalid(("at",), "A post cannot be published before 1970.")


async def publish_post(scope: WriteScope, id_: UUID, expected_version: int | None, at: datetime | None) -> PostRecord:
    """Publish a post, now or at a time of the viewer's choice; a time ahead schedules it.

    Without `at`, a post that was public already keeps its time.

    Raises:
        Rejected: there is no such post, it has changed, or the viewer may not.
    """
    return await _change(scope, id_, expected_version, published(scope.now, at))


def published(now: datetime, at: datetime | None) -> Callable[[Post], Changed]:
    """Return how posts change that are published at a moment, for a time of the viewer's choice or for now."""

    def publish(post: Post) -> Changed:
        has_been_public = post.published_at is not None and post.published_at <= now
        is_public = has_been_public and post.state is PostState.PUBLISHED
        chosen = at or (post.published_at if has_been_public else None) or now
        published_at = to_milliseconds(chosen.astimezone(UTC))
        values = {"state": PostState.PUBLISHED, "published_at": published_at, "slug_rule": SlugRule.FIXED}
        if published_at <= now:
            return values, ChangeKind.PUBLISHED
        return values, ChangeKind.UNPUBLISHED if is_public else ChangeKind.UPDATED

    return publish


async def unpublish_post(scope: WriteScope, id_: UUID, expected_version: int | None) -> PostRecord:
    """Turn a post back into a draft, without a publication date.

    Raises:
        Rejected: there is no such post, it has changed, or the viewer may not.
    """
    values = {"state": PostState.DRAFT, "published_at": None}
    return await _change(scope, id_, expected_version, lambda _: (values, ChangeKind.UNPUBLISHED))


async def archive_post(scope: WriteScope, id_: UUID, expected_version: int | None) -> PostRecord:
    """Archive a post; it keeps its publication date, unless that is in the future.

    Raises:
        Rejected: there is no such post, it has changed, or the viewer may not.
    """

    def archive(post: Post) -> Changed:
        # Kept, a time ahead would pass for a time at which the post became public.
        is_ahead = post.published_at is not None and post.published_at > scope.now
        published_at = None if is_ahead else post.published_at
        return {"state": PostState.ARCHIVED, "published_at": published_at}, ChangeKind.ARCHIVED

    return await _change(scope, id_, expected_version, archive)


async def delete_post(scope: WriteScope, id_: UUID, expected_version: int | None) -> PostRecord:
    """Delete a post; it can be restored.

    Raises:
        Rejected: there is no such post, it has changed, or the viewer may not.
    """
    return await _change(scope, id_, expected_version, deleted(scope.now))


def deleted(now: datetime) -> Callable[[Post], Changed]:
    """Return how posts change that are deleted at a moment."""
    return lambda _post: ({"deleted_at": now}, ChangeKind.DELETED)


async def restore_post(scope: WriteScope, id_: UUID, expected_version: int | None) -> PostRecord:
    """Bring a deleted post back, as it was.

    Raises:
        Rejected: there is no such post, it is not deleted, it has changed, or the viewer may not.
    """

    def restore(post: Post) -> Changed:
        if post.deleted_at is None:
            raise Rejected(invalid(("id",), "The post is not deleted."))
        return {"deleted_at": None}, ChangeKind.RESTORED

    return await _change(scope, id_, expected_version, restore, deleted=True)


async def _change(
    scope: WriteScope,
    id_: UUID,
    expected_version: int | None,
    change: Callable[[Post], Changed],
    *,
    deleted: bool = False,
) -> PostRecord:
    repository, post = await _load(scope, id_, expected_version, deleted=deleted)
    return await repository.update(post, *change(post))


async def _load(
    scope: WriteScope,
    id_: UUID,
    expected_version: int | None,
    *,
    deleted: bool = False,
    locked: bool = True,
    with_tags: bool = False,
    with_text: bool = False,
) -> tuple[PostWriteRepository, Post]:
    # A viewer who may not change even their own posts gets that error, whether or not the post exists.
    require(scope.viewer, Action.CHANGE_POST, scope.viewer.id)
    repository = PostWriteRepository(scope)
    if locked:
        post = await repository.get_for_update(id_, deleted=deleted, with_tags=with_tags, with_text=with_text)
    else:
        post = await repository.get(id_, deleted=deleted)
    if post is None:
        raise not_found("Post", GlobalId("Post", id_).encode())
    require(scope.viewer, Action.CHANGE_POST, post.author_id)
    check_version(post, expected_version)
    return repository, post
