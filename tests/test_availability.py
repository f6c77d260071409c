"""A busy, slow or lost database is answered for in time, and in words for clients."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
import sqlalchemy as sa

from gqlapi.database.engine import EngineOptions
from gqlapi.database.gate import PoolGate
from gqlapi.database.kept import KeptStatement
from gqlapi.database.read_unit import ReadUnit
from gqlapi.database.unit import Database, ReadConsistency
from gqlapi.errors import OperationTimeout
from tests.api import gets_everything_back, in_unit, internals_in, serve, settings_for

TAGS = "{ tags { totalCount } }"
THREE_FIELDS = "{ users { totalCount } tags { totalCount } posts { nodes { id } } }"
SIGN_UP = "mutation($input: SignUpInput!) { signUp(input: $input) { errors { code } } }"
UNAVAILABLE_TEXT = "The database is not available. Try again."


class TestGate:
    async def test_answers_503_when_no_connection_becomes_free(self, database_url: str) -> None:
        async with serve(settings_for(database_url, pool_size=1, pool_timeout_seconds=0.1)) as api:
            place = await api.database.gate.enter()
            assert_busy(await api.post(TAGS))
            place.leave()
            assert await api.data(TAGS)

    async def test_answers_503_at_once_when_the_queue_is_full(self, database_url: str) -> None:
        async with serve(settings_for(database_url, pool_size=1, pool_queue_size=1, pool_timeout_seconds=20)) as api:
            gate = api.database.gate
            place = await gate.enter()
            waiting = asyncio.create_task(api.data(TAGS))
            while not gate.waiting:
                await asyncio.sleep(0.01)
            assert_busy(await api.post(TAGS))
            assert gate.waiting == 1  # the refused one has not waited until both were refused
            place.leave()
            assert await waiting

    async def test_admits_in_the_order_of_arrival(self) -> None:
        gate = PoolGate(2, queue_size=100, timeout_seconds=10)
        admitted: list[int] = []

        async def enter(number: int) -> None:
            place = await gate.enter()
            admitted.append(number)
            await asyncio.sleep(0)
            place.leave()

        await asyncio.gather(*(enter(number) for number in range(50)))
        assert admitted == [*range(50)]

    async def test_keeps_its_places_when_waiting_is_cancelled(self) -> None:
        gate = PoolGate(1, queue_size=10, timeout_seconds=10)
        place = await gate.enter()
        waiting = [asyncio.create_task(gate.enter()) for _ in range(5)]
        await asyncio.sleep(0)
        place.leave()
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
            await asyncio.gather(*(api.data(THREE_FIELDS) for _ in range(3)))
            assert await terminate_backends(postgresql_url) == 3
            await asyncio.gather(*(api.data(THREE_FIELDS) for _ in range(6)))
            assert await gets_everything_back(api.database)

    async def test_do_not_matter_after_the_last_statement(self, postgresql_url: str) -> None:
        database = Database(postgresql_url, EngineOptions(pool_size=1))

        async def read_and_lose(unit: ReadUnit) -> None:
            assert await unit.rows(sa.select(sa.literal(1))) == [(1,)]
            assert await terminate_backends(postgresql_url) == 1

        for _ in range(2):
            await in_unit(database, read_and_lose)
            assert await gets_everything_back(database)
        await database.dispose()

    async def test_answer_503_without_a_word_of_the_driver(self, dead_url: str) -> None:
        async with serve(settings_for(dead_url)) as api:
            response = await api.post(THREE_FIELDS)
            assert (response.status_code, response.headers.get("retry-after")) == (503, "1")
            errors = response.json()["errors"]
            assert {error["message"] for error in errors} == {UNAVAILABLE_TEXT}
            assert {error["extensions"]["code"] for error in errors} == {"UNAVAILABLE"}
            assert await gets_everything_back(api.database)

    async def test_answer_503_even_where_null_is_an_answer(self, dead_url: str) -> None:
        async with serve(settings_for(dead_url)) as api:
            nothing = await api.post('{ user(by: { username: "a" }) { id } tag(by: { slug: "a" }) { id } }')
            something = await api.post('{ user(by: { username: "a" }) { id } serverInfo { version } }')

        assert (nothing.status_code, nothing.json()["data"]) == (503, {"user": None, "tag": None})
        assert something.status_code == 200

    @pytest.fixture
    def dead_url(self, unused_tcp_port: int) -> str:
        return f"postgresql://postgres@127.0.0.1:{unused_tcp_port}/gqlapi"


async def terminate_backends(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        terminated = await connection.fetch(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
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
        async with asyncio.timeout(60):  # else it would not end
            with pytest.raises(OperationTimeout):
                await in_unit(database, lambda unit: unit.rows(endless()))

    async def test_spares_an_operation_of_many_short_ones(self, database_url: str) -> None:
        async def take_turns(unit: Any) -> None:
            for _ in range(5):
                await unit.rows(sa.select(sa.literal(1)))
                await asyncio.sleep(0.25)

        database = Database(database_url, EngineOptions(statement_timeout_ms=1_000))
        await in_unit(database, take_turns)
        await database.dispose()

    async def test_poisons_the_unit(self, database: Database) -> None:
        async def fail_twice(unit: Any) -> None:
            for statement in (endless(), sa.select(sa.literal(1))):
                with pytest.raises(OperationTimeout):
                    await unit.rows(statement)

        await in_unit(database, fail_twice)
        await in_unit(database, lambda unit: unit.rows(sa.select(sa.literal(1))))

    @pytest.mark.parametrize("read_consistency", ["snapshot", "statement"])
    async def test_may_be_shorter_for_one_statement(self, database_url: str, read_consistency: ReadConsistency) -> None:
        database = Database(database_url, EngineOptions(pool_size=1), read_consistency=read_consistency)
        statement = KeptStatement(endless(), database.dialect_name)
        with pytest.raises(OperationTimeout):
            await asyncio.wait_for(in_unit(database, lambda unit: unit.fetch(statement, {}, timeout_ms=50)), 4)

        # The connection's next statement has the usual time again, or this one would raise.
        await in_unit(database, lambda unit: unit.rows(slow_on(database)))
        await database.dispose()


def slow_on(database: Database) -> sa.Select[Any]:
    """Select something that takes over 50 ms on PostgreSQL."""
    return sa.select(sa.func.pg_sleep(0.2) if database.dialect_name == "postgresql" else sa.literal(1))


def endless() -> sa.Select[Any]:
    numbers = sa.select(sa.literal(1).label("x")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.x + sa.literal_column("0")))
    return sa.select(sa.func.count()).select_from(numbers)


class TestUnusableDatabase:
    async def test_without_tables_is_told_as_such(self, empty_postgresql_url: str) -> None:
        async with serve(settings_for(empty_postgresql_url)) as api:
            assert_unavailable(await api.post(TAGS), "version")

    async def test_of_a_role_without_rights_is_told_as_such(self, postgresql_url: str) -> None:
        connection = await asyncpg.connect(postgresql_url)
        await connection.execute("CREATE ROLE powerless LOGIN")
        try:
            url = sa.make_url(postgresql_url).set(username="powerless").render_as_string()
            async with serve(settings_for(url)) as api:
                assert_unavailable(await api.post(TAGS), "denies access")
        finally:
            await connection.execute("DROP ROLE powerless")
            await connection.close()

    async def test_of_a_file_that_is_read_only_is_told_as_such(self, sqlite_url: str) -> None:
        path = sa.make_url(sqlite_url).database
        async with serve(settings_for(f"sqlite:///file:{path}?mode=ro&uri=true")) as api:
            user = {"username": "ada", "email": "a@b.test", "password": "a long enough password"}
            response = await api.post(SIGN_UP, {"input": user})
            assert_unavailable(response, "read-only")

    async def test_of_a_server_with_too_many_clients_is_told_as_such(self, postgresql_url: str) -> None:
        connection = await asyncpg.connect(postgresql_url)
        name = sa.make_url(postgresql_url).database
        await connection.execute("CREATE ROLE limited LOGIN CONNECTION LIMIT 0")
        try:
            url = sa.make_url(postgresql_url).set(username="limited", database=name).render_as_string()
            async with serve(settings_for(url)) as api:
                assert_unavailable(await api.post(TAGS), "not available")
        finally:
            await connection.execute("DROP ROLE limited")
            await connection.close()


def assert_unavailable(response: httpx.Response, reason: str) -> None:
    """The answer names the reason in our words."""
    assert (response.status_code, response.headers.get("retry-after")) == (503, "1")
    assert internals_in(response) == []
    error = response.json()["errors"][0]
    assert error["extensions"]["code"] == "UNAVAILABLE"
    assert reason in error["message"]
