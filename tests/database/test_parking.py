"""Connections that stay checked out between operations: reused, given up when one is lost, and never in the way."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.engine import EngineOptions
from gqlapi.database.kept import KeptStatement
from gqlapi.database.unit import Database
from gqlapi.errors import ApiError
from tests.api import gets_everything_back
from tests.postgres import Kill

BACKEND = KeptStatement(sa.select(sa.func.pg_backend_pid()), "postgresql")
FAILURE = KeptStatement(sa.select(sa.literal_column("1 / 0")), "postgresql")
POOL_SIZE = 2


@pytest.fixture
async def database(postgresql_url: str) -> AsyncIterator[Database]:
    database = Database(postgresql_url, EngineOptions(pool_size=POOL_SIZE))
    yield database
    assert await gets_everything_back(database)
    await database.dispose()
    pool: Any = database.read_engine.pool
    assert pool.checkedout() == 0


async def backend(database: Database, *, statements: int = 1, expects_one: bool = True) -> int:
    """Read the process id of the server's end of a connection."""
    unit = database.read()
    unit.expects_one_statement = expects_one
    try:
        found = [(await unit.fetch(BACKEND, {}))[0][0] for _ in range(statements)]
    finally:
        await unit.close()
    return int(found[-1])


async def backend_of_write(session: AsyncSession) -> int:
    return int((await session.execute(sa.select(sa.func.pg_backend_pid()))).scalar_one())


class TestPark:
    @pytest.mark.parametrize("expects_one", [True, False])
    async def test_serves_one_operation_after_the_other(self, database: Database, *, expects_one: bool) -> None:
        found = {await backend(database, statements=2, expects_one=expects_one) for _ in range(5)}
        assert (len(found), len(database.parking)) == (1, 1)

    async def test_leaves_no_transaction_open(self, database: Database, postgresql_url: str) -> None:
        parked = await backend(database, statements=2, expects_one=False)
        observer = await asyncpg.connect(postgresql_url)
        try:
            state = await observer.fetchval("SELECT state FROM pg_stat_activity WHERE pid = $1", parked)
        finally:
            await observer.close()
        assert state == "idle"

    async def test_takes_no_connection_whose_operation_failed(self, database: Database) -> None:
        unit = database.read()
        with pytest.raises((sa.exc.DBAPIError, ApiError)):
            await unit.fetch(FAILURE, {})
        await unit.close()
        assert len(database.parking) == 0

    async def test_takes_no_connection_whose_statement_was_cancelled(self, database: Database) -> None:
        unit = database.read()
        sleep = KeptStatement(sa.select(sa.literal_column("pg_sleep(30)")), "postgresql")
        reading = asyncio.create_task(unit.fetch(sleep, {}))
        await asyncio.sleep(0.1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await unit.close()
        assert len(database.parking) == 0

    async def test_is_not_used_by_a_pool_that_pings(self, postgresql_url: str) -> None:
        database = Database(postgresql_url, EngineOptions(pool_size=POOL_SIZE, pool_pre_ping=True))
        await backend(database)
        assert len(database.parking) == 0
        await database.dispose()


class TestLoss:
    async def test_is_not_noticed_by_the_next_operation(self, database: Database, kill: Kill) -> None:
        lost = await backend(database)
        await kill(lost)
        assert await backend(database) != lost

    async def test_of_one_connection_replaces_all(self, database: Database, kill: Kill) -> None:
        units = [database.read() for _ in range(POOL_SIZE)]
        before = {(await unit.fetch(BACKEND, {}))[0][0] for unit in units}
        for unit in units:
            await unit.close()
        assert len(database.parking) == POOL_SIZE
        for pid in before:
            await kill(pid)
        assert not {await backend(database) for _ in range(POOL_SIZE)} & before


class TestMakeRoom:
    async def test_gives_a_connection_to_a_write(self, database: Database) -> None:
        units = [database.read() for _ in range(POOL_SIZE)]
        parked = {(await unit.fetch(BACKEND, {}))[0][0] for unit in units}
        for unit in units:
            await unit.close()
        async with asyncio.timeout(5):
            assert await database.transact(backend_of_write) in parked

    async def test_serves_readers_and_writers_together(self, database: Database) -> None:
        async with asyncio.timeout(30):
            await asyncio.gather(
                *(backend(database) for _ in range(40)),
                *(backend(database, statements=2, expects_one=False) for _ in range(20)),
                *(_write(database) for _ in range(40)),
            )


async def _write(database: Database) -> None:
    place = await database.gate.enter()
    try:
        await database.transact(backend_of_write)
    finally:
        place.leave()
