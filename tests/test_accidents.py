"""A mutation survives what may happen to PostgreSQL during it."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.engine import EngineOptions
from gqlapi.database.unit import Database
from gqlapi.idempotency import Outcome, run_once
from gqlapi.models import Post, Tag, User, UserRole, Viewer
from gqlapi.publishing.creation import create_post
from gqlapi.publishing.drafts import NewPost, TagRef, prepare
from gqlapi.repositories import WriteScope
from tests.api import gets_everything_back
from tests.consistency import assert_consistent, count
from tests.factories import make_tag, make_user, save
from tests.postgres import Kill, pid_of

ACCIDENTS = {
    "deadlock": "DO $$ BEGIN RAISE 'deadlock' USING ERRCODE = '40P01'; END $$",
    "serialization failure": "DO $$ BEGIN RAISE 'serialization' USING ERRCODE = '40001'; END $$",
    "death within": "SELECT pg_terminate_backend(pg_backend_pid())",
}


def end_backend(url: str, pid: int) -> None:
    """End a backend of PostgreSQL, and wait until it is gone: before the statement that is about to be sent."""

    async def end() -> None:
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
        await connection.close()

    thread = threading.Thread(target=lambda: asyncio.run(end()))
    thread.start()
    thread.join()


class Accident:
    """Something that happens to PostgreSQL at the n-th statement of the first attempt."""

    def __init__(self, kind: str, at: int, url: str) -> None:
        self.kind = kind
        self.at = at
        self.url = url
        self.statements = 0

    @contextmanager
    def befalling(self, database: Database) -> Iterator[None]:
        engine = database.write_engine.sync_engine
        sa.event.listen(engine, "before_cursor_execute", self._count, retval=True)
        try:
            yield
        finally:
            sa.event.remove(engine, "before_cursor_execute", self._count)

    def _count(
        self, connection: sa.Connection, _cursor: object, sql: str, parameters: Any, _context: object, many: Any
    ) -> tuple[str, Any]:
        self.statements += 1
        if self.statements != self.at:
            return sql, parameters
        if self.kind == "death before":
            end_backend(self.url, pid_of(connection))
            return sql, parameters
        return ACCIDENTS[self.kind], [()] if many else ()


class TestAccidents:
    """A mutation survives one at any of its statements. Their kinds are PostgreSQL's; SQLite has nothing to lose."""

    @pytest.mark.parametrize("kind", [*ACCIDENTS, "death before"])
    async def test_go_unnoticed_at_any_statement(self, postgresql_url: str, kind: str) -> None:
        database = Database(postgresql_url, EngineOptions(pool_size=2))
        author = make_user()
        await save(database, [author])
        at = 0
        while True:
            at += 1
            accident = Accident(kind, at, postgresql_url)
            with accident.befalling(database):
                id_ = await self.create(database, author, f"Post {at}")
            assert isinstance(id_, UUID)
            assert (await count(database, Post), await count(database, Tag)) == (at, 2 * at)
            assert await gets_everything_back(database)
            if accident.statements < at:
                break
        assert at > 8
        await assert_consistent(database)
        await database.dispose()

    async def create(self, database: Database, author: User, title: str) -> UUID | None:
        names = [f"{title} {number}" for number in range(2)]
        row = await prepare(NewPost(title, "Text", tags=[TagRef((), name=name) for name in names], publish=True))

        async def body(scope: WriteScope) -> Outcome:
            return Outcome((await create_post(scope, row)).id)

        viewer = Viewer(author.id, UserRole.AUTHOR)
        outcome = await database.transact(
            lambda session: run_once(WriteScope(session, viewer), title, "fingerprint", body)
        )
        return outcome.id

    async def test_of_all_connections_go_unnoticed(self, postgresql_url: str, kill: Kill) -> None:
        """After a restart of the server, each connection of the pool is stale; there are more than attempts."""
        database = Database(postgresql_url, EngineOptions(pool_size=8))
        pids: list[int] = []

        async def write_tag(session: AsyncSession) -> None:
            session.add(make_tag())
            await session.flush()  # a connection that is lost at COMMIT is not tried again

        together = asyncio.Barrier(8)

        async def connect(session: AsyncSession) -> None:
            pids.append((await session.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one())
            await together.wait()

        await asyncio.gather(*(database.transact(connect) for _ in range(8)))
        assert len({*pids}) == 8
        for pid in pids:
            await kill(pid)
        await asyncio.gather(*(database.transact(write_tag) for _ in range(16)))
        assert await count(database, Tag) == 16
        await database.dispose()
