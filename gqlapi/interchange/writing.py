"""Writing articles to the database: each by itself, so that a bad one loses nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.failures import is_transient, sqlstate_of, to_api_error
from gqlapi.database.search import Indexed, PreparedText
from gqlapi.errors import OperationTimeout
from gqlapi.interchange.authors import AuthorFinder
from gqlapi.interchange.blog_data import BlogData
from gqlapi.interchange.reading import Article
from gqlapi.interchange.unreadable import NotAPost, Unreadable
from gqlapi.models import ChangeKind, Post, PostState, Tag, UserRole, Viewer, created_at_of, new_id
from gqlapi.publishing.drafts import TagRef
from gqlapi.publishing.tag_finder import TagFinder
from gqlapi.repositories import WriteScope
from gqlapi.repositories.interchange import ImportRepository
from gqlapi.repositories.post_content import PostContent
from gqlapi.repositories.post_rows import NewPostRow, PostRow, visible_from
from gqlapi.repositories.post_writes import PostWriteRepository
from gqlapi.repositories.tag_writes import TagWriteRepository
from gqlapi.words import fold

# SQLSTATEs: a value that cannot be, a constraint, a value that is too large.
REFUSALS = ("22", "23", "54")
CHANGES_OF_STATE = {PostState.DRAFT: ChangeKind.UNPUBLISHED, PostState.ARCHIVED: ChangeKind.ARCHIVED}


class Status(StrEnum):
    """The result for a file."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """The result for a file, and why, if it was skipped or not taken as it is; `is_bad`: it needs fixing."""

    path: str
    status: Status
    reason: str = ""
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class RenderedArticle:
    """An article, and what was made of its Markdown: that takes a second for a long one, too long for a transaction."""

    article: Article
    content: PostContent


class BlogWriter:
    """Writes the contents of a folder, in one transaction that it neither begins nor ends."""

    def __init__(self, session: AsyncSession, data: BlogData, default_author: str) -> None:
        """Write in a session's transaction."""
        self._session = session
        self._scope = WriteScope(session)
        self._data = data
        self._default_author = default_author
        self._found = ImportRepository(session)
        self._authors = AuthorFinder(self._scope, data.authors)
        self._posts = PostWriteRepository(self._scope)

    async def write_data(self) -> None:
        """Create the authors and the tags that the folder describes and the database lacks."""
        await self._authors.create_described()
        repository = TagWriteRepository(self._scope)
        for entry in self._data.tags:
            if await repository.get_by_name_key(fold(entry.name)) is None:
                tag = Tag(slug=entry.slug, name=entry.name, name_key=fold(entry.name), description=entry.description)
                try:
                    await repository.create(tag)
                except IntegrityError:
                    continue  # its slug is taken: a post that names the tag makes it, with another slug

    async def write(self, rendered: RenderedArticle) -> FileOutcome:
        """Write one article in a savepoint.

        Raises:
            DBAPIError: the database fails for a reason that is not in the file.
        """
        article = rendered.article
        try:
            async with self._session.begin_nested():
                status = await self._write(rendered)
        except Unreadable as reason:
            return FileOutcome(article.path, Status.SKIPPED, str(reason), is_bad=reason.is_bad)
        except DBAPIError as error:
            if not _is_about_the_file(error):
                raise
            return FileOutcome(article.path, Status.SKIPPED, "the database does not take it", is_bad=True)
        return FileOutcome(article.path, status, "; ".join(article.notes))

    async def _write(self, rendered: RenderedArticle) -> Status:
        article = rendered.article
        post = await self._found.get_post_by_slug(article.slug)
        if post is not None and post.deleted_at is not None:
            raise NotAPost("its post was deleted")
        author_id = await self._author_id(article, post)
        tag_ids = await self._tag_ids(article, author_id)
        if post is None:
            await self._create(rendered, author_id, tag_ids)
            return Status.CREATED
        if not _differs(post, article, author_id, tag_ids):
            return Status.UNCHANGED
        await self._update(post, rendered, author_id, tag_ids)
        return Status.UPDATED

    async def _author_id(self, article: Article, post: Post | None) -> UUID:
        owner_id = None if post is None else post.author_id
        if article.author is None and owner_id is not None:
            return owner_id  # the file says nothing of who wrote it
        author = await self._authors.find(article.author or self._default_author, owner_id)
        return author.id

    async def _create(self, rendered: RenderedArticle, author_id: UUID, tag_ids: Sequence[UUID]) -> None:
        article, now = rendered.article, self._scope.now
        # A post that is scheduled for the future was not created there.
        id_ = new_id(min(article.created_at or now, now))
        row = PostRow(
            id=id_,
            created_at=created_at_of(id_),
            updated_at=now,
            slug=article.slug,
            **_values(rendered, author_id),
        )
        created = await self._posts.create([NewPostRow(row, tag_ids, _words(rendered))])
        if not created:
            raise Unreadable("another post took its slug at this moment")

    async def _update(self, post: Post, rendered: RenderedArticle, author_id: UUID, tag_ids: Sequence[UUID]) -> None:
        kind = _kind_of_change(post, rendered.article, self._scope.now)
        await self._posts.update(post, _values(rendered, author_id), kind, _words(rendered))
        public_from = visible_from(rendered.article.state, rendered.article.published_at, deleted_at=None)
        await self._posts.replace_tags(post, tag_ids, public_from)

    async def _tag_ids(self, article: Article, author_id: UUID) -> list[UUID]:
        references = [TagRef(("tags", str(index)), name=name) for index, name in enumerate(article.tags)]
        # The person who runs the import may create tags.
        finder = TagFinder(replace(self._scope, viewer=Viewer(author_id, UserRole.ADMIN)))
        await finder.load(references)
        await finder.create(references)
        return finder.ids_of(references)


def _is_about_the_file(error: DBAPIError) -> bool:
    """Whether the database refuses the values of a file: all else (no table, no connection) befalls every file."""
    if is_transient(error):
        return False
    is_refused = isinstance(error, IntegrityError | DataError) or sqlstate_of(error).startswith(REFUSALS)
    return is_refused or isinstance(to_api_error(error), OperationTimeout)


def _differs(post: Post, article: Article, author_id: UUID, tag_ids: Sequence[UUID]) -> bool:
    stored = (post.title, post.markdown, post.state, post.published_at, post.author_id)
    wanted = (article.title, article.markdown, article.state, article.published_at, author_id)
    return stored != wanted or [link.tag_id for link in post.post_tags] != tag_ids


def _kind_of_change(post: Post, article: Article, now: datetime) -> ChangeKind:
    was_public, is_public = (
        row.state is PostState.PUBLISHED and row.published_at is not None and row.published_at <= now
        for row in (post, article)
    )
    if is_public and not was_public:
        return ChangeKind.PUBLISHED
    if was_public and not is_public and article.state is PostState.PUBLISHED:
        return ChangeKind.UNPUBLISHED
    is_same = post.state is article.state
    return ChangeKind.UPDATED if is_same else CHANGES_OF_STATE.get(article.state, ChangeKind.UPDATED)


def _values(rendered: RenderedArticle, author_id: UUID) -> dict[str, Any]:
    """Return the columns of a post that a file has."""
    article = rendered.article
    return {
        "title": article.title,
        "title_key": fold(article.title),
        "author_id": author_id,
        "state": article.state,
        "published_at": article.published_at,
        "markdown": article.markdown,
        **rendered.content.columns(),
    }


def _words(rendered: RenderedArticle) -> Indexed:
    return Indexed(PreparedText(rendered.article.title), rendered.content.body)
