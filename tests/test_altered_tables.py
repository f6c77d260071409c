"""What an operator changes in PostgreSQL while the server runs costs no client an internal error."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from gqlapi.models import UserRole
from tests.api import Api, serve, settings_for
from tests.consistency import assert_consistent
from tests.factories import make_user, save
from tests.signing_in import sign_in_as

READ = "{ posts(first: 1) { nodes { id title } } }"
CREATE = "mutation($input: CreatePostInput!) { createPost(input: $input) { post { id } errors { code } } }"


async def editor(api: Api) -> Api:
    user = make_user(role=UserRole.EDITOR)
    await save(api.database, [user])
    return await sign_in_as(api, user)


async def alter(api: Api, statement: str) -> None:
    """Run a statement with the rights of a migration."""
    async with api.database.write() as session:
        await session.execute(sa.text(statement))


def new_post(title: str, **values: Any) -> dict[str, Any]:
    return {"input": {"title": title, "markdown": "", **values}}


class TestAlteredTable:
    async def test_is_read_through_every_warm_connection(self, postgresql_url: str) -> None:
        async with serve(settings_for(postgresql_url, pool_size=4)) as api:
            for type_ in ("text", "varchar(500)", "text"):
                await asyncio.gather(*(api.data(READ) for _ in range(12)))
                await alter(api, f"ALTER TABLE posts ALTER COLUMN title TYPE {type_}")
                await asyncio.gather(*(api.data(READ) for _ in range(12)))

    async def test_is_written_through_every_warm_connection(self, postgresql_url: str) -> None:
        async with serve(settings_for(postgresql_url, pool_size=4)) as api:
            client = await editor(api)
            for type_ in ("text", "varchar(500)"):
                for moment in ("before", "after"):
                    if moment == "after":
                        await alter(api, f"ALTER TABLE posts ALTER COLUMN title TYPE {type_}")
                    posts = [new_post(f"{type_} {moment} {number}") for number in range(8)]
                    results = await asyncio.gather(*(client.data(CREATE, post) for post in posts))
                    assert all(result["createPost"]["post"] for result in results)


class TestDefaultIsolation:
    async def test_of_the_database_is_not_that_of_writes(self, postgresql_url: str) -> None:
        name = sa.make_url(postgresql_url).database
        async with serve(settings_for(postgresql_url)) as api:
            await alter(api, f'ALTER DATABASE "{name}" SET default_transaction_isolation = serializable')
        async with serve(settings_for(postgresql_url, pool_size=8)) as api:
            client = await editor(api)
            assert await isolation(api) == "read committed"
            posts = [new_post("The same title", tags=[{"name": f"Tag {number % 3}"}]) for number in range(16)]
            results = await asyncio.gather(*(client.data(CREATE, post) for post in posts))
            assert [result["createPost"]["errors"] for result in results] == [[]] * 16
            await assert_consistent(api.database)


async def isolation(api: Api) -> str:
    async with api.database.write() as session:
        found: str = (await session.execute(sa.text("SHOW transaction_isolation"))).scalar_one()
        return found


class TestReadOnlyDatabase:
    @pytest.mark.parametrize("statement", ["SET default_transaction_read_only = on"])
    async def test_is_told_as_unavailable(self, postgresql_url: str, statement: str) -> None:
        name = sa.make_url(postgresql_url).database
        async with serve(settings_for(postgresql_url)) as api:
            client = await editor(api)
            await alter(api, f'ALTER DATABASE "{name}" {statement}')
            await api.database.dispose()
            result = await client.execute(CREATE, new_post("Title"))
            assert [error["extensions"]["code"] for error in result["errors"]] == ["UNAVAILABLE"]
            assert "read-only" in result["errors"][0]["message"]
            assert (await client.data(READ))["posts"] == {"nodes": []}
