"""Writing articles to the database: each file by itself, so that a bad one loses nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.accounts.registration import MAX_DISPLAY_NAME_LENGTH, MAX_USERNAME_LENGTH, USERNAME
from gqlapi.content import render
from gqlapi.database.failures import is_transient
from gqlapi.database.unit import Database
from gqlapi.interchange.front_matter import Unreadable, parse_yaml
from gqlapi.interchange.reading import MAX_SLUG_LENGTH, Article, find_files, read_article, read_text
from gqlapi.models import ChangeKind, Post, PostState, PostTag, Tag, User, UserRole, Viewer, new_id
from gqlapi.problems import Problem, Rejected, reject_if_any
from gqlapi.progress import Report
from gqlapi.publishing.checks import MAX_TAGS_PER_POST, check_title
from gqlapi.publishing.drafts import TagRef, check_tags
from gqlapi.publishing.posts import set_content
from gqlapi.publishing.tags import TagFinder
from gqlapi.repositories import WriteScope
from gqlapi.repositories.interchange import ImportRepository
from gqlapi.repositories.post_writes import PostWriteRepository
from gqlapi.repositories.tag_writes import TagWriteRepository
from gqlapi.repositories.user_writes import UserWriteRepository
from gqlapi.words import fold, slug_of

FILES_PER_TRANSACTION = 50


class Status(StrEnum):
    """What became of a file."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of a file, and why, if it was skipped or not taken as it is."""

    path: str
    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BlogData:
    """What a folder tells of authors and tags beside its posts, by their folded names."""

    authors: dict[str, dict[str, Any]]
    tags: list[dict[str, Any]]


class _DryRun(Exception):
    def __init__(self, outcomes: list[FileOutcome]) -> None:
        super().__init__()
        self.outcomes = outcomes


async def import_blog(
    database: Database, folder: Path, *, default_author: str, dry_run: bool = False, report: Report | None = None
) -> list[FileOutcome]:
    """Import all Markdown files below a folder; return what became of each, in the order of their paths.

    A transaction for each 50 files, with a savepoint for each file. A post is known by its slug: what a file tells
    replaces what the database has, and a second run changes nothing. `dry_run` rolls everything back.
    """
    files = find_files(folder)
    data = read_blog_data(folder)
    outcomes: dict[str, FileOutcome] = {}
    articles = _read(files, folder, outcomes)
    for start in range(0, max(len(articles), 1), FILES_PER_TRANSACTION):
        batch = articles[start : start + FILES_PER_TRANSACTION]

        async def body(session: AsyncSession, batch: Sequence[Article] = batch) -> list[FileOutcome]:
            importer = _Importer(session, data, default_author)
            await importer.write_tags()
            written = [await importer.write(article) for article in batch]
            if dry_run:
                raise _DryRun(written)
            return written

        try:
            written = await database.transact(body)
        except _DryRun as tried:
            written = tried.outcomes
        outcomes |= {outcome.path: outcome for outcome in written}
        if report is not None:
            report("files", min(start + FILES_PER_TRANSACTION, len(articles)), len(articles))
    return [outcomes[path] for path in sorted(outcomes)]


def _read(files: Sequence[Path], folder: Path, outcomes: dict[str, FileOutcome]) -> list[Article]:
    """Read the files, and give each article a slug of its own."""
    articles: dict[str, Article] = {}
    for path in files:
        name = path.relative_to(folder).as_posix()
        try:
            article = _with_own_slug(read_article(path, folder), articles)
        except Unreadable as unreadable:
            outcomes[name] = FileOutcome(name, Status.SKIPPED, str(unreadable))
        else:
            articles[article.slug] = article
    return [*articles.values()]


def _with_own_slug(article: Article, others: dict[str, Article]) -> Article:
    """Return the article; where another file has its slug, with its day behind."""
    if article.slug in others and article.date is not None:
        day = f"-{article.date:%Y-%m-%d}"
        article = replace(article, slug=article.slug[: MAX_SLUG_LENGTH - len(day)] + day)
    if article.slug in others:
        raise Unreadable(f"its slug is that of {others[article.slug].path}")
    return article


def read_blog_data(folder: Path) -> BlogData:
    """Read what `export` writes beside the posts; what is not there, or not in its form, is no data."""
    authors, tags = _read_yaml(folder / "_data" / "authors.yml"), _read_yaml(folder / "_data" / "tags.yml")
    return BlogData(
        {fold(str(name)): value for name, value in authors.items() if isinstance(value, dict)}
        if isinstance(authors, dict)
        else {},
        [tag for tag in tags if isinstance(tag, dict) and tag.get("name")] if isinstance(tags, list) else [],
    )


def _read_yaml(path: Path) -> Any:
    try:
        return parse_yaml(read_text(path)) if path.is_file() else None
    except Unreadable:
        return None


class _Importer:
    """One transaction of an import."""

    def __init__(self, session: AsyncSession, data: BlogData, default_author: str) -> None:
        self._session = session
        self._scope = WriteScope(session)
        self._data = data
        self._default_author = default_author
        self._found = ImportRepository(session)
        self._posts = PostWriteRepository(self._scope)

    async def write_tags(self) -> None:
        """Create the tags that the folder describes and the database lacks."""
        for described in self._data.tags:
            name = str(described["name"]).strip()
            if await self._found.get_tag_by_name_key(fold(name)) is None:
                slug = slug_of(str(described.get("slug") or name), 100) or "tag"
                tag = Tag(slug=slug, name=name, name_key=fold(name), description=described.get("description"))
                try:
                    await TagWriteRepository(self._scope).create(tag)
                except DBAPIError as error:
                    if is_transient(error):
                        raise

    async def write(self, article: Article) -> FileOutcome:
        """Write one article in a savepoint."""
        try:
            reject_if_any(check_title(article.title, ("title",)))
            async with self._session.begin_nested():
                status = await self._write(article)
        except Rejected as rejected:
            return FileOutcome(article.path, Status.SKIPPED, _reasons(rejected.problems))
        except Unreadable as unreadable:
            return FileOutcome(article.path, Status.SKIPPED, str(unreadable))
        except DBAPIError as error:
            if is_transient(error):
                raise
            return FileOutcome(article.path, Status.SKIPPED, "the database cannot take it")
        note = article.note
        if len(article.tags) > MAX_TAGS_PER_POST:
            note = "; ".join(
                filter(None, [note, f"only {MAX_TAGS_PER_POST} of its {len(article.tags)} tags were taken"])
            )
        return FileOutcome(article.path, status, note)

    async def _write(self, article: Article) -> Status:
        author = await self._author(article.author or self._default_author)
        tag_ids = await self._tags(article, author)
        post = await self._found.get_post_by_slug(article.slug)
        if post is None:
            await self._create(article, author, tag_ids)
            return Status.CREATED
        if post.deleted_at is not None:
            raise Unreadable("its post was deleted")
        if not _differs(post, article, author, tag_ids):
            return Status.UNCHANGED
        _apply(post, article, author)
        await self._posts.update(post, ChangeKind.UPDATED)
        await self._posts.replace_tags(post, tag_ids)
        await self._posts.index(post)
        return Status.UPDATED

    async def _create(self, article: Article, author: User, tag_ids: Sequence[Any]) -> None:
        created_at = article.created_at or article.date or self._scope.now
        post = Post(id=new_id(created_at), slug=article.slug)
        _apply(post, article, author)
        post.post_tags = [
            PostTag(tag_id=id_, position=position, visible_from=post.visible_from)
            for position, id_ in enumerate(tag_ids)
        ]
        await self._posts.create([post])

    async def _author(self, name: str) -> User:
        """Find an author by their name without regard to case, or create one who cannot sign in."""
        username = name if USERNAME.fullmatch(name) else slug_of(name, MAX_USERNAME_LENGTH)
        if not 0 < len(username) <= MAX_USERNAME_LENGTH:
            raise Unreadable(f"{name[:MAX_USERNAME_LENGTH]!r} cannot become a user name")
        user = await self._found.get_user_by_key(fold(username))
        if user is not None:
            return user
        described = self._data.authors.get(fold(username), {})
        user = User(
            id=new_id(),
            username=username,
            username_key=fold(username),
            display_name=str(described.get("name") or name)[:MAX_DISPLAY_NAME_LENGTH],
            bio=described.get("bio"),
            avatar_url=described.get("avatar_url"),
            role=UserRole.AUTHOR,
        )
        await UserWriteRepository(self._scope).create(user)
        return user

    async def _tags(self, article: Article, author: User) -> list[Any]:
        names = article.tags[:MAX_TAGS_PER_POST]
        references = [TagRef(("tags", str(index)), name=name) for index, name in enumerate(names)]
        reject_if_any(check_tags(references, ("tags",)))
        # Whoever runs the import may create tags.
        finder = TagFinder(replace(self._scope, viewer=Viewer(author.id, UserRole.ADMIN)))
        await finder.load(references)
        return finder.resolve(references)[0]


def _published_at(article: Article) -> Any:
    return None if article.state is PostState.DRAFT else article.date


def _differs(post: Post, article: Article, author: User, tag_ids: Sequence[Any]) -> bool:
    stored = (post.title, post.markdown, post.state, post.published_at, post.author_id)
    told = (article.title.strip(), article.markdown, article.state, _published_at(article), author.id)
    return stored != told or [link.tag_id for link in post.post_tags] != tag_ids


def _apply(post: Post, article: Article, author: User) -> None:
    post.title, post.title_key = article.title.strip(), fold(article.title.strip())
    post.markdown, post.author_id = article.markdown, author.id
    post.state, post.published_at = article.state, _published_at(article)
    set_content(post, render(article.markdown))


def _reasons(problems: Sequence[Problem]) -> str:
    return "; ".join(f"{'.'.join(problem.path or ())}: {problem.message}" for problem in problems)
