"""PgBouncer between server and PostgreSQL; the tests of `GQLAPI_TEST_POOLER` ask it all that they ask PostgreSQL."""

import asyncio
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from gqlapi.database.connector import Way
from gqlapi.database.engine import EngineOptions
from gqlapi.database.kept import KeptStatement
from gqlapi.database.migrations import upgrade
from gqlapi.database.unit import Database
from gqlapi.errors import OperationTimeout
from gqlapi.feed.wakeups import Wakeups
from tests.api import serve, settings_for
from tests.commands import run_beside
from tests.factories import make_tag, save
from tests.pgbouncer import PGBOUNCER, PgBouncer
from tests.postgres import PostgresServer

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")
SEEN = sa.select(
    sa.func.pg_backend_pid(),
    *(sa.func.current_setting(name) for name in ("statement_timeout", "idle_in_transaction_session_timeout", "jit")),
)
KEPT = KeptStatement(SEEN, "postgresql")
OURS = ("5s", "15s", "off")
# What operators with an older gqlapi have set.
IGNORING = "ignore_startup_parameters = statement_timeout,idle_in_transaction_session_timeout,jit"


@pytest.fixture(scope="module")
def few_backends(postgres: PostgresServer) -> Iterator[PgBouncer]:
    """In transaction mode, with fewer backends than connections."""
    with PgBouncer(postgres, pool_size=3) as pooler:
        yield pooler


async def read_at_once(database: Database, count: int = 40) -> list[Any]:
    """Return what that many operations see, each by a statement that could run alone."""

    async def read() -> Any:
        unit = database.read()
        unit.expects_one_statement = True
        [row] = await unit.fetch(KEPT, {})
        await unit.close()
        return row

    return await asyncio.gather(*(read() for _ in range(count)))


async def way_of(database: Database) -> Way:
    async with database.write() as session:
        driver: Any = (await (await session.connection()).get_raw_connection()).driver_connection
        way: Way = driver.way
        return way


class TestTransactionMode:
    @pytest.mark.parametrize("more", ["", IGNORING])
    async def test_has_our_settings_in_each_transaction(
        self, postgres: PostgresServer, postgresql_url: str, more: str
    ) -> None:
        with PgBouncer(postgres, pool_size=3, more=more) as pooler:
            with capture_logs() as lines:
                database = Database(pooler.url(postgresql_url), logs_incidents=True)
                await read_at_once(database)
            assert "pooler recognised" in {line["event"] for line in lines}
            seen = await read_at_once(database) + await read_at_once(database)
            assert await way_of(database) in {Way.TRANSACTION, Way.UNPREPARED}
            assert {tuple(row[1:]) for row in seen} == {OURS}
            assert 1 < len({row[0] for row in seen}) <= 3
            await database.dispose()

    async def test_leaves_no_setting_to_other_clients(self, few_backends: PgBouncer, postgresql_url: str) -> None:
        database = Database(few_backends.url(postgresql_url))
        unit = database.read()
        await unit.fetch(KEPT, {}, timeout_ms=50)
        assert [tuple(row[1:]) for row in await unit.rows(SEEN)] == [OURS]
        await unit.close()
        await read_at_once(database)
        await database.dispose()

        other = await asyncpg.connect(few_backends.url(postgresql_url), statement_cache_size=0)
        assert await other.fetchval("SELECT current_setting('statement_timeout')") == "0"
        await other.close()

    async def test_ends_statements_that_take_too_long(self, few_backends: PgBouncer, postgresql_url: str) -> None:
        database = Database(few_backends.url(postgresql_url), EngineOptions(statement_timeout_ms=50))
        await read_at_once(database, 1)  # so that the next one could run without BEGIN
        unit = database.read()
        unit.expects_one_statement = True
        with pytest.raises(OperationTimeout):
            await unit.fetch(KeptStatement(sa.select(sa.func.pg_sleep(5)), "postgresql"), {})
        await unit.close()
        await database.dispose()

    async def test_refuses_migrations_without_a_direct_url(self, few_backends: PgBouncer, postgresql_url: str) -> None:
        url = few_backends.url(postgresql_url)
        done = await run_beside("migrate", url=url)
        assert (done.status, "GQLAPI_DATABASE_DIRECT_URL" in done.errors) == (1, True)
        done = await run_beside("migrate", url=url, database_direct_url=postgresql_url)
        assert done.status == 0, done.errors

    async def test_has_the_feed_listen_past_it(self, few_backends: PgBouncer, postgresql_url: str) -> None:
        url = few_backends.url(postgresql_url)
        for direct_url, way in ((postgresql_url, Way.DIRECT), ("", Way.UNPREPARED)):
            database = Database(url, EngineOptions(direct_url=direct_url))
            engine = database.create_unpooled_engine()
            async with engine.connect() as connection:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                assert driver.way.is_by_transaction is way.is_by_transaction
            await engine.dispose()
            await database.dispose()
        with capture_logs() as lines:
            async with asyncio.timeout(5):
                await Wakeups(Database(url)).listen()
        assert [line["event"] for line in lines] == ["feed does not listen"]

    async def test_takes_many_rows_at_once(self, few_backends: PgBouncer, postgresql_url: str) -> None:
        done = await run_beside(
            "seed", "--users", "3", "--posts", "5", "--tags", "2", url=few_backends.url(postgresql_url)
        )
        assert done.status == 0, done.errors

    async def test_is_recognised_by_doctor(self, few_backends: PgBouncer, postgresql_url: str) -> None:
        url = few_backends.url(postgresql_url)
        for direct, severity in (({}, "warning"), ({"database_direct_url": postgresql_url}, "ok")):
            done = await run_beside("doctor", url=url, port="0", **direct)
            [line] = [line for line in done.lines if line.startswith("D109")]
            assert (line.split()[1], "settings go with each transaction" in line) == (severity, True)
            assert not [line for line in done.lines if line.split()[1] == "error"]

    async def test_serves_again_after_pgbouncer_has_crashed(
        self, postgres: PostgresServer, postgresql_url: str
    ) -> None:
        with PgBouncer(postgres, pool_size=3) as pooler:
            async with serve(settings_for(pooler.url(postgresql_url))) as api:
                await save(api.database, [make_tag()])
                for _ in range(2):
                    answers = await asyncio.gather(
                        *(api.data("{ tags { totalCount nodes { name } } }") for _ in range(20))
                    )
                    assert {answer["tags"]["totalCount"] for answer in answers} == {1}
                    pooler.kill()
                    assert (await api.execute("{ tags { totalCount } }"))["errors"][0]["extensions"][
                        "code"
                    ] == "UNAVAILABLE"
                    pooler.start()


class TestSessionMode:
    @pytest.mark.parametrize(("setting", "way"), [("auto", Way.UNPREPARED), ("session", Way.SESSION)])
    async def test_has_our_settings(
        self, postgres: PostgresServer, postgresql_url: str, setting: Any, way: Way
    ) -> None:
        with PgBouncer(postgres, "session") as pooler:
            database = Database(pooler.url(postgresql_url), EngineOptions(pooler=setting, pool_size=5))
            assert {tuple(row[1:]) for row in await read_at_once(database)} == {OURS}
            assert await way_of(database) is way
            await database.dispose()

    async def test_migrates(self, postgres: PostgresServer, empty_postgresql_url: str) -> None:
        with PgBouncer(postgres, "session") as pooler:
            assert await upgrade(pooler.url(empty_postgresql_url), has_own_sessions=True)
