"""One operation reads one state of the database, and gives everything back, whatever happens to it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import asyncpg
import httpx
import pytest
import sqlalchemy as sa

from gqlapi.database.engine import EngineOptions
from gqlapi.database.gate import PoolGate
from gqlapi.database.unit import Database
from gqlapi.errors import OperationTimeout, Unavailable
from gqlapi.models import Tag
from tests.api import Api, serve, settings_for
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
UNAVAILABLE_TEXT = "The database is not available. Try again."
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


async def everything_is_back(database: Database) -> bool:
    """Wait for what is cleaned up after the answer, or after nobody waits for one."""
    pool: Any = database.read_engine.pool
    for _ in range(100):
        if pool.checkedout() == 0 and database.gate._places._value == pool.size():
            return True
        await asyncio.sleep(0.05)
    return False


class TestRootFields:
    async def test_run_at_once_on_a_cold_pool(self, database_url: str) -> None:
        async with serve(settings_for(database_url, pool_pre_ping=True)) as api:
            for _ in range(200):
                await api.database.dispose()
                assert len(await api.data(FIVE_FIELDS)) == 5


class TestSnapshot:
    async def test_counts_the_rows_that_it_reads(self, api: Api) -> None:
        await save(api.database, [make_tag() for _ in range(50)])
        async with concurrent_writer(api.database):
            assert not any([await is_torn(api) for _ in range(400)])

    async def test_is_what_keeps_them_equal(self, postgresql_url: str) -> None:
        """The writer of the test above is fast enough to be seen between two statements."""
        async with serve(settings_for(postgresql_url, read_consistency="statement")) as api:
            await save(api.database, [make_tag() for _ in range(50)])
            async with concurrent_writer(api.database), asyncio.timeout(60):
                while not await is_torn(api):
                    pass


class TestCleanUp:
    @pytest.fixture
    async def impatient(self, database_url: str) -> AsyncIterator[Api]:
        settings = settings_for(database_url, pool_size=3, operation_timeout_seconds=0.2, statement_timeout_ms=1_000)
        async with serve(settings) as api:
            yield api

    async def test_follows_an_operation_that_took_too_long(self, impatient: Api) -> None:
        with slow_reads(impatient.database):
            results = await asyncio.gather(*(impatient.execute(FIVE_FIELDS) for _ in range(6)))
        assert {error["extensions"]["code"] for result in results for error in result["errors"]} == {"TIMEOUT"}
        assert await everything_is_back(impatient.database)
        assert await impatient.data(FIVE_FIELDS)

    async def test_follows_a_statement_that_took_too_long(self, database_url: str) -> None:
        async with serve(settings_for(database_url, pool_size=3, statement_timeout_ms=100)) as api:
            with slow_reads(api.database):
                results = await asyncio.gather(*(api.execute(FIVE_FIELDS) for _ in range(6)))
            assert {error["extensions"]["code"] for result in results for error in result["errors"]} == {"TIMEOUT"}
            assert await everything_is_back(api.database)
            assert await api.data(FIVE_FIELDS)

    async def test_follows_clients_that_do_not_wait(self, database_url: str) -> None:
        async with serve(settings_for(database_url, pool_size=3, statement_timeout_ms=500)) as api:
            with slow_reads(api.database):
                for _ in range(3):
                    with pytest.raises(httpx.ReadTimeout):
                        await api.http.post("/graphql", json={"query": FIVE_FIELDS}, timeout=0.1)
                assert await everything_is_back(api.database)
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
        assert await everything_is_back(database)
        await in_unit(database, lambda unit: unit.rows(sa.select(Tag.id)))
        await database.dispose()

    async def test_follows_refused_arguments(self, api: Api) -> None:
        result = await api.execute('{ users { totalCount } node(id: "?") { id } }')
        assert result["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert await everything_is_back(api.database)


class TestGate:
    async def test_answers_503_when_no_connection_becomes_free(self, database_url: str) -> None:
        async with serve(settings_for(database_url, pool_size=1, pool_timeout_seconds=0.1)) as api:
            await api.database.gate.enter()
            assert_busy(await api.post(TAGS))
            api.database.gate.leave()
            assert await api.data(TAGS)

    async def test_answers_503_at_once_when_the_queue_is_full(self, database_url: str) -> None:
        async with serve(settings_for(database_url, pool_size=1, pool_queue_size=1, pool_timeout_seconds=20)) as api:
            gate = api.database.gate
            await gate.enter()
            waiting = asyncio.create_task(api.data(TAGS))
            while not gate._waiting:
                await asyncio.sleep(0.01)
            started = time.monotonic()
            assert_busy(await api.post(TAGS))
            assert time.monotonic() - started < 5
            gate.leave()
            assert await waiting

    async def test_admits_in_the_order_of_arrival(self) -> None:
        gate = PoolGate(2, queue_size=100, timeout_seconds=10)
        admitted: list[int] = []

        async def enter(number: int) -> None:
            await gate.enter()
            admitted.append(number)
            await asyncio.sleep(0)
            gate.leave()

        await asyncio.gather(*(enter(number) for number in range(50)))
        assert admitted == [*range(50)]

    async def test_keeps_its_places_when_waiting_is_cancelled(self) -> None:
        gate = PoolGate(1, queue_size=10, timeout_seconds=10)
        await gate.enter()
        waiting = [asyncio.create_task(gate.enter()) for _ in range(5)]
        await asyncio.sleep(0)
        gate.leave()
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.wait_for(gate.enter(), 1)


def assert_busy(response: httpx.Response) -> None:
    assert (response.status_code, response.headers.get("retry-after")) == (503, "1")
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "UNAVAILABLE"


class TestLostConnections:
    async def test_are_replaced_without_the_client_noticing(self, postgresql_url: str) -> None:
        async with serve(settings_for(postgresql_url, pool_size=3)) as api:
            await asyncio.gather(*(api.data(FIVE_FIELDS) for _ in range(3)))
            assert await terminate_backends(postgresql_url) == 3
            await asyncio.gather(*(api.data(FIVE_FIELDS) for _ in range(6)))
            assert await everything_is_back(api.database)

    async def test_answer_503_without_a_word_of_the_driver(self, dead_url: str) -> None:
        async with serve(settings_for(dead_url)) as api:
            response = await api.post(FIVE_FIELDS)
            assert (response.status_code, response.headers.get("retry-after")) == (503, "1")
            errors = response.json()["errors"]
            assert {error["message"] for error in errors} == {UNAVAILABLE_TEXT}
            assert {error["extensions"]["code"] for error in errors} == {"UNAVAILABLE"}
            assert await everything_is_back(api.database)

    @pytest.fixture
    def dead_url(self, unused_tcp_port: int) -> str:
        return f"postgresql://postgres@127.0.0.1:{unused_tcp_port}/gqlapi"


async def terminate_backends(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        terminated = await connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return len(terminated)
    finally:
        await connection.close()


class TestStatementTimeout:
    @pytest.fixture
    async def database(self, database_url: str) -> AsyncIterator[Database]:
        database = Database(database_url, EngineOptions(statement_timeout_ms=100))
        yield database
        await database.dispose()

    async def test_ends_the_statement(self, database: Database) -> None:
        started = time.monotonic()
        with pytest.raises(OperationTimeout):
            await in_unit(database, lambda unit: unit.rows(endless()))
        assert time.monotonic() - started < 5

    async def test_spares_an_operation_of_many_short_ones(self, database: Database) -> None:
        async def take_turns(unit: Any) -> None:
            for _ in range(5):
                await unit.rows(sa.select(sa.literal(1)))
                await asyncio.sleep(0.05)

        await in_unit(database, take_turns)

    async def test_poisons_the_unit(self, database: Database) -> None:
        async def fail_twice(unit: Any) -> None:
            for statement in (endless(), sa.select(sa.literal(1))):
                with pytest.raises(OperationTimeout):
                    await unit.rows(statement)

        await in_unit(database, fail_twice)
        await in_unit(database, lambda unit: unit.rows(sa.select(sa.literal(1))))

    async def test_may_be_shorter_for_one_statement(self, database_url: str) -> None:
        database = Database(database_url)
        with pytest.raises(OperationTimeout):
            await asyncio.wait_for(in_unit(database, lambda unit: unit.rows(endless(), timeout_ms=50)), 4)
        await database.dispose()


def endless() -> sa.Select[Any]:
    numbers = sa.select(sa.literal(1).label("x")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.x + sa.literal_column("0")))
    return sa.select(sa.func.count()).select_from(numbers)


async def in_unit(database: Database, work: Callable[[Any], Awaitable[Any]]) -> None:
    unit = database.read()
    try:
        await work(unit)
    finally:
        await unit.close()


class TestPing:
    async def test_passes_the_gate_by(self, database_url: str) -> None:
        database = Database(database_url, EngineOptions(pool_size=2), queue_size=0)
        await database.gate.enter()
        await database.gate.enter()
        with pytest.raises(Unavailable):
            await database.gate.enter()
        await database.ping()
        await database.dispose()
