"""Bad documents and arguments: a clear error with a code, before any SQL runs."""

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
import pytest_asyncio

from gqlapi.models import GlobalId
from gqlapi.repositories.pages import Ordering
from gqlapi.schema.ordering import to_ordering
from gqlapi.schema.types import POSTS, USERS
from tests.api import Api, only_error, serve, settings_for
from tests.factories import make_post, make_user, save
from tests.text_arguments import TextArgument, literal, text_arguments

# Fixed: the names of tests must not change from worker to worker.
SOME_ID = UUID("01932c07-209c-7000-8000-000000000000")
ORDERING = to_ordering(POSTS.default_order)
FILTERED = "query($f: PostFilter) { posts(filter: $f) { nodes { id } } }"
F = "fragment F on Query { users { totalCount } }"
G = "fragment G on Query { users { nodes FLAG { id } } }"
AFTER = "query($c: Cursor) { posts(after: $c) { nodes { id } } }"
# A text that is no id finds nothing there.
LOOKUPS = {"node.id", "user.by.id", "post.by.id", "tag.by.id"}
TITLES = ["50%_off", "50% off", "50 %_", "a\\b", "a\\\\b", "it's", 'say "hi"', "tada 🎉", "tada 🎊", "É", "_", "%"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(sqlite_template: Path) -> AsyncIterator[Api]:
    """A server whose database is never asked."""
    async with serve(settings_for(f"sqlite:///{sqlite_template}")) as api:
        yield api


async def refuse(
    server: Api, query: str, variables: dict[str, Any] | None = None, *, status: int = 422
) -> dict[str, Any]:
    """Return the error of an operation that runs no SQL."""
    with server.statements() as statements:
        # httpx's own JSON has no escapes, and no lone surrogates without them.
        content = json.dumps({"query": query, "variables": variables})
        response = await server.http.post("/graphql", content=content, headers={"Content-Type": "application/json"})
    assert (response.status_code, statements) == (status, [])
    return only_error(response)


def nest(depth: int) -> Any:
    return {"not": nest(depth - 1)} if depth else {}


def cursor_of(values: Any, ordering: Ordering = ORDERING) -> str:
    return urlsafe_b64encode(orjson.dumps([ordering.digest, values])).rstrip(b"=").decode()


class TestContains:
    @pytest.mark.parametrize("text", ["50%_", "%", "_", "\\", "\\\\", "'", '"', "🎉", "é", "%%", "' OR 1=1 --"])
    async def test_has_no_special_characters(self, api: Api, text: str) -> None:
        author = make_user()
        await save(api.database, [author, *(make_post(author, title=title) for title in TITLES)])

        query = "query($f: PostFilter) { posts(filter: $f) { totalCount nodes { title } } }"
        data = await api.data(query, {"f": {"title": {"contains": text}}})

        expected = {title for title in TITLES if text.casefold() in title.casefold()}
        assert {node["title"] for node in data["posts"]["nodes"]} == expected
        assert data["posts"]["totalCount"] == len(expected)


class TestFilter:
    @pytest.mark.parametrize(
        ("value", "limit"),
        [
            pytest.param(nest(50), 5, id="50 levels"),
            pytest.param(nest(5), 5, id="6 levels"),
            pytest.param({"or": [{"slug": {"eq": "a"}}] * 50}, 50, id="51 branches"),
            pytest.param({"title": {"in": ["a"] * 501}}, 500, id="501 values"),
            pytest.param({"id": {"notIn": [GlobalId("Post", SOME_ID).encode()] * 501}}, 500, id="501 ids"),
        ],
    )
    async def test_refuses_what_is_too_large(self, server: Api, value: Any, limit: int) -> None:
        as_variable = await refuse(server, FILTERED, {"f": value})
        as_literal = await refuse(server, f"{{ posts(filter: {literal(value)}) {{ nodes {{ id }} }} }}")

        for error in (as_variable, as_literal):
            assert error["path"] == ["posts"]
            assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": limit}

    @pytest.mark.parametrize(
        "value",
        [nest(4), {"or": [{"slug": {"eq": "a"}}] * 49}, {"title": {"in": ["a"] * 500}}],
        ids=["5 levels", "50 branches", "500 values"],
    )
    async def test_accepts_what_is_just_small_enough(self, server: Api, value: Any) -> None:
        assert await server.data(FILTERED, {"f": value}) == {"posts": {"nodes": []}}

    @pytest.mark.parametrize("count", [2_000, 2_500])
    async def test_bounds_the_values_of_all_lists_together(self, server: Api, count: int) -> None:
        value = {"or": [{"title": {"in": ["a"] * 500}}] * (count // 500)}

        result = await server.execute(FILTERED, {"f": value})

        codes = [(error["path"], error["extensions"]) for error in result.get("errors", [])]
        too_many = [(["posts"], {"code": "LIMIT_EXCEEDED", "limit": 2_000})]
        assert codes == (too_many if count > 2_000 else [])

    async def test_takes_a_value_that_is_named_often_for_one(self, server: Api) -> None:
        assert await server.data(FILTERED, {"f": {"status": ["DRAFT"] * 1_000}}) == {"posts": {"nodes": []}}

    @pytest.mark.parametrize("depth", [64, 300, 900])
    async def test_refuses_what_is_nested_too_deeply(self, server: Api, depth: int) -> None:
        error = await refuse(server, FILTERED, {"f": nest(depth)})
        assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": 64}

    @pytest.mark.parametrize(
        ("value", "code"),
        [
            ("2026-11-20T08:30:00", "GRAPHQL_VALIDATION_FAILED"),
            ("0001-01-01T00:00:00+14:00", "GRAPHQL_VALIDATION_FAILED"),
            (5, "GRAPHQL_VALIDATION_FAILED"),
        ],
    )
    async def test_refuses_a_time_that_is_none(self, server: Api, value: Any, code: str) -> None:
        as_literal = await refuse(
            server, f"{{ posts(filter: {literal({'createdAt': {'eq': value}})}) {{ totalCount }} }}"
        )
        as_variable = await refuse(server, FILTERED, {"f": {"createdAt": {"eq": value}}})
        assert as_literal["extensions"]["code"] == code
        assert as_variable["extensions"]["code"] == "BAD_USER_INPUT"
        assert "DateTime" in as_literal["message"]


class TestPage:
    @pytest.mark.parametrize(
        "arguments", ["first: 0", "first: 101", "first: -1", "last: 0", "last: 101", "first: 2, last: 2"]
    )
    @pytest.mark.parametrize("path", [("posts",), ("users", "nodes", "posts"), ("tags", "edges", "node", "posts")])
    async def test_refuses_a_size_out_of_range(self, server: Api, arguments: str, path: tuple[str, ...]) -> None:
        document = f"({arguments}) {{ nodes {{ id }} }}"
        for name in reversed(path):
            document = f" {{ {name}{document} }}"
        error = await refuse(server, document)
        assert (error["path"], error["extensions"]) == ([*path], {"code": "BAD_USER_INPUT"})

    @pytest.mark.parametrize("size", [2**31, 10**100, 1.5, "1", True, float(10**300)])
    async def test_refuses_a_size_that_is_no_int(self, server: Api, size: Any) -> None:
        as_literal = await refuse(server, f"{{ posts(first: {literal(size)}) {{ totalCount }} }}")
        as_variable = await refuse(server, "query($n: Int) { posts(first: $n) { totalCount } }", {"n": size})
        assert as_literal["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        assert as_variable["extensions"]["code"] == "BAD_USER_INPUT"

    @pytest.mark.parametrize(
        "cursor",
        [
            pytest.param("", id="empty"),
            pytest.param("abc", id="no base64"),
            pytest.param("é\U0001f389", id="not ASCII"),
            pytest.param("WyJ" * 10_000, id="long"),
            pytest.param(urlsafe_b64encode(b"5").decode(), id="a number"),
            pytest.param(urlsafe_b64encode(b"[]").decode(), id="an empty list"),
            pytest.param(cursor_of(["2026-11-20T08:30:00Z"]), id="too few values"),
            pytest.param(cursor_of(["2026-11-20T08:30:00Z", str(SOME_ID), "x"]), id="too many values"),
            pytest.param(cursor_of([5, str(SOME_ID)]), id="a number for a time"),
            pytest.param(cursor_of(["yesterday", str(SOME_ID)]), id="a word for a time"),
            pytest.param(cursor_of(["2026-11-20T08:30:00", str(SOME_ID)]), id="a time without offset"),
            pytest.param(cursor_of(["2026-11-20T08:30:00Z", "x"]), id="a word for an id"),
            pytest.param(cursor_of(["2026-11-20T08:30:00Z", None]), id="no id"),
            pytest.param(cursor_of({"a": 1}), id="an object"),
            pytest.param(cursor_of(None), id="null"),
            pytest.param(cursor_of([None, str(SOME_ID)])[:-2], id="cut off"),
            pytest.param(cursor_of([], to_ordering(USERS.default_order)), id="of another ordering"),
            pytest.param(cursor_of([[], {}]), id="lists"),
        ],
    )
    @pytest.mark.parametrize("argument", ["after", "before"])
    async def test_refuses_a_cursor_that_it_did_not_make(self, server: Api, argument: str, cursor: str) -> None:
        query = AFTER.replace("after", argument)
        error = await refuse(server, query, {"c": cursor})
        assert (error["path"], error["extensions"]["code"]) == (["posts"], "INVALID_CURSOR")

    async def test_refuses_the_cursor_of_another_ordering(self, api: Api) -> None:
        author = make_user()
        await save(api.database, [author, make_post(author), make_post(author)])
        by_title = await api.data("{ posts(orderBy: [{field: TITLE}]) { pageInfo { startCursor } } }")
        error = await refuse(api, AFTER, {"c": by_title["posts"]["pageInfo"]["startCursor"]})
        assert (error["path"], error["extensions"]["code"]) == (["posts"], "INVALID_CURSOR")


class TestId:
    @pytest.mark.parametrize(
        "id_", ["x", "", "VXNlcg", "5", "é", "A" * 5000, str(SOME_ID), GlobalId("5", SOME_ID).encode()]
    )
    @pytest.mark.parametrize(
        "field", ["node(id: $id)", "user(by: {id: $id})", "post(by: {id: $id})", "tag(by: {id: $id})"]
    )
    async def test_that_the_server_did_not_make_finds_nothing(self, server: Api, field: str, id_: str) -> None:
        data = await server.data(f"query($id: ID!) {{ {field} {{ id }} }}", {"id": id_})
        assert data == {field.partition("(")[0]: None}

    @pytest.mark.parametrize("typename", ["Post", "Nothing"])
    async def test_of_another_type_finds_nothing(self, server: Api, typename: str) -> None:
        id_ = GlobalId(typename, SOME_ID).encode()
        data = await server.data("query($id: ID!) { user(by: {id: $id}) { id } }", {"id": id_})
        assert data == {"user": None}

    @pytest.mark.parametrize("id_", ["x", GlobalId("User", SOME_ID).encode()])
    async def test_in_a_filter_must_be_of_its_type(self, server: Api, id_: str) -> None:
        for operator, value in (("eq", id_), ("ne", id_), ("in", [id_]), ("notIn", [id_])):
            error = await refuse(server, FILTERED, {"f": {"not": {"id": {operator: value}}}})
            assert (error["path"], error["extensions"]["code"]) == (["posts"], "BAD_USER_INPUT")

    async def test_in_nodes_fails_alone(self, api: Api) -> None:
        user = make_user()
        await save(api.database, [user, make_post(user)])
        result = await api.execute(
            "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["x", user.global_id, ""]}
        )
        assert result["data"] == {"nodes": [None, {"id": user.global_id}, None]}
        assert [error["path"] for error in result["errors"]] == [["nodes", 0], ["nodes", 2]]
        assert {error["extensions"]["code"] for error in result["errors"]} == {"BAD_USER_INPUT"}

    @pytest.mark.parametrize("bad", ["a\0b", "\0", "\ud800", "x" * 5_000])
    async def test_in_nodes_may_hold_any_character(self, api: Api, bad: str) -> None:
        user = make_user()
        await save(api.database, [user, make_post(user)])
        query = "query($ids: [ID!]!, $b: ID!) { nodes(ids: $ids) { id } node(id: $b) { id } }"
        content = json.dumps({"query": query, "variables": {"ids": [user.global_id, bad], "b": bad}})
        response = await api.http.post("/graphql", content=content, headers={"Content-Type": "application/json"})
        result = response.json()
        assert result["data"] == {"nodes": [{"id": user.global_id}, None], "node": None}
        refused = [(error["path"], error["extensions"]["code"]) for error in result["errors"]]
        assert refused == [(["nodes", 1], "BAD_USER_INPUT")]

    async def test_that_is_no_text_is_not_taken_for_one(self, server: Api) -> None:
        # One object for both in Python, as every text of one character is.
        query = "query($i: ID!, $t: String) { node(id: $i) { id } posts(filter: {title: {eq: $t}}) { totalCount } }"
        error = await refuse(server, query, {"i": "\0", "t": "\0"})
        assert (error["path"], error["extensions"]["code"]) == (["posts"], "BAD_USER_INPUT")

    async def test_nodes_takes_at_most_100(self, server: Api) -> None:
        ids = [GlobalId("User", SOME_ID).encode()] * 101
        error = await refuse(server, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ids})
        assert (error["path"], error["extensions"]["code"]) == (["nodes"], "BAD_USER_INPUT")


class TestFlag:
    @pytest.mark.parametrize("directive", ["skip", "include"])
    @pytest.mark.parametrize(
        ("selection", "path"),
        [
            ("posts(first: 1) { nodes { title FLAG } }", ["posts", "nodes", "title"]),
            ("posts { all: nodes FLAG { title } }", ["posts", "all"]),
            ("posts { nodes { ... FLAG { slug } } }", ["posts", "nodes", "slug"]),
            ("... FLAG { posts { totalCount } }", ["posts"]),
            ("...F FLAG", ["users"]),
            ("...G", ["users", "nodes"]),
        ],
    )
    async def test_refuses_null(self, server: Api, directive: str, selection: str, path: list[str]) -> None:
        flagged = selection.replace("FLAG", f"@{directive}(if: $v)")
        used = {"...F": F, "...G": G}.get(selection[:4], "").replace("FLAG", f"@{directive}(if: $v)")
        error = await refuse(server, f"query($v: Boolean = true) {{ {flagged} }} {used}", {"v": None})
        assert (error["path"], error["extensions"]["code"]) == (path, "BAD_USER_INPUT")
        assert "$v" in error["message"]


class TestText:
    @pytest.mark.parametrize("place", [place for place in text_arguments() if not place.is_id], ids=str)
    async def test_holds_no_nul_and_no_lone_surrogate(self, server: Api, place: TextArgument) -> None:
        for text in ("a\0b", "\udfff!"):
            error = await refuse(server, place.document(), {"value": place.value(text)})
            assert (error["path"], error["extensions"]["code"]) == ([*place.field], "BAD_USER_INPUT"), text
        nul = await refuse(server, place.document(literal=literal(place.value("\0"))))
        assert (nul["path"], nul["extensions"]["code"]) == ([*place.field], "BAD_USER_INPUT")

    @pytest.mark.parametrize("text", ["\\ud800", "\\u{d800}", "\\udfff", "\ud800"])
    async def test_holds_no_lone_surrogate_in_a_literal(self, server: Api, text: str) -> None:
        error = await refuse(server, f'{{ posts(filter: {{title: {{eq: "{text}"}}}}) {{ totalCount }} }}', status=400)
        assert error["extensions"]["code"] == "GRAPHQL_PARSE_FAILED"

    def test_stands_in_arguments_of_lists_and_of_lookups(self) -> None:
        places = set(map(str, text_arguments()))
        assert {"posts.after", "users.nodes.posts.after", "nodes.ids.[]", "user.by.username"} <= places

    async def test_of_an_id_is_refused_in_its_place(self, server: Api) -> None:
        ids = [place for place in text_arguments() if place.is_id and str(place) not in LOOKUPS]
        assert {"posts.filter.id.eq", "nodes.ids.[]"} <= set(map(str, ids))
        for place in ids:
            response = await server.post(place.document(), {"value": place.value("a\0b")})
            error = only_error(response)
            assert error["path"][: len(place.field)] == [*place.field], place
            assert error["extensions"]["code"] == "BAD_USER_INPUT", place
