"""A database that a test has used is like a new one, or is not used again."""

import asyncpg
import pytest

from gqlapi.database.unit import Database
from tests.factories import make_post, make_tag, make_user, save
from tests.postgres import PostgresServer
from tests.recycling import Recycler


@pytest.fixture
def own(postgres: PostgresServer, postgresql_template: str) -> Recycler:
    return Recycler(postgres, postgresql_template)


async def use(server: PostgresServer, name: str, statement: str) -> None:
    connection = await asyncpg.connect(server.url(name))
    await connection.execute(statement)
    await connection.close()


class TestRecycler:
    async def test_hands_an_emptied_database_out_again_under_another_name(
        self, postgres: PostgresServer, own: Recycler
    ) -> None:
        name = await own.take()
        database = Database(postgres.url(name))
        user, tag = make_user(), make_tag()
        await save(database, [user, tag, make_post(user, tag)])
        await own.give_back(name)  # the connections of the pool are still open
        again = await own.take()
        assert again != name
        connection = await asyncpg.connect(postgres.url(again))
        tables = await connection.fetch("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 2200")
        rows = {name: await connection.fetchval(f'SELECT count(*) FROM "{name}"') for (name,) in tables}  # noqa: S608
        await connection.close()
        assert len(rows) > 10
        assert {name: count for name, count in rows.items() if count} == {"alembic_version": 1, "feed_state": 1}
        await database.dispose()
        await own.give_back(again)
        assert own._free == [again]
        await own.close()

    @pytest.mark.parametrize(
        "statement",
        [
            "DROP INDEX ix_posts_public",
            "ALTER TABLE posts ADD COLUMN extra int",
            "CREATE TABLE extra ()",
            "ANALYZE tags",
            "TRUNCATE tags CASCADE",
            "UPDATE alembic_version SET version_num = 'x'",
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET lock_timeout = 5', current_database()); END $$",
            "CREATE FUNCTION extra() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "DROP TABLE posts CASCADE",
        ],
    )
    async def test_drops_what_is_not_like_the_template(
        self, postgres: PostgresServer, own: Recycler, statement: str
    ) -> None:
        name = await own.take()
        await use(postgres, name, statement)
        await own.give_back(name)
        assert own._free == []
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            await use(postgres, name, "SELECT 1")
