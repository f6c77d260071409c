"""Every limit, just below and just above, over HTTP; and the analysis behind them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
from graphql import FragmentDefinitionNode, OperationDefinitionNode, parse
from graphql.execution.values import get_variable_values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from gqlapi.database.read_unit import ReadUnit
from gqlapi.http.body import read_body
from gqlapi.http.failures import HttpFailure
from gqlapi.schema import Limits, Schema
from gqlapi.schema.analysis import Analysis, Analyzer
from tests.api import Api, only_error, serve, settings_for
from tests.factories import make_post, make_tag, make_user, save

# The setting, its value, the largest document that passes and the smallest that does not, and where it is too large.
LIMITS = [
    pytest.param("max_depth", 4, "{ posts { nodes { author { posts { nodes { id } } } } } }",
                 "{ posts { nodes { author { posts { nodes { author { id } } } } } } }", "posts", id="depth"),
    pytest.param("max_fields", 4, "{ posts { nodes { id title } } }",
                 "{ tags { totalCount } posts { nodes { id title slug } } }", "posts", id="fields"),
    pytest.param("max_fields", 5, "{ ...F posts { totalCount } } fragment F on Query { tags { nodes { id } } }",
                 "{ ...F ...F } fragment F on Query { tags { nodes { id } } }", "tags", id="fields of fragments"),
    pytest.param("max_aliases", 2, "{ a: tags { b: totalCount totalCount } }",
                 "{ a: tags { b: totalCount c: totalCount } }", "a", id="aliases"),
    pytest.param("max_root_fields", 2, "{ a: __typename b: __typename }",
                 "{ a: __typename b: __typename c: __typename }", "c", id="root fields"),
    pytest.param("max_directives", 2, "{ tags @skip(if: false) { totalCount @include(if: true) } }",
                 "{ tags @skip(if: false) { ... @skip(if: true) { id: totalCount } totalCount @include(if: true) } }",
                 "tags", id="directives"),
    pytest.param("max_cost", 100, "{ posts(first: 100) { nodes { id } } }",
                 "{ posts(first: 10) { nodes { author { id } tags { id } } } }", "posts", id="cost"),
]  # fmt: skip
CODES = {"limit", "actual", "code"}


@asynccontextmanager
async def serve_sqlite(url: str, **limits: Any) -> AsyncIterator[Api]:
    async with serve(settings_for(url, **limits)) as api:
        yield api


class TestOperation:
    @pytest.mark.parametrize(("setting", "limit", "passing", "refused", "path"), LIMITS)
    async def test_is_bounded(
        self, sqlite_url: str, setting: str, limit: int, passing: str, refused: str, path: str
    ) -> None:
        async with serve_sqlite(sqlite_url, **{setting: limit}) as api:
            assert "errors" not in await api.execute(passing)
            with api.statements() as statements:
                response = await api.post(refused)

        error = only_error(response)
        assert statements == []
        assert set(error["extensions"]) == CODES
        assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert error["extensions"]["limit"] == limit < error["extensions"]["actual"]
        assert error["path"] == [path]

    async def test_has_so_many_tokens_at_most(self, sqlite_url: str) -> None:
        async with serve_sqlite(sqlite_url, max_tokens=6) as api:
            assert "errors" not in await api.execute("{ tags { totalCount } }")
            error = only_error(await api.post("{ tags { totalCount __typename } }"))
        assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert "6 tokens" in error["message"]

    @pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)
    async def test_ends_at_its_deadline_and_leaves_no_connection_behind(
        self, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        execute = ReadUnit._execute

        async def execute_slowly(unit: ReadUnit, *arguments: Any, **options: Any) -> Any:
            await asyncio.sleep(0.5)
            return await execute(unit, *arguments, **options)

        async with serve_sqlite(database_url, operation_timeout_seconds=0.2, pool_size=1) as api:
            assert "errors" not in await api.execute("{ tags { totalCount } }")
            with monkeypatch.context() as patched:
                patched.setattr(ReadUnit, "_execute", execute_slowly)
                error = only_error(await api.post("{ tags { totalCount } }"))
            assert error["extensions"]["code"] == "TIMEOUT"
            assert "errors" not in await api.execute("{ tags { totalCount } }")


class TestBody:
    async def test_is_refused_when_it_is_one_byte_too_large(self, sqlite_url: str) -> None:
        body = b'{"query": "{ tags { totalCount } }"}'
        async with serve_sqlite(sqlite_url, max_body_bytes=len(body)) as api:
            headers = {"Content-Type": "application/json"}
            assert (await api.http.post("/graphql", content=body, headers=headers)).status_code == 200
            response = await api.http.post("/graphql", content=body + b" ", headers=headers)
        assert (response.status_code, only_error(response)["extensions"]["code"]) == (413, "BAD_REQUEST")

    async def test_is_counted_while_it_arrives_because_its_length_may_lie(self) -> None:
        chunks = [{"type": "http.request", "body": b" " * 400, "more_body": True} for _ in range(10)]

        async def receive() -> Any:
            return chunks.pop()

        request = Request({"type": "http", "headers": [(b"content-length", b"5")]}, receive)
        with pytest.raises(HttpFailure) as refused:
            await read_body(request, max_bytes=1000)
        assert (refused.value.status_code, len(chunks)) == (413, 7)

    @pytest.mark.parametrize("headers", ["Content-Length: 20000000", "Transfer-Encoding: chunked"])
    async def test_is_refused_before_it_has_all_arrived(self, sqlite_url: str, headers: str) -> None:
        async with serve_sqlite(sqlite_url, max_body_bytes=1000) as api:
            port = urlsplit(str(api.http.base_url)).port
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\r\n\r\n"
            writer.write(head.encode() + b"7d0\r\n" + b" " * 2000 + b"\r\n")
            status = await asyncio.wait_for(reader.readline(), 5)
            writer.close()
        assert status.split()[1] == b"413"


LEAVES = ["id", "__typename"]


def documents(depth: int) -> st.SearchStrategy[str]:
    """Make valid documents: lists in lists, with fragments, aliases and absent rows."""
    return st.lists(_lists("Query", depth), min_size=1, max_size=3).map(
        lambda fields: "{" + " ".join(f"a{number}: {text}" for number, text in enumerate(fields)) + "}"
    )


FIELDS = {
    "Query": [("posts", "Post", True), ("users", "User", True), ("tags", "Tag", True)],
    "User": [("posts", "Post", True)],
    "Post": [("author", "User", False), ("tags", "Tag", False)],
    "Tag": [("posts", "Post", True)],
}


@st.composite
def _lists(draw: st.DrawFn, typename: str, depth: int) -> str:
    name, returned, is_connection = draw(st.sampled_from(FIELDS[typename]))
    inner = draw(st.sampled_from(LEAVES))
    if depth:
        children = draw(st.lists(_lists(returned, depth - 1), max_size=2))
        inner += "".join(f" b{number}: {child}" for number, child in enumerate(children))
    if draw(st.booleans()):
        inner = f"... on {returned} {{ {inner} }}"
    if not is_connection:
        return f"{name} {{ {inner} }}"
    size = draw(st.sampled_from(["", "(first: 1)", "(last: 3)", "(first: 100)"]))
    rows = draw(st.sampled_from(["nodes { %s }", "edges { node { %s } }", "totalCount nodes { %s }"]))
    return f"{name}{size} {{ {rows % inner} }}"


def count_objects(value: Any, key: str = "") -> int:
    """Count what a client pays for: all objects but connections and edges."""
    if isinstance(value, list):
        return sum(count_objects(item, key) for item in value)
    if not isinstance(value, dict):
        return 0
    return int("id" in value or "__typename" in value) + sum(
        count_objects(inner, name) for name, inner in value.items()
    )


def analyze(document: str) -> tuple[Analysis, int]:
    """Return the analysis of a document, and how many selections it looked at."""
    schema = Schema(Limits())
    parsed = parse(document)
    fragments = {node.name.value: node for node in parsed.definitions if isinstance(node, FragmentDefinitionNode)}
    [operation] = (node for node in parsed.definitions if isinstance(node, OperationDefinitionNode))
    variables = get_variable_values(schema._schema, (), {})
    assert not isinstance(variables, list)
    assert schema._schema.query_type is not None
    with patch.object(Analyzer, "_selection", autospec=True, side_effect=Analyzer._selection) as visit:
        analyzer = Analyzer(schema._schema, schema.schema_converter, fragments, variables)
        analysis = analyzer.analyze(schema._schema.query_type, operation.selection_set)
    return analysis, visit.call_count


class TestCost:
    @pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
    async def test_is_never_less_than_what_is_returned(self, api: Api) -> None:
        users = [make_user() for _ in range(4)]
        tags = [make_tag() for _ in range(4)]
        posts = [make_post(users[number % 4], *tags[: number % 5]) for number in range(12)]
        await save(api.database, [*users, *tags, *posts])
        loop, returned = asyncio.get_running_loop(), 0

        @given(document=documents(3))
        @settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
        def check(document: str) -> None:
            nonlocal returned
            cost = sum(size.cost for size in analyze(document)[0].roots.values())
            result = asyncio.run_coroutine_threadsafe(api.execute(document), loop).result(60)
            if "errors" in result:
                assert {error["extensions"]["code"] for error in result["errors"]} == {"LIMIT_EXCEEDED"}
                return
            returned += count_objects(result["data"])
            assert count_objects(result["data"]) <= cost

        await asyncio.to_thread(check)
        assert returned > 100

    @pytest.mark.parametrize(
        ("document", "cost"),
        [
            ("{ serverInfo { version } }", 0),
            ("{ posts { totalCount } }", 0),
            ('{ posts(filter: { search: "a", not: { search: "b" } }) { totalCount } }', 100),
            ('{ users(first: 2) { nodes { postCount(filter: { search: "a" }) } } }', 2 + 2 * 51),
            ("{ posts { nodes { id } } }", 20),
            ("{ posts(first: 3) { edges { node { id } } } }", 3),
            ("{ posts(first: 3) { nodes { author { id } tags { id } } } }", 3 * (1 + 1 + 20)),
            ("{ users(first: 5) { nodes { posts(last: 7) { nodes { id } } } } }", 5 * (1 + 7)),
            ('{ user(by: {username: "a"}) { id } }', 1),
            ('{ nodes(ids: ["a", "b"]) { id } }', 2),
            ("{ posts @skip(if: true) { nodes { id } } }", 0),
        ],
    )
    def test_is_the_number_of_objects_that_may_be_returned(self, document: str, cost: int) -> None:
        assert sum(size.cost for size in analyze(document)[0].roots.values()) == cost


class TestAnalysis:
    def test_looks_at_each_selection_once(self) -> None:
        def bomb(size: int) -> str:
            doubling = "".join(f" fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(size))
            return "{ ...F0 }" + doubling + f" fragment F{size} on Query {{ serverInfo {{ version }} }}"

        visits = [analyze(bomb(size))[1] for size in (10, 20, 40)]
        assert visits == [2 * size + 3 for size in (10, 20, 40)]

    @given(document=documents(4))
    @settings(max_examples=50)
    def test_visits_no_more_than_the_document_has(self, document: str) -> None:
        assert analyze(document)[1] <= len(json.dumps(document).split())
