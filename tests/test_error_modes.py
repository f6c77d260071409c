"""What a failing field does to the answer in each mode of `onError`, on both executors."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from gqlapi.database.unit import Database
from gqlapi.models import User, UserRole
from tests.api import Api, only_error, serve, settings_for
from tests.factories import make_post, make_tag, make_user, save
from tests.signing_in import sign_in_as

NESTED = "{ tags(first: 2) { nodes { name posts { nodes { id } } } } serverInfo { maxCost } }"
NODES = '{ nodes(ids: ["wrong"]) { id } serverInfo { maxCost } }'
TWO_MUTATIONS = """
mutation($slug: String!) {
  createPost(input: { title: "Title", markdown: "" }) { errors { message } }
  upsertTag(input: { slug: $slug, name: $slug }) { errors { message } tag { slug } }
}
"""
INFO = {"serverInfo": {"maxCost": 20_000}}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def author(world_url: str) -> User:
    """An author of a database with two tags, that can neither read nor write the posts with a tag."""
    database = Database(world_url)
    author, tags = make_user(role=UserRole.EDITOR), [make_tag(name="a"), make_tag(name="b")]
    await save(database, [author, *tags, make_post(author, *tags)])
    async with database.write() as session:
        for table in ("post_tags", "post_changes"):
            await session.execute(sa.text(f"DROP TABLE {table}"))
    await database.dispose()
    return author


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["compiled", "reference"])
async def api(request: pytest.FixtureRequest, world_url: str, author: User) -> AsyncIterator[Api]:
    """A client of the author's, of a server with either executor."""
    async with serve(settings_for(world_url, executor=request.param, report_costs=False)) as api:
        yield await sign_in_as(api, author)


def nulled(*paths: list[str | int]) -> list[Any]:
    return [(path, "UNAVAILABLE") for path in paths]


def errors_of(result: dict[str, Any]) -> list[Any]:
    return [(error.get("path"), error["extensions"]["code"]) for error in result.get("errors", [])]


class TestQuery:
    @pytest.mark.parametrize("parameter", [{}, {"onError": None}, {"onError": "PROPAGATE"}])
    async def test_propagates_by_default(self, api: Api, parameter: dict[str, Any]) -> None:
        result = await api.execute(NESTED, **parameter)
        assert result.get("data") is None
        assert {tuple(path) for path, _ in errors_of(result)} <= {("tags", "nodes", n, "posts") for n in (0, 1)}

    async def test_has_null_in_a_position_that_is_non_null(self, api: Api) -> None:
        result = await api.execute(NESTED, onError="NULL")
        assert result.get("data") == {"tags": {"nodes": [{"name": name, "posts": None} for name in "ab"]}, **INFO}
        assert errors_of(result) == nulled(["tags", "nodes", 0, "posts"], ["tags", "nodes", 1, "posts"])

    async def test_halts_with_one_error(self, api: Api) -> None:
        result = await api.execute(NESTED, onError="HALT")
        assert (result.get("data"), len(result["errors"])) == (None, 1)
        assert errors_of(result)[0] in nulled(["tags", "nodes", 0, "posts"], ["tags", "nodes", 1, "posts"])

    async def test_halts_for_an_item_that_may_be_null(self, api: Api) -> None:
        expected = [(["nodes", 0], "BAD_USER_INPUT")]
        halted, default = [await api.execute(NODES, onError=mode) for mode in ("HALT", "PROPAGATE")]
        assert (halted["data"], errors_of(halted)) == (None, expected)
        assert (default["data"], errors_of(default)) == ({"nodes": [None], **INFO}, expected)

    async def test_without_errors_is_the_same_in_each_mode(self, api: Api) -> None:
        query = "{ tags { nodes { name } } }"
        results = [await api.execute(query, onError=mode) for mode in ("HALT", "NULL", "PROPAGATE")]
        assert results == [{"data": await api.data(query)}] * 3


class TestMutation:
    @pytest.mark.parametrize("mode", ["NULL", "PROPAGATE"])
    async def test_runs_after_one_that_failed(self, api: Api, mode: str) -> None:
        result = await api.execute(TWO_MUTATIONS, {"slug": "zz"}, onError=mode)
        assert result.get("data") == {"createPost": None, "upsertTag": {"errors": [], "tag": {"slug": "zz"}}}
        assert errors_of(result) == nulled(["createPost"])

    async def test_does_not_run_after_one_that_halted(self, api: Api) -> None:
        result = await api.execute(TWO_MUTATIONS, {"slug": "never"}, onError="HALT")
        assert (result.get("data"), errors_of(result)) == (None, nulled(["createPost"]))
        assert await api.data('{ tag(by: { slug: "never" }) { id } }') == {"tag": None}

    async def test_that_halted_after_another_one_is_not_to_be_repeated(self, api: Api) -> None:
        """503 says that nothing happened."""
        reversed_order = "mutation($slug: String!) { upsertTag(input: { slug: $slug, name: $slug }) { tag { slug } } "
        reversed_order += 'createPost(input: { title: "Title", markdown: "" }) { errors { message } } }'
        halted = await api.post(reversed_order, {"slug": "zy"}, onError="HALT")
        alone = await api.post('mutation { createPost(input: { title: "Title", markdown: "" }) { __typename } }')
        assert errors_of(halted.json()) == errors_of(alone.json()) == nulled(["createPost"])
        assert (halted.json()["data"], halted.status_code, alone.status_code) == (None, 294, 503)
        assert await api.data('{ tag(by: { slug: "zy" }) { name } }') == {"tag": {"name": "zy"}}


class TestParameter:
    async def test_of_another_value_is_refused(self, api: Api) -> None:
        wrong: list[Any] = ["null", "propagate", "ABORT", "", " NULL", 1, True, [], ["NULL"], {}]
        for value in wrong:
            response = await api.post("{ serverInfo { maxCost } }", onError=value)
            error = only_error(response)
            assert (response.status_code, error["extensions"]["code"]) == (422, "BAD_REQUEST"), value
            assert error["message"] == "`onError` must be PROPAGATE, NULL, HALT or null."

    async def test_stands_in_a_url_as_well(self, api: Api) -> None:
        answers = [
            await api.http.get("/graphql", params={"query": NODES, "onError": mode}) for mode in ("HALT", "", "no")
        ]
        assert [answer.status_code for answer in answers] == [294, 294, 422]
        assert [answer.json().get("data", "none") for answer in answers] == [None, {"nodes": [None], **INFO}, "none"]

    async def test_is_announced(self, api: Api) -> None:
        data = await api.data("{ serverInfo { capabilities { name value } } }")
        assert data["serverInfo"]["capabilities"][:2] == [
            {"name": "graphql.onError", "value": None},
            {"name": "graphql.defaultErrorBehavior", "value": "PROPAGATE"},
        ]
