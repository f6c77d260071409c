"""Statements are counted by the operation that runs them, transaction control is not; clients see it in dev only."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from gqlapi.database.engine import EngineOptions
from gqlapi.database.kept import KeptStatement
from gqlapi.database.tracing import ExplainingTrace, Trace, tracing
from gqlapi.database.unit import Database
from gqlapi.errors import ApiError
from gqlapi.models import Post
from tests.api import Api, serve, settings_for
from tests.factories import make_post, make_tag, make_user, save

FEED = "{ posts(first: 10) { nodes { title author { username } tags { name } } } }"
COUNT = sa.select(sa.func.count()).select_from(Post)
SECRET = "a secret of more than thirty-two characters"
SLOW = """
WITH RECURSIVE numbers(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers)
SELECT max(number) FROM numbers WHERE number < 0
"""


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, EngineOptions(pool_size=2, statement_timeout_ms=300))
    yield database
    await database.dispose()


async def add_posts(database: Database, number: int = 5) -> None:
    author, tag = make_user(), make_tag()
    await save(database, [author, tag, *(make_post(author, tag) for _ in range(number))])


class TestTrace:
    async def test_counts_statements_and_their_time(self, database: Database) -> None:
        trace = Trace()
        unit = database.read()
        with tracing(trace):
            await unit.rows(COUNT)
            first = trace.ms
            await unit.rows(COUNT)
        await unit.close()
        assert trace.statements == 2
        assert 0 < first <= trace.ms

    async def test_does_not_count_transaction_control(self, database: Database) -> None:
        trace = Trace()
        unit = database.read()
        with tracing(trace):
            await unit.fetch(KeptStatement(COUNT, database.dialect_name), {}, timeout_ms=100)
            await unit.close()
        assert trace.statements == 1

    async def test_counts_what_the_orm_adds(self, database: Database) -> None:
        await add_posts(database)
        trace = Trace()
        unit = database.read()
        with tracing(trace):
            await unit.entities(sa.select(Post).options(sa.orm.selectinload(Post.post_tags)))
        await unit.close()
        assert trace.statements == 2

    async def test_counts_the_statement_that_fails(self, database: Database) -> None:
        trace = Trace()
        unit = database.read()
        with tracing(trace), pytest.raises(ApiError, match="longer"):
            await unit.rows(sa.select(sa.text("*")).select_from(sa.text(f"({SLOW}) AS slow")))
        await unit.close()
        assert trace.statements == 1
        assert trace.ms > 200

    async def test_is_that_of_its_operation_alone(self, database: Database) -> None:
        traces = [Trace() for _ in range(2)]

        async def run(trace: Trace, statements: int) -> None:
            unit = database.read()
            with tracing(trace):
                await asyncio.gather(*(unit.rows(COUNT) for _ in range(statements)))
            # The same connection, now for somebody who traces nothing.
            await unit.rows(COUNT)
            await unit.close()

        await asyncio.gather(run(traces[0], 1), run(traces[1], 2))
        assert [trace.statements for trace in traces] == [1, 2]

    async def test_reports_each_statement_once(self, database: Database) -> None:
        seen: list[tuple[str, float]] = []
        trace = Trace(lambda sql, _parameters, seconds: seen.append((sql, seconds)))
        unit = database.read()
        with tracing(trace):
            await unit.rows(COUNT)
            await unit.fetch(KeptStatement(COUNT, database.dialect_name), {})
        await unit.close()
        assert ["count" in sql for sql, _ in seen] == [True, True]
        assert sum(seconds for _, seconds in seen) == trace.seconds


class TestExplainingTrace:
    async def test_keeps_text_rows_and_plan(self, database: Database) -> None:
        await add_posts(database)
        trace = ExplainingTrace()
        unit = database.read()
        with tracing(trace):
            await unit.rows(sa.select(Post.id).where(Post.title != "a title").limit(3))
            await unit.entities(sa.select(Post).options(sa.orm.selectinload(Post.post_tags)))
        await unit.close()
        assert trace.statements == 3
        assert [statement.rows for statement in trace.explained] == [3, 5, 5]
        assert all(statement.plan for statement in trace.explained)
        assert "a title" not in trace.explained[0].sql

    async def test_changes_no_answer(self, database: Database) -> None:
        await add_posts(database)
        unit = database.read()
        with tracing(ExplainingTrace()):
            assert [tuple(row) for row in await unit.rows(COUNT)] == [(5,)]
        await unit.close()


class TestReport:
    async def test_of_dev_is_in_the_result(self, api: Api) -> None:
        await add_posts(api.database)
        with api.statements() as statements:
            result = await api.execute(FEED)
        assert len(statements) == 1
        assert result["extensions"]["sql"]["statements"] == 1
        assert result["extensions"]["sql"]["ms"] > 0
        assert result["extensions"]["cost"]["limit"] == 20_000
        assert 10 < result["extensions"]["cost"]["requested"] < 2_000

    async def test_of_a_refused_operation_has_its_cost(self, api: Api) -> None:
        lists = " ".join(f"a{number}: posts(first: 100) {{ nodes {{ tags {{ id }} }} }}" for number in range(15))
        result = await api.execute(f"{{ {lists} }}")
        assert result["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert result["extensions"]["cost"]["requested"] > result["extensions"]["cost"]["limit"]
        assert result["extensions"]["sql"] == {"statements": 0, "ms": 0.0}

    @pytest.mark.parametrize("query", ["{", "{ nothing }"])
    async def test_of_a_wrong_document_has_no_cost(self, api: Api, query: str) -> None:
        assert set((await api.execute(query))["extensions"]) == {"sql"}

    async def test_of_dev_is_in_the_log(self, database_url: str) -> None:
        with capture_logs() as logs:
            async with serve(settings_for(database_url, log_level="info")) as api:
                await api.execute(FEED)
                await api.http.get("/healthz")
        lines = {line["path"]: line for line in logs if line["event"] == "request"}
        assert lines["/graphql"]["sql"] == 1  # no posts, so no authors and tags
        assert lines["/graphql"]["sql_ms"] > 0
        assert "sql" not in lines["/healthz"]

    async def test_is_absent_in_production(self, database_url: str) -> None:
        settings = settings_for(database_url, environment="production", secret_key=SECRET)
        async with serve(settings) as api:
            assert set(await api.execute(FEED)) == {"data"}
            assert set(await api.execute("{")) == {"errors"}

    @pytest.mark.parametrize("wanted", [True, False])
    async def test_can_be_chosen(self, sqlite_url: str, wanted: bool) -> None:  # noqa: FBT001 - a parameter of the test
        environment = "production" if wanted else "dev"
        settings = settings_for(sqlite_url, environment=environment, secret_key=SECRET, report_costs=wanted)
        async with serve(settings) as api:
            assert ("extensions" in await api.execute(FEED)) is wanted
