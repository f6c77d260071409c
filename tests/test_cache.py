"""Caches have a budget in bytes, and admit only operations that are allowed."""

import random
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gqlapi.cache import BudgetedCache
from gqlapi.database.statement_cache import StatementCache
from gqlapi.execution.leaves import _makers
from gqlapi.operations import Operations
from gqlapi.schema import Schema
from tests.api import Api, serve, settings_for


class TestBudgetedCache:
    @given(steps=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 12) | st.none()), max_size=60))
    def test_keeps_the_newest_that_fit(self, steps: list[tuple[int, int | None]]) -> None:
        cache: BudgetedCache[int, int] = BudgetedCache(20)
        oracle: OrderedDict[int, int] = OrderedDict()
        for key, size in steps:
            if size is None:
                assert cache.get(key) == oracle.get(key)
                if key in oracle:
                    oracle.move_to_end(key)
                continue
            cache.put(key, size, size)
            oracle.pop(key, None)
            oracle[key] = size
            while sum(oracle.values()) > 20:
                oracle.popitem(last=False)
            assert (cache.bytes, len(cache)) == (sum(oracle.values()), len(oracle))

    def test_takes_nothing_that_is_larger_than_the_budget(self) -> None:
        cache: BudgetedCache[str, int] = BudgetedCache(10)
        cache.put("a", 1, 11)
        assert (cache.get("a"), cache.bytes, len(cache)) == (None, 0, 0)


@pytest.fixture
async def server(sqlite_url: str) -> AsyncIterator[Api]:
    async with serve(settings_for(sqlite_url, max_cost=1_000)) as api:
        yield api


def documents_of(api: Api) -> BudgetedCache[Any, Any]:
    schema: Schema = api.app.state.schema
    return schema.operations.cache


class TestDocuments:
    async def test_that_are_allowed_are_parsed_once(self, server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        query = "{ tags { nodes { id } } }"
        await server.data(query)
        assert documents_of(server).get((query, None)) is not None
        monkeypatch.setattr("gqlapi.operations.documents.parse", None)  # not called any more
        await server.data(query)

    @pytest.mark.parametrize(
        ("query", "variables"),
        [
            ("{", None),
            ("{ nothing }", None),
            ("{ posts(first: 1000) { nodes { id } } }", None),
            ("{ posts(first: 100) { nodes { author { id } tags { id } } } }", None),
            ("{" + "".join(f"a{n}: __typename " for n in range(600)) + "}", None),
            ("query ($n: Int) { posts(first: $n) { nodes { id } } }", {"n": "x"}),
            ("query A { __typename } query B { __typename }", None),
        ],
    )
    async def test_that_are_refused_leave_nothing_behind(self, server: Api, query: str, variables: Any) -> None:
        before = documents_of(server).bytes
        assert (await server.execute(query, variables))["errors"]
        assert documents_of(server).bytes == before

    async def test_have_a_budget(self, server: Api) -> None:
        schema: Schema = server.app.state.schema
        operations = Operations(schema._schema, schema.schema_converter, schema.limits, {}, max_bytes=200_000)
        for number in range(80):
            operations.bind(f"{{ a{number}: __typename }}")
        cache = operations.cache
        assert 0 < len(cache) < 80
        assert 0 < cache.bytes <= cache.max_bytes
        assert cache.get(("{ a79: __typename }", None)) is not None
        assert cache.get(("{ a0: __typename }", None)) is None

    async def test_keep_few_variants_of_one(self, server: Api) -> None:
        """Each combination of the variables of @skip and @include is compiled; only some are kept."""
        names = [f"v{number}" for number in range(5)]
        definitions = " ".join(f"${name}: Boolean!" for name in names)
        query = f"query ({definitions}) {{ " + " ".join(f"{n}: __typename @include(if: ${n})" for n in names) + " }"
        for number in range(32):
            values = {name: bool(number & 1 << place) for place, name in enumerate(names)}
            assert await server.data(query, values) == {name: "Query" for name in names if values[name]}
        known = documents_of(server).get((query, None))
        assert known is not None
        # All of them would take half as much again.
        assert known.bytes < documents_of(server).bytes < 150_000

    async def test_of_one_name_do_not_share_the_variables_of_another(self, server: Api) -> None:
        query = """
            query A($v: Boolean!) { serverInfo { ...F } } fragment F on ServerInfo { version @include(if: $v) }
            query B($v: [String!]) { __typename posts(filter: { slug: { in: $v } }, first: 1) { nodes { id } } }
        """
        named = await server.execute(query, {"v": ["x"]}, operationName="B")
        assert named["data"] == {"__typename": "Query", "posts": {"nodes": []}}
        assert (await server.execute(query, {"v": False}, operationName="A"))["data"] == {"serverInfo": {}}


class TestMakers:
    async def test_have_a_budget_in_which_names_count(self, server: Api) -> None:
        for number in range(40):
            name = f"{'a' * 60_000}{number}"
            assert await server.data(f"{{ serverInfo {{ {name}: __typename }} }}") == {
                "serverInfo": {name: "ServerInfo"}
            }
        assert len(_makers) < 40
        assert _makers.bytes <= _makers.max_bytes


class TestStatements:
    async def test_have_a_budget_in_every_engine(self, api: Api) -> None:
        for engine in (api.database.read_engine, api.database.write_engine):
            assert isinstance(engine.get_execution_options()["compiled_cache"], StatementCache)

    async def test_of_many_shapes_stay_within_it(self, api: Api, dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
        cache: BudgetedCache[Any, Any] = BudgetedCache(500_000 if dialect == "postgresql" else 3_000_000)
        monkeypatch.setattr("gqlapi.repositories.sources._readings", cache)
        chance = random.Random(1)  # noqa: S311 - no secret
        query = "query ($f: PostFilter) { posts(filter: $f, first: 1) { nodes { id } } }"
        branches: list[dict[str, Any]] = []
        for _ in range(60):
            branches = [
                {chance.choice(["title", "slug"]): {chance.choice(["eq", "contains", "startsWith"]): "a"}}
                for _ in range(20)
            ]
            await api.data(query, {"f": {"or": branches}})
            assert cache.bytes <= cache.max_bytes
        assert 5 < len(cache) < 60
        hits = len(cache)
        await api.data(query, {"f": {"or": branches}})  # the same shape is compiled once
        assert len(cache) == hits
