"""Writing posts. Each function runs in the transaction of its scope and changes nothing when it rejects."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from gqlapi.accounts.policy import Action, require
from gqlapi.checks import check_version, invalid, not_found
from gqlapi.content import Unrenderable
from gqlapi.database.failures import constraint_of
from gqlapi.database.search import Indexed, PreparedText
from gqlapi.database.types import to_milliseconds
from gqlapi.lines import normalize_line
from gqlapi.models import ChangeKind, GlobalId, Post, PostState
from gqlapi.models.base import EPOCH
from gqlapi.problems import ConflictProblem, Path, Problem, Rejected, reject_if_any
from gqlapi.publishing.checks import (
    MAX_POST_SLUG_LENGTH,
    MAX_TAGS_PER_POST,
    check_markdown,
    check_slug,
    check_title,
    too_many_tags,
    unrenderable,
)
from gqlapi.publishing.drafts import LONG_MARKDOWN, TagRef, check_tags, make_content
from gqlapi.publishing.tag_finder import TagFinder
from gqlapi.repositories import WriteScope
from gqlapi.repositories.post_content import PostContent
from gqlapi.repositories.post_writes import PostWriteRepository
from gqlapi.repositories.records import PostRecord
from gqlapi.words import fold

SLUG_TAKEN = "uq_posts_slug"
# The new values of a post's columns, and what the change feed calls it.
Changed = tuple[Mapping[str, Any], ChangeKind]


@dataclass(frozen=True, slots=True)
class TagListPatch:
    """How the tags of a post change: all at once, or some."""

    set: Sequence[TagRef] | None = None
    add: Sequence[TagRef] = ()
    remove: Sequence[TagRef] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it changes nothing."""
        return self.set is None and not self.add and not self.remove


@dataclass(frozen=True, slots=True)
class PostPatch:
    """What changes of a post; None stays as it is."""

    title: str | None = None
    markdown: str | None = None
    slug: str | None = None
    tags: TagListPatch | None = None
    content: PostContent | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it changes nothing."""
        keeps_tags = self.tags is None or self.tags.is_empty
        return keeps_tags and self.title is None and self.markdown is None and self.slug is None


async def prepare_patch(patch: PostPatch, problems: Sequence[Problem] = ()) -> PostPatch:
    """Check a patch, and render its Markdown, before a transaction begins; `problems` are known already.

    Raises:
        Rejected: for all that is wrong with it.
    """
    problems = [*problems]
    if patch.title is not None:
        problems += check_title(patch.title, ("patch", "title"))
    if patch.markdown is not None:
        problems += check_markdown(patch.markdown, ("patch", "markdown"))
    if patch.slug is not None:
        problems += check_slug(patch.slug, ("patch", "slug"), MAX_POST_SLUG_LENGTH)
    if patch.tags is not None:
        problems += _check_tag_patch(patch.tags)
    reject_if_any(problems)
    if patch.markdown is None:
        return patch
    try:
        content = await make_content(patch.markdown, is_long=len(patch.markdown) > LONG_MARKDOWN)
    except Unrenderable as reason:
        raise Rejected(unrenderable(("patch", "markdown"), reason)) from None
    return replace(patch, content=content)


def _check_tag_patch(patch: TagListPatch) -> list[Problem]:
    path = ("patch", "tags")
    if patch.set is not None and (patch.add or patch.remove):
        return [invalid(path, "`set` cannot be combined with `add` or `remove`.")]
    lists = {"set": patch.set or (), "add": patch.add, "remove": patch.remove}
    return [problem for name, tags in lists.items() for problem in check_tags(tags, (*path, name))]


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
        finder = await _find_tags(scope, patch.tags)
    repository, post = await _load(
        scope,
        id_,
        expected_version,
        with_tags=finder is not None,
        with_text=patch.title is not None and patch.content is None,
    )
    # Rejected before anything is written.
    tag_ids = None if patch.tags is None or finder is None else _patched_tags(finder, post, patch.tags)
    record = await _write_patch(repository, post, _patched_values(patch), await _patched_words(post, patch))
    if tag_ids is not None:
        await repository.replace_tags(post, tag_ids, post.visible_from)
    return record


async def _write_patch(
    repository: PostWriteRepository, post: Post, values: Mapping[str, Any], indexed: Indexed | None
) -> PostRecord:
    slug = values.get("slug", post.slug)
    if slug == post.slug:
        return await repository.update(post, values, ChangeKind.UPDATED, indexed)
    try:
        async with repository.savepoint():
            return await repository.update(post, values, ChangeKind.UPDATED, indexed)
    except IntegrityError as error:
        if constraint_of(error) != SLUG_TAKEN:
            raise
        existing = await repository.ids_by_slug([slug])
        raise Rejected(slug_taken(existing.get(slug), ("patch", "slug"))) from None


def _patched_values(patch: PostPatch) -> dict[str, Any]:
    """Return the new values of columns."""
    values: dict[str, Any] = {}
    if patch.title is not None:
        title = normalize_line(patch.title)
        values |= {"title": title, "title_key": fold(title)}
    if patch.slug is not None:
        values["slug"] = fold(patch.slug)
    if patch.markdown is not None and patch.content is not None:
        values |= {"markdown": patch.markdown, **patch.content.columns()}
    return values


async def _patched_words(post: Post, patch: PostPatch) -> Indexed | None:
    """Return the words that a patched post is found by, None if they stay."""
    if patch.title is None and patch.content is None:
        return None
    title = PreparedText(post.title if patch.title is None else normalize_line(patch.title))
    return Indexed(title, patch.content.body if patch.content else await PreparedText.in_turns(post.text))


def slug_taken(existing: UUID | None, path: Path) -> Problem:
    """Return the problem of a slug that another post has."""
    existing_id = GlobalId("Post", existing).encode() if existing else None
    return ConflictProblem(message="Another post has this slug.", path=path, existing_id=existing_id)


async def _find_tags(scope: WriteScope, patch: TagListPatch) -> TagFinder:
    """Find or create the tags of a patch, before the post is locked."""
    finder = TagFinder(scope)
    given = [*(patch.set or ()), *patch.add]
    await finder.load([*given, *patch.remove])
    # What is to be removed and is not there cannot be on the post.
    reject_if_any(finder.missing(given))
    await finder.create(given)
    return finder


def _patched_tags(finder: TagFinder, post: Post, patch: TagListPatch) -> list[UUID]:
    given = [*(patch.set or ()), *patch.add]
    removed = finder.ids_of(patch.remove)
    kept = [] if patch.set is not None else [link.tag_id for link in post.post_tags]
    tag_ids = [id_ for id_ in dict.fromkeys([*kept, *finder.ids_of(given)]) if id_ not in removed]
    if len(tag_ids) > MAX_TAGS_PER_POST:
        raise Rejected(too_many_tags(("patch", "tags")))
    return tag_ids


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

    def publish(post: Post) -> Changed:
        has_been_public = post.published_at is not None and post.published_at <= scope.now
        is_public = has_been_public and post.state is PostState.PUBLISHED
        chosen = at or (post.published_at if has_been_public else None) or scope.now
        published_at = to_milliseconds(chosen.astimezone(UTC))
        values = {"state": PostState.PUBLISHED, "published_at": published_at}
        if published_at <= scope.now:
            return values, ChangeKind.PUBLISHED
        return values, ChangeKind.UNPUBLISHED if is_public else ChangeKind.UPDATED

    return await _change(scope, id_, expected_version, publish)


async def unpublish_post(scope: WriteScope, id_: UUID, expected_version: int | None) -> PostRecord:
    """Make a post a draft again, without a time of publication.

    Raises:
        Rejected: there is no such post, it has changed, or the viewer may not.
    """
    values = {"state": PostState.DRAFT, "published_at": None}
    return await _change(scope, id_, expected_version, lambda _: (values, ChangeKind.UNPUBLISHED))


async def archive_post(scope: WriteScope, id_: UUID, expected_version: int | None) -> PostRecord:
    """Take a post out of the public's sight; it keeps its time of publication, unless that lies ahead.

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
    values = {"deleted_at": scope.now}
    return await _change(scope, id_, expected_version, lambda _: (values, ChangeKind.DELETED))


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
    # Who could not even change a post of their own is told so, whatever there is.
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
