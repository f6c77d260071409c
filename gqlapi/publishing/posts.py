"""Writing posts. Each function runs in the transaction of its scope and changes nothing when it rejects."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from gqlapi.accounts.policy import Action, require
from gqlapi.checks import check_version, invalid, not_found
from gqlapi.content import RENDERER_VERSION, RenderedContent, Unrenderable
from gqlapi.database.failures import constraint_of
from gqlapi.database.search import PreparedText
from gqlapi.models import ChangeKind, GlobalId, Post, PostState
from gqlapi.models.base import EPOCH
from gqlapi.problems import ConflictProblem, Path, Problem, ProblemCode, Rejected, ValidationProblem, reject_if_any
from gqlapi.publishing.checks import (
    MAX_POST_SLUG_LENGTH,
    MAX_TAGS_PER_POST,
    check_markdown,
    check_slug,
    check_title,
    unrenderable,
)
from gqlapi.publishing.drafts import LONG_MARKDOWN, TagRef, check_tags, make_content
from gqlapi.publishing.tag_finder import TagFinder
from gqlapi.repositories import WriteScope
from gqlapi.repositories.post_content import PostContent
from gqlapi.repositories.post_writes import PostWriteRepository
from gqlapi.words import fold

SLUG_TAKEN = "uq_posts_slug"


@dataclass(frozen=True, slots=True)
class TagListPatch:
    """How the tags of a post change: all at once, or some."""

    set: Sequence[TagRef] | None = None
    add: Sequence[TagRef] = ()
    remove: Sequence[TagRef] = ()


@dataclass(frozen=True, slots=True)
class PostPatch:
    """What changes of a post; None stays as it is."""

    title: str | None = None
    markdown: str | None = None
    slug: str | None = None
    tags: TagListPatch | None = None
    content: PostContent | None = None


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


async def update_post(scope: WriteScope, id_: UUID, expected_version: int | None, patch: PostPatch) -> None:
    """Change a post.

    Raises:
        Rejected: there is no such post, it has changed, its slug is taken, a tag is not there, or the viewer may not.
    """
    finder = None
    if patch.tags is not None:
        # Checked before the tags, for the right error; locked after them, for the order of locks.
        await _load(scope, id_, expected_version, locked=False)
        finder = await _find_tags(scope, patch.tags)
    repository, post = await _load(scope, id_, expected_version)
    tag_ids = None if patch.tags is None or finder is None else _patched_tags(finder, post, patch.tags)
    try:
        async with repository.savepoint():
            _apply(post, patch)
            await repository.update(post, ChangeKind.UPDATED)
    except IntegrityError as error:
        if constraint_of(error) != SLUG_TAKEN:
            raise
        slug = fold(patch.slug or "")
        existing = await repository.ids_by_slug([slug])
        raise Rejected(slug_taken(existing.get(slug), ("patch", "slug"))) from None
    if tag_ids is not None:
        await repository.replace_tags(post, tag_ids)
    if patch.content is not None:
        await repository.index(post, patch.content.body)
    elif patch.title is not None:
        await repository.index(post, await PreparedText.in_turns(post.text))


def _apply(post: Post, patch: PostPatch) -> None:
    if patch.title is not None:
        post.title, post.title_key = patch.title.strip(), fold(patch.title.strip())
    if patch.slug is not None:
        post.slug = fold(patch.slug)
    if patch.markdown is not None and patch.content is not None:
        post.markdown = patch.markdown
        set_content(post, patch.content.rendered)


def set_content(post: Post, content: RenderedContent) -> None:
    """Take over what was rendered from the post's Markdown."""
    post.html, post.text = content.html, content.text
    post.reading_time_minutes, post.renderer = content.reading_time_minutes, RENDERER_VERSION


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
        message = f"A post has at most {MAX_TAGS_PER_POST} tags."
        raise Rejected(ValidationProblem(code=ProblemCode.TOO_MANY, message=message, path=("patch", "tags")))
    return tag_ids


def check_publication(at: datetime | None) -> Iterator[Problem]:
    """Check a time of publication."""
    if at is not None and at < EPOCH:
        yield invalid(("at",), "A post cannot be published before 1970.")


async def publish_post(scope: WriteScope, id_: UUID, expected_version: int | None, at: datetime | None) -> None:
    """Publish a post, now or at a time of the viewer's choice; a time ahead schedules it.

    Without `at`, a post that was public already keeps its time.

    Raises:
        Rejected: there is no such post, it has changed, or the viewer may not.
    """

    def publish(post: Post) -> ChangeKind:
        has_been_public = post.published_at is not None and post.published_at <= scope.now
        is_public = has_been_public and post.state is PostState.PUBLISHED
        published_at = at or (post.published_at if has_been_public else None) or scope.now
        post.state, post.published_at = PostState.PUBLISHED, published_at
        if published_at <= scope.now:
            return ChangeKind.PUBLISHED
        return ChangeKind.UNPUBLISHED if is_public else ChangeKind.UPDATED

    await _change(scope, id_, expected_version, publish)


async def unpublish_post(scope: WriteScope, id_: UUID, expected_version: int | None) -> None:
    """Make a post a draft again, without a time of publication.

    Raises:
        Rejected: there is no such post, it has changed, or the viewer may not.
    """

    def unpublish(post: Post) -> ChangeKind:
        post.state, post.published_at = PostState.DRAFT, None
        return ChangeKind.UNPUBLISHED

    await _change(scope, id_, expected_version, unpublish)


async def archive_post(scope: WriteScope, id_: UUID, expected_version: int | None) -> None:
    """Take a post out of the public's sight; it keeps its time of publication, unless that lies ahead.

    Raises:
        Rejected: there is no such post, it has changed, or the viewer may not.
    """

    def archive(post: Post) -> ChangeKind:
        post.state = PostState.ARCHIVED
        if post.published_at is not None and post.published_at > scope.now:
            post.published_at = None  # else it would pass for a time at which the post became public
        return ChangeKind.ARCHIVED

    await _change(scope, id_, expected_version, archive)


async def delete_post(scope: WriteScope, id_: UUID, expected_version: int | None) -> None:
    """Delete a post; it can be restored.

    Raises:
        Rejected: there is no such post, it has changed, or the viewer may not.
    """

    def delete(post: Post) -> ChangeKind:
        post.deleted_at = scope.now
        return ChangeKind.DELETED

    await _change(scope, id_, expected_version, delete)


async def restore_post(scope: WriteScope, id_: UUID, expected_version: int | None) -> None:
    """Bring a deleted post back, as it was.

    Raises:
        Rejected: there is no such post, it is not deleted, it has changed, or the viewer may not.
    """

    def restore(post: Post) -> ChangeKind:
        if post.deleted_at is None:
            raise Rejected(invalid(("id",), "The post is not deleted."))
        post.deleted_at = None
        return ChangeKind.RESTORED

    await _change(scope, id_, expected_version, restore, deleted=True)


async def _change(
    scope: WriteScope,
    id_: UUID,
    expected_version: int | None,
    apply: Callable[[Post], ChangeKind],
    *,
    deleted: bool = False,
) -> None:
    repository, post = await _load(scope, id_, expected_version, deleted=deleted)
    await repository.update(post, apply(post))


async def _load(
    scope: WriteScope, id_: UUID, expected_version: int | None, *, deleted: bool = False, locked: bool = True
) -> tuple[PostWriteRepository, Post]:
    # Who could not even change a post of their own is told so, whatever there is.
    require(scope.viewer, Action.CHANGE_POST, scope.viewer.id)
    repository = PostWriteRepository(scope)
    get = repository.get_for_update if locked else repository.get
    post = await get(id_, deleted=deleted)
    if post is None:
        raise not_found("Post", GlobalId("Post", id_).encode())
    require(scope.viewer, Action.CHANGE_POST, post.author_id)
    check_version(post, expected_version)
    return repository, post
