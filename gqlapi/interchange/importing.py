"""Importing a folder of Markdown files."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.content import Checkpoint, Unrenderable
from gqlapi.database.unit import Database
from gqlapi.interchange.blog_data import BlogData, read_blog_data
from gqlapi.interchange.reading import Article, find_files, name_of, read_article
from gqlapi.interchange.unreadable import Unreadable
from gqlapi.interchange.writing import BlogWriter, FileOutcome, RenderedArticle, Status
from gqlapi.progress import Report
from gqlapi.publishing.checks import MAX_POST_SLUG_LENGTH
from gqlapi.repositories.post_content import PostContent
from gqlapi.work_pool import COMMAND_POOL

# Bounds of what is in memory at once; a batch has at least one file.
FILES_PER_TRANSACTION, TEXT_PER_TRANSACTION = 50, 1_000_000


async def import_blog(
    database: Database, folder: Path, *, default_author: str, dry_run: bool = False, report: Report | None = None
) -> AsyncIterator[FileOutcome]:
    """Import all Markdown files below a folder, in the order of their names; yield the result of each.

    A transaction for at most 50 files, with a savepoint for each file; what was yielded is committed. A post is known
    by its slug: the values of a file replace those of the database, and a second run changes nothing. `dry_run` rolls
    everything back.

    Raises:
        ApiError: the database timed out or is not available.
    """
    data = read_blog_data(folder)
    for name, reason in data.problems:
        yield FileOutcome(name, Status.SKIPPED, reason, is_bad=True)
    files, reader = find_files(folder), _Reader(folder)
    done, is_first = 0, True
    # An empty folder may still describe authors and tags.
    while is_first or done < len(files):
        # Before the transaction, in which others wait for it, and which may have to be run again.
        batch = await reader.read_batch(files[done : done + FILES_PER_TRANSACTION])
        for outcome in await _write(database, batch, data, default_author, is_first=is_first, dry_run=dry_run):
            yield outcome
        done, is_first = done + len(batch), False
        if report is not None:
            report("files", done, len(files))


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
    """Reads and renders files, and gives each article its own slug among them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path_by_slug: dict[str, str] = {}

    async def read_batch(self, paths: Sequence[Path]) -> list[RenderedArticle | FileOutcome]:
        """Read and render the first of some files: as many as fit into one transaction, at least one."""
        batch: list[RenderedArticle | FileOutcome] = []
        length = 0
        for path in paths:
            item = await COMMAND_POOL.run(partial(self._read, path))
            batch.append(item)
            length += len(item.article.markdown) if isinstance(item, RenderedArticle) else 0
            if length >= TEXT_PER_TRANSACTION:
                break
        return batch

    def _read(self, path: Path, checkpoint: Checkpoint) -> RenderedArticle | FileOutcome:
        """Read and render a file; return why not, if it cannot be imported."""
        try:
            article = self._with_own_slug(read_article(path, self._folder))
            rendered = RenderedArticle(article, PostContent.of(article.markdown, checkpoint))
        except Unreadable as reason:
            return FileOutcome(name_of(path, self._folder), Status.SKIPPED, str(reason), is_bad=reason.is_bad)
        except Unrenderable as reason:
            return FileOutcome(name_of(path, self._folder), Status.SKIPPED, str(reason), is_bad=True)
        self._path_by_slug[article.slug] = article.path
        return rendered

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
