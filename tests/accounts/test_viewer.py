"""The fields of an account that only its user sees."""

import pytest
import sqlalchemy as sa

from gqlapi.models import User
from tests.api import Api
from tests.factories import make_post, make_user, save
from tests.signing_in import sign_in_as


class TestViewer:
    async def test_sees_their_sessions_and_nobody_elses(self, api: Api) -> None:
        ada, bela = make_user(username="ada"), make_user(username="bela", role="admin")
        await save(api.database, [ada, bela, make_post(ada), make_post(bela)])
        client = await sign_in_as(api, ada)
        await sign_in_as(api, ada)
        await sign_in_as(api, bela)
        users = "{ users(orderBy: {field: USERNAME}) { nodes { username apiTokens { id } sessions { current } } } }"
        assert (await client.data(users))["users"]["nodes"] == [
            {"username": "ada", "apiTokens": [], "sessions": [{"current": False}, {"current": True}]},
            {"username": "bela", "apiTokens": None, "sessions": None},
        ]
        nodes = (await api.data(users))["users"]["nodes"]
        assert [(node["username"], node["sessions"]) for node in nodes] == [("ada", None), ("bela", None)]

    async def test_finds_only_their_own_sessions_by_id(self, api: Api) -> None:
        ada, bela = make_user(username="ada"), make_user(username="bela")
        await save(api.database, [ada, bela])
        client, other = await sign_in_as(api, ada), await sign_in_as(api, bela)
        [session] = (await client.data("{ viewer { sessions { id } } }"))["viewer"]["sessions"]
        query = "query($id: ID!) { node(id: $id) { __typename id } }"
        assert (await client.data(query, session))["node"] == {"__typename": "Session", **session}
        assert (await other.data(query, session))["node"] is None

    async def test_costs_one_statement_more(self, api: Api) -> None:
        ada = make_user(username="ada")
        await save(api.database, [ada])
        client = await sign_in_as(api, ada)
        with api.statements() as statements:
            await client.data("{ tags { totalCount } }")
        assert len(statements) == 2

    @pytest.mark.parametrize("others", [1, 12])
    async def test_has_lists_of_their_own_at_a_statement_each(self, api: Api, others: int) -> None:
        ada = make_user(username="ada")
        users = [make_user() for _ in range(others)]
        await save(api.database, [ada, *users, *map(make_post, users)])
        client = await sign_in_as(api, ada)
        with api.statements() as statements:
            data = await client.data("{ users { nodes { apiTokens { name } sessions { current } } } }")
        assert len(data["users"]["nodes"]) == others + 1
        assert len(statements) == 4  # the caller, the users, the tokens, the sessions

    async def test_has_the_role_of_now(self, api: Api) -> None:
        ada = make_user(username="ada")
        await save(api.database, [ada])
        client = await sign_in_as(api, ada)
        async with api.database.write() as session:
            await session.execute(sa.update(User).values(role="reader"))
        payload = await client.payload("createPost", {"title": "x", "markdown": ""})
        assert [error["code"] for error in payload["errors"]] == ["FORBIDDEN"]
