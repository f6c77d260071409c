"""Importing a folder of Markdown files."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.content import render
from gqlapi.database.unit import Database
from gqlapi.interchange.blog_data import BlogData, read_blog_data
from gqlapi.interchange.reading import Article, find_files, name_of, read_article
from gqlapi.interchange.unreadable import Unreadable
from gqlapi.interchange.writing import BlogWriter, FileOutcome, RenderedArticle, Status
from gqlapi.progress import Report
from gqlapi.publishing.checks import MAX_POST_SLUG_LENGTH

FILES_PER_TRANSACTION = 50


async def import_blog(
    database: Database, folder: Path, *, default_author: str, dry_run: bool = False, report: Report | None = None
) -> AsyncIterator[FileOutcome]:
    """Import all Markdown files below a folder, in the order of their names; yield what became of each.

    A transaction for each 50 files, with a savepoint for each file; what was yielded is committed. A post is known by
    its slug: what a file tells replaces what the database has, and a second run changes nothing. `dry_run` rolls
    everything back.

    Raises:
        ApiError: the database timed out or is not available.
    """
    data = read_blog_data(folder)
    for name, reason in data.problems:
        yield FileOutcome(name, Status.SKIPPED, reason, is_bad=True)
    files, reader = find_files(folder), _Reader(folder)
    # An empty folder may still tell of authors and tags.
    for start in range(0, max(len(files), 1), FILES_PER_TRANSACTION):
        # Before the transaction, in which others wait for it, and which may have to be run again.
        batch = [await asyncio.to_thread(reader.read, path) for path in files[start : start + FILES_PER_TRANSACTION]]
        for outcome in await _write(database, batch, data, default_author, is_first=not start, dry_run=dry_run):
            yield outcome
        if report is not None:
            report("files", min(start + FILES_PER_TRANSACTION, len(files)), len(files))


class _DryRun(Exception):
    """Rolls a transaction back."""

    def __init__(self, outcomes: list[FileOutcome]) -> None:
        super().__init__()
        self.outcomes = outcomes


async def _write(
    database: Database,
    batch: Sequence[RenderedArticle | FileOutcome],
    data: BlogData,
    default_author: str,
    *,
    is_first: bool,
    dry_run: bool,
) -> list[FileOutcome]:
    async def body(session: AsyncSession) -> list[FileOutcome]:
        writer = BlogWriter(session, data, default_author)
        if is_first or dry_run:  # in a dry run, each batch finds an untouched database
            await writer.write_data()
        outcomes = [item if isinstance(item, FileOutcome) else await writer.write(item) for item in batch]
        if dry_run:
            raise _DryRun(outcomes)
        return outcomes

    try:
        return await database.transact(body)
    except _DryRun as tried:
        return tried.outcomes


class _Reader:
    """Reads and renders files, and gives each article a slug of its own among them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path_by_slug: dict[str, str] = {}

    def read(self, path: Path) -> RenderedArticle | FileOutcome:
        """Read and render a file; return why not, if it cannot be imported."""
        try:
            article = self._with_own_slug(read_article(path, self._folder))
        except Unreadable as reason:
            return FileOutcome(name_of(path, self._folder), Status.SKIPPED, str(reason), is_bad=reason.is_bad)
        self._path_by_slug[article.slug] = article.path
        return RenderedArticle(article, render(article.markdown))

    def _with_own_slug(self, article: Article) -> Article:
        """Return the article; where an earlier file has its slug, with its day behind."""
        first, when = self._path_by_slug.get(article.slug), article.published_at or article.created_at
        if first is None:
            return article
        day = f"-{when:%Y-%m-%d}" if when else ""
        slug = article.slug[: MAX_POST_SLUG_LENGTH - len(day)].rstrip("-") + day
        if slug in self._path_by_slug:
            raise Unreadable(f"its slug {article.slug} is that of {first}")
        return replace(article, slug=slug, notes=(*article.notes, f"its slug is {slug}: {first} has {article.slug}"))
