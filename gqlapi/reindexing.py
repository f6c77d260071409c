"""Indexing all rows again for the search, after an upgrade that changes the words, or a loss."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.search import Indexed
from gqlapi.database.search_index import SOURCES, Document, SearchRow, count_rows, orphans, rows_after, rows_by_ids
from gqlapi.database.unit import Database
from gqlapi.progress import Report
from gqlapi.repositories.search import BATCH_SIZE, SearchIndex


async def reindex(database: Database, report: Report | None = None) -> dict[str, int]:
    """Index all posts, users and tags, and remove what has no row; return how many documents were written or removed.

    A batch of 50 rows is read in one transaction, prepared outside of any, and written in another one, which leaves
    out what has changed since: who changed it has indexed it. So it runs beside a serving server, and can be stopped
    and started again.
    """
    counts: dict[str, int] = {}
    for kind in SOURCES:
        counts[f"{kind}s"] = await _index(database, kind, report)
    counts["removed"] = sum([await _remove_orphans(database, kind) for kind in SOURCES])
    return counts


async def _index(database: Database, kind: str, report: Report | None) -> int:
    written, done, last = 0, 0, None
    async with database.write() as session:
        total = (await session.execute(count_rows(kind))).scalar_one()
    while True:
        async with database.write() as session:
            rows = [SearchRow(*row) for row in await session.execute(rows_after(kind, last))]
        if not rows:
            return written
        prepared = {row.id: Indexed.of(row.title, row.body) for row in rows}
        written += await database.transact(lambda session: _write(session, kind, rows, prepared))  # noqa: B023 - awaited
        done, last = done + len(rows), rows[-1].id
        if report is not None:
            report(f"{kind}s", done, max(total, done))


async def _write(session: AsyncSession, kind: str, rows: list[SearchRow], prepared: dict[UUID, Indexed]) -> int:
    current = {SearchRow(*row) for row in await session.execute(rows_by_ids(kind, [row.id for row in rows]))}
    documents: list[Document] = [(row.id, kind, prepared[row.id]) for row in rows if row in current]
    async for _ in SearchIndex(session).put_all(documents):
        pass
    return len(documents)


async def _remove_orphans(database: Database, kind: str) -> int:
    removed = 0
    while True:
        found = await database.transact(lambda session: _remove(session, kind))
        removed += found
        if found < BATCH_SIZE:
            return removed


async def _remove(session: AsyncSession, kind: str) -> int:
    ids = [*(await session.execute(orphans(kind).limit(BATCH_SIZE))).scalars()]
    if ids:
        await SearchIndex(session).remove(ids)
    return len(ids)
