"""Writing articles to the database: each by itself, so that a bad one loses nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.content import render
from gqlapi.database.failures import is_transient, sqlstate_of, to_api_error
from gqlapi.errors import OperationTimeout
from gqlapi.interchange.authors import AuthorFinder
from gqlapi.interchange.blog_data import BlogData
from gqlapi.interchange.reading import Article
from gqlapi.interchange.unreadable import NotAPost
from gqlapi.models import ChangeKind, Post, PostState, PostTag, Tag, User, UserRole, Viewer, new_id
from gqlapi.publishing.drafts import TagRef
from gqlapi.publishing.posts import set_content
from gqlapi.publishing.tags import TagFinder
from gqlapi.repositories import WriteScope
from gqlapi.repositories.interchange import ImportRepository
from gqlapi.repositories.post_writes import PostWriteRepository
from gqlapi.repositories.tag_writes import TagWriteRepository
from gqlapi.words import fold

# SQLSTATEs: a value that cannot be, a constraint, a value that is too large.
REFUSALS = ("22", "23", "54")
CHANGES_OF_STATE = {
    PostState.DRAFT: ChangeKind.UNPUBLISHED,
    PostState.PUBLISHED: ChangeKind.PUBLISHED,
    PostState.ARCHIVED: ChangeKind.ARCHIVED,
}


class Status(StrEnum):
    """What became of a file."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of a file, and why, if it was skipped or not taken as it is; `is_bad`: somebody should mend it."""

    path: str
    status: Status
    reason: str = ""
    is_bad: bool = False


class BlogWriter:
    """Writes what a folder tells, in one transaction that it neither begins nor ends."""

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

    async def write(self, article: Article) -> FileOutcome:
        """Write one article in a savepoint.

        Raises:
            DBAPIError: the database fails for a reason that is not in the file.
        """
        try:
            async with self._session.begin_nested():
                status = await self._write(article)
        except NotAPost as reason:
            return FileOutcome(article.path, Status.SKIPPED, str(reason))
        except DBAPIError as error:
            if not _is_about_the_file(error):
                raise
            return FileOutcome(article.path, Status.SKIPPED, "the database does not take it", is_bad=True)
        return FileOutcome(article.path, status, "; ".join(article.notes))

    async def _write(self, article: Article) -> Status:
        post = await self._found.get_post_by_slug(article.slug)
        if post is not None and post.deleted_at is not None:
            raise NotAPost("its post was deleted")
        author = await self._authors.find(article.author or self._default_author)
        tag_ids = await self._tag_ids(article, author)
        if post is None:
            await self._create(article, author, tag_ids)
            return Status.CREATED
        if not _differs(post, article, author, tag_ids):
            return Status.UNCHANGED
        await self._update(post, article, author, tag_ids)
        return Status.UPDATED

    async def _create(self, article: Article, author: User, tag_ids: Sequence[UUID]) -> None:
        # A post that is scheduled for the future was not created there.
        created_at = min(article.created_at or self._scope.now, self._scope.now)
        post = Post(id=new_id(created_at), slug=article.slug)
        _apply(post, article, author)
        post.post_tags = [
            PostTag(tag_id=id_, position=position, visible_from=post.visible_from)
            for position, id_ in enumerate(tag_ids)
        ]
        await self._posts.create([post])

    async def _update(self, post: Post, article: Article, author: User, tag_ids: Sequence[UUID]) -> None:
        kind = _kind_of_change(post, article, self._scope.now)
        _apply(post, article, author)
        await self._posts.update(post, kind)
        await self._posts.replace_tags(post, tag_ids)
        await self._posts.index(post)

    async def _tag_ids(self, article: Article, author: User) -> list[UUID]:
        references = [TagRef(("tags", str(index)), name=name) for index, name in enumerate(article.tags)]
        # Whoever runs the import may create tags.
        finder = TagFinder(replace(self._scope, viewer=Viewer(author.id, UserRole.ADMIN)))
        await finder.load(references)
        return finder.resolve(references)[0]


def _is_about_the_file(error: DBAPIError) -> bool:
    """Tell whether the database refuses what a file says: all else (no table, no connection) befalls every file."""
    if is_transient(error):
        return False
    is_refused = isinstance(error, IntegrityError | DataError) or sqlstate_of(error).startswith(REFUSALS)
    return is_refused or isinstance(to_api_error(error), OperationTimeout)


def _differs(post: Post, article: Article, author: User, tag_ids: Sequence[UUID]) -> bool:
    stored = (post.title, post.markdown, post.state, post.published_at, post.author_id)
    told = (article.title, article.markdown, article.state, article.published_at, author.id)
    return stored != told or [link.tag_id for link in post.post_tags] != tag_ids


def _kind_of_change(post: Post, article: Article, now: datetime) -> ChangeKind:
    becomes_public = article.published_at is not None and article.published_at <= now
    if post.state is article.state or (article.state is PostState.PUBLISHED and not becomes_public):
        return ChangeKind.UPDATED
    return CHANGES_OF_STATE[article.state]


def _apply(post: Post, article: Article, author: User) -> None:
    post.title, post.title_key = article.title, fold(article.title)
    post.author_id = author.id
    post.state, post.published_at = article.state, article.published_at
    post.markdown = article.markdown
    set_content(post, render(article.markdown))
