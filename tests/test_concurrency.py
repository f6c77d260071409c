"""One operation reads one state of the database, and gives everything back, no matter what happens."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from gqlapi.database.engine import EngineOptions
from gqlapi.database.unit import Database
from gqlapi.models import Tag
from tests.api import Api, gets_everything_back, in_unit, serve, settings_for
from tests.clocks import Deadlines
from tests.examples import rounds
from tests.factories import make_tag, save

FIVE_FIELDS = """
{
  users(first: 1) { totalCount nodes { id } }
  tags(first: 1) { totalCount nodes { id } }
  posts(first: 1) { totalCount nodes { id } }
  moreTags: tags(last: 1) { nodes { id } }
  morePosts: posts(last: 1) { nodes { id } }
}
"""
TAGS = "{ tags(first: 100) { nodes { id } totalCount } }"
SLOW = {
    "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
}


@contextmanager
def slow_reads(database: Database) -> Iterator[None]:
    """Let every SELECT take much longer than the server allows."""
    engine = database.read_engine.sync_engine

    def slow_down(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        return (SLOW[database.dialect_name], ()) if statement.startswith("SELECT") else (statement, parameters)

    sa.event.listen(engine, "before_cursor_execute", slow_down, retval=True)
    try:
        yield
    finally:
        sa.event.remove(engine, "before_cursor_execute", slow_down)


@asynccontextmanager
async def concurrent_writer(database: Database) -> AsyncIterator[None]:
    """Insert and delete tags for the length of the block; there are never more than 60."""

    async def write() -> None:
        while True:
            tags = [make_tag() for _ in range(3)]
            ids = [tag.id for tag in tags]
            async with database.write() as session:
                session.add_all(tags)
            async with database.write() as session:
                await session.execute(sa.delete(Tag).where(Tag.id.in_(ids)))

    writing = asyncio.create_task(write())
    try:
        yield
    finally:
        assert not writing.done(), writing.exception()
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing


async def is_torn(api: Api) -> bool:
    tags = (await api.data(TAGS))["tags"]
    return len(tags["nodes"]) != int(tags["totalCount"])


class TestRootFields:
    async def test_run_at_once_on_a_cold_pool(self, database_url: str) -> None:
        async with serve(settings_for(database_url, pool_pre_ping=True)) as api:
            for _ in range(rounds(60)):
                await api.database.dispose()
                assert len(await api.data(FIVE_FIELDS)) == 5


class TestSnapshot:
    async def test_counts_the_rows_that_it_reads(self, api: Api) -> None:
        await save(api.database, [make_tag() for _ in range(50)])
        async with concurrent_writer(api.database):
            assert not any([await is_torn(api) for _ in range(rounds(150))])

    async def test_is_what_keeps_them_equal(self, postgresql_url: str) -> None:
        """The writer of the test above is fast enough to be seen between two statements."""
        async with serve(settings_for(postgresql_url, read_consistency="statement")) as api:
            await save(api.database, [make_tag() for _ in range(50)])
            async with concurrent_writer(api.database), asyncio.timeout(60):
                while not await is_torn(api):
                    pass


class TestCleanUp:
    async def test_follows_an_operation_that_took_too_long(self, database_url: str, deadlines: Deadlines) -> None:
        settings = settings_for(database_url, pool_size=3, pool_timeout_seconds=20, statement_timeout_ms=20_000)
        async with serve(settings) as api:
            with slow_reads(api.database):
                running = asyncio.gather(*(api.execute(FIVE_FIELDS) for _ in range(6)))
                while api.database.gate.waiting < 3:
                    await asyncio.sleep(0.01)
                # Those that waited have their deadline once they run.
                while not running.done():
                    deadlines.expire()
                    await asyncio.sleep(0.01)
                results = await running
            assert {error["extensions"]["code"] for result in results for error in result["errors"]} == {"TIMEOUT"}
            assert await gets_everything_back(api.database)
            await in_unit(api.database, lambda unit: unit.rows(sa.select(Tag.id)))

    async def test_follows_a_statement_that_took_too_long(self, database_url: str) -> None:
        async with serve(settings_for(database_url, pool_size=3, statement_timeout_ms=100)) as api:
            with slow_reads(api.database):
                results = await asyncio.gather(*(api.execute(FIVE_FIELDS) for _ in range(6)))
            assert {error["extensions"]["code"] for result in results for error in result["errors"]} == {"TIMEOUT"}
            assert await gets_everything_back(api.database)
            assert await api.data(FIVE_FIELDS)

    async def test_follows_clients_that_do_not_wait(self, database_url: str) -> None:
        async with serve(settings_for(database_url, pool_size=3, statement_timeout_ms=500)) as api:
            with slow_reads(api.database):
                for _ in range(3):
                    with pytest.raises(httpx.ReadTimeout):
                        await api.http.post("/graphql", json={"query": FIVE_FIELDS}, timeout=0.1)
                assert await gets_everything_back(api.database)
            assert await api.data(FIVE_FIELDS)

    async def test_follows_cancellation_at_any_moment(self, database_url: str) -> None:
        database = Database(database_url, EngineOptions(pool_size=3))

        async def read(delay_ms: float) -> None:
            with suppress(TimeoutError):
                async with asyncio.timeout(delay_ms / 1000):
                    await in_unit(database, lambda unit: asyncio.gather(*(unit.rows(sa.select(Tag.id)) for _ in "abc")))

        for number in range(100):
            if number % 10 == 0:  # connecting can be cancelled, too
                await database.dispose()
            await asyncio.gather(*(read(number % 25 + part) for part in range(6)))
        assert await gets_everything_back(database)
        await in_unit(database, lambda unit: unit.rows(sa.select(Tag.id)))
        await database.dispose()

    async def test_follows_refused_arguments(self, api: Api) -> None:
        result = await api.execute('{ users { totalCount } nodes(ids: ["?"]) { id } }')
        assert result["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert await gets_everything_back(api.database)
