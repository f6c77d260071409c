"""A unit that expects one statement pays no transaction, and is still right when another one comes."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from gqlapi.database import parking
from gqlapi.database.engine import EngineOptions
from gqlapi.database.kept import KeptStatement
from gqlapi.database.read_unit import ReadUnit
from gqlapi.database.unit import Database
from gqlapi.models import Tag
from tests.api import gets_everything_back
from tests.factories import make_tag, save

COUNT = sa.select(sa.func.count()).select_from(Tag)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, EngineOptions(pool_size=1))
    yield database
    assert await gets_everything_back(database)
    await database.dispose()


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The first words of what is sent to PostgreSQL to begin and end transactions."""
    sent: list[str] = []
    execute = asyncpg.Connection.execute

    async def note(connection: Any, query: str, *arguments: Any, **options: Any) -> Any:
        sent.append(query.split(maxsplit=1)[0].rstrip(";"))
        return await execute(connection, query, *arguments, **options)

    monkeypatch.setattr(asyncpg.Connection, "execute", note)
    return sent


async def count(unit: ReadUnit) -> int:
    ((found,),) = await unit.fetch(KeptStatement(COUNT, unit.dialect_name), {})
    return int(found)


async def read(database: Database, *, statements: int, expects_one: bool) -> None:
    unit = database.read()
    unit.expects_one_statement = expects_one
    for _ in range(statements):
        await count(unit)
    await unit.close()


class TestTransaction:
    @pytest.fixture
    def database_url(self, postgresql_url: str) -> str:
        return postgresql_url

    @pytest.fixture(autouse=True)
    async def _warm(self, database: Database, control: list[str]) -> None:
        await read(database, statements=1, expects_one=False)
        control.clear()

    @pytest.mark.parametrize(
        ("statements", "expects_one", "sent"),
        [(1, True, []), (1, False, ["BEGIN", "ROLLBACK"]), (3, True, ["BEGIN", "ROLLBACK"])],
    )
    async def test_is_begun_for_several_statements(
        self,
        database: Database,
        control: list[str],
        statements: int,
        expects_one: bool,  # noqa: FBT001 - a parameter of the test
        sent: list[str],
    ) -> None:
        await read(database, statements=statements, expects_one=expects_one)
        assert control == sent

    async def test_is_the_ping_of_an_idle_connection(
        self, database: Database, control: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(parking, "FRESH_SECONDS", 0.0)
        await read(database, statements=1, expects_one=True)
        assert control == ["BEGIN", "ROLLBACK"]

    async def test_of_one_statement_is_closed_without_a_task(self, database: Database) -> None:
        unit = database.read()
        unit.expects_one_statement = True
        await count(unit)
        closing = unit.close()
        with pytest.raises(StopIteration):  # it waits for nothing
            closing.send(None)
        assert database.gate.free == 1


class TestSecondStatement:
    async def test_shares_its_snapshot_with_all_later_ones(self, database_url: str) -> None:
        database, other = Database(database_url), Database(database_url)
        unit = database.read()
        unit.expects_one_statement = True
        counts = [await count(unit)]
        for _ in range(3):
            await save(other, [make_tag()])
            counts.append(await count(unit))
        await unit.close()
        first, second, *later = counts
        assert first == 0
        assert second in {0, 1}  # SQLite's first statement has begun the snapshot
        assert later == [second, second]
        for one in (database, other):
            await one.dispose()
