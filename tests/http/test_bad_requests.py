"""Requests that are no GraphQL requests, and documents that are hostile."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import example, given
from hypothesis import strategies as st

from tests.api import Api, internals_in, only_error, serve, settings_for
from tests.effort import measure
from tests.examples import examples

INFO = "{ serverInfo { version } }"
JSON = {"Content-Type": "application/json"}
ACCEPTED_STATUSES = {200, 294, 400, 413, 415, 422}
# Following every spread of 20 fragments takes 2 to the 20; measured 17,000, and 43,000 for 60 fragments.
MAX_CALLS = 100_000
BOMBS = {
    "root": ("Query", "{ ...F0 }", "serverInfo { version }"),
    "author": ("User", "{ posts { nodes { author { ...F0 } } } }", "id"),
    "author of author": ("User", "{ posts { nodes { author { posts { nodes { author { ...F0 } } } } } } }", "id"),
    "spread twice at the root": ("Query", "{ ...F0 ... on Query { ...F0 } }", "serverInfo { version }"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(sqlite_template: Path) -> AsyncIterator[Api]:
    """A server whose database is never asked."""
    async with serve(settings_for(f"sqlite:///{sqlite_template}")) as api:
        yield api


async def send(server: Api, content: bytes, **headers: str) -> Any:
    return await server.http.post("/graphql", content=content, headers={**JSON, **headers})


class TestBody:
    @pytest.mark.parametrize(
        ("content", "status"),
        [
            *((text, 400) for text in (b"", b"NaN", b'{"query": Infinity}', b"{", b'{"query": "\xff"}', b"1" * 5000)),
            (b'{"query": "{ serverInfo { version } }", "variables": {"n": ' + b"1" * 5000 + b"}}", 400),
            (b"[" * 10_000 + b"]" * 10_000, 400),
            (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400),
            *((text, 422) for text in (b"5", b"null", b"[]", b'"x"', b"true", b"{}", b'{"query": ""}')),
            (b'[{"query": "{ serverInfo { version } }"}]', 422),
            (b'{"query": null}', 422),
        ],
        ids=lambda value: value[:24].decode("ascii", "replace") if isinstance(value, bytes) else None,
    )
    async def test_that_is_no_request_is_refused(self, server: Api, content: bytes, status: int) -> None:
        response = await send(server, content)
        error = only_error(response)
        assert (response.status_code, error["extensions"]["code"]) == (status, "BAD_REQUEST")
        assert response.headers["Content-Type"] == "application/graphql-response+json; charset=utf-8"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            (name, value)
            for name, right in (("query", '"x"'), ("operationName", '"x"'), ("variables", "{}"), ("extensions", "{}"))
            for value in ("5", "[]", "true", "1.5", '"x"', "{}")
            if value != right
        ],
    )
    async def test_with_a_field_of_a_wrong_type_is_refused(self, server: Api, name: str, value: str) -> None:
        fields = {"query": f'"{INFO}"', name: value}
        response = await send(
            server, ("{" + ",".join(f'"{key}":{text}' for key, text in fields.items()) + "}").encode()
        )
        error = only_error(response)
        assert (response.status_code, error["extensions"]["code"]) == (422, "BAD_REQUEST")
        assert f"`{name}`" in error["message"]

    async def test_may_have_nulls_and_unknown_fields(self, server: Api) -> None:
        data = await server.execute(INFO, None, operationName=None, extensions=None, future=1)
        assert "errors" not in data

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-32-be", "latin-1"])
    async def test_of_another_encoding_is_refused(self, server: Api, encoding: str) -> None:
        response = await send(
            server, '{"query": "{ serverInfo { version } }", "operationName": "\u00e9"}'.encode(encoding)
        )
        assert (response.status_code, only_error(response)["message"]) == (400, "The body is not valid JSON.")

    async def test_may_begin_with_a_mark_of_utf8(self, server: Api) -> None:
        response = await send(server, '{"query": "{ serverInfo { version } }"}'.encode("utf-8-sig"))
        assert "errors" not in response.json()

    @given(content=st.binary(max_size=200) | st.text().map(str.encode))
    @example(content=b'{"query":"{a}","operationName":"\\ud800"}')
    @examples(60)
    async def test_of_random_bytes_never_breaks_the_server(self, server: Api, content: bytes) -> None:
        response = await send(server, content)
        assert response.status_code in ACCEPTED_STATUSES
        assert only_error(response)["extensions"]["code"] != "INTERNAL_SERVER_ERROR"


class TestMediaType:
    @pytest.mark.parametrize(
        "media_type",
        ["text/plain", "text/plain, application/json", "text/application/json", "application/x-www-form-urlencoded",
         "multipart/form-data; boundary=x", "", "application/graphql", "x; application/json",
         "application/json; charset=latin-1", "application/graphql-response+json"],
    )  # fmt: skip
    async def test_other_than_json_is_refused(self, server: Api, media_type: str) -> None:
        response = await send(server, b'{"query": "{ serverInfo { version } }"}', **{"Content-Type": media_type})
        assert (response.status_code, only_error(response)["extensions"]["code"]) == (415, "BAD_REQUEST")

    async def test_is_required(self, server: Api) -> None:
        response = await server.http.post("/graphql", content=b'{"query": "{ serverInfo { version } }"}')
        assert (response.status_code, only_error(response)["extensions"]["code"]) == (415, "BAD_REQUEST")

    @pytest.mark.parametrize(
        "media_type",
        [
            "application/json",
            "application/json; charset=utf-8",
            "Application/JSON",
            'application/JSON ; Charset="UTF-8"',
        ],
    )
    async def test_json_is_accepted(self, server: Api, media_type: str) -> None:
        response = await send(server, b'{"query": "{ serverInfo { version } }"}', **{"Content-Type": media_type})
        assert "errors" not in response.json()


class TestMethod:
    @pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
    async def test_that_is_not_supported_is_refused(self, server: Api, method: str) -> None:
        response = await server.http.request(method, "/graphql")
        assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD, POST, QUERY")
        assert only_error(response)["extensions"]["code"] == "BAD_REQUEST"

    async def test_get_runs_a_query(self, server: Api) -> None:
        query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
        response = await server.http.get("/graphql", params={"query": query, "variables": '{"ids": []}'})
        assert (response.status_code, response.json()["data"]) == (200, {"nodes": []})

    @pytest.mark.parametrize("name", ["variables", "extensions"])
    @pytest.mark.parametrize("value", ["{", "5", "[]", "NaN", "[" * 20_000])
    async def test_get_refuses_bad_json(self, server: Api, name: str, value: str) -> None:
        response = await server.http.get("/graphql", params={"query": INFO, name: value})
        error = only_error(response)
        assert (response.status_code, error["extensions"]["code"]) == (422, "BAD_REQUEST")
        assert f"`{name}`" in error["message"]

    @pytest.mark.parametrize("name", ["operationName", "variables", "extensions"])
    async def test_get_takes_an_empty_parameter_for_none(self, server: Api, name: str) -> None:
        response = await server.http.get("/graphql", params={"query": INFO, name: ""})
        assert (response.status_code, "errors" in response.json()) == (200, False)

    @pytest.mark.parametrize("accept", ["application/json", "*/*"])
    async def test_get_with_an_empty_query_is_refused(self, server: Api, accept: str) -> None:
        response = await server.http.get("/graphql?query=", headers={"Accept": accept})
        assert (response.status_code, only_error(response)["extensions"]["code"]) == (422, "BAD_REQUEST")

    async def test_get_without_a_query_is_refused(self, server: Api) -> None:
        response = await server.http.get("/graphql", headers={"Accept": "application/json"})
        assert (response.status_code, only_error(response)["extensions"]["code"]) == (422, "BAD_REQUEST")


class TestDocument:
    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("   ", "GRAPHQL_PARSE_FAILED"),
            ("# nothing", "GRAPHQL_PARSE_FAILED"),
            ("{", "GRAPHQL_PARSE_FAILED"),
            ("{ a\ud800 }", "GRAPHQL_PARSE_FAILED"),
            ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
            ("{ ...Nope }", "GRAPHQL_VALIDATION_FAILED"),
            ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", "GRAPHQL_VALIDATION_FAILED"),
            ("{ ...A } fragment A on Query { ...A }", "GRAPHQL_VALIDATION_FAILED"),
            ("mutation { nope }", "GRAPHQL_VALIDATION_FAILED"),
            ("subscription { posts }", "GRAPHQL_VALIDATION_FAILED"),
            ("{ user(by: {}) { id } }", "GRAPHQL_VALIDATION_FAILED"),
            ('{ user(by: {id: "x", username: "y"}) { id } }', "GRAPHQL_VALIDATION_FAILED"),
            ("query($id: ID) { user(by: {id: $id}) { id } }", "BAD_USER_INPUT"),
            ("fragment A on Query { user(by: {id: $id}) { id } } query($id: ID!) { ...A }", "BAD_USER_INPUT"),
            ("{ user(by: {id: $nope}) { id } }", "GRAPHQL_VALIDATION_FAILED"),
            ("{ posts(first: " + "1" * 5000 + ") { totalCount } }", "GRAPHQL_VALIDATION_FAILED"),
            (
                "{ posts(filter: {deletedAt: {isNull: " + "1" * 5000 + "}}) { totalCount } }",
                "GRAPHQL_VALIDATION_FAILED",
            ),
            ("query A { serverInfo { version } } query B { serverInfo { version } }", "OPERATION_RESOLUTION_FAILURE"),
            ("fragment A on Query { serverInfo { version } }", "OPERATION_RESOLUTION_FAILURE"),
        ],
        ids=lambda text: text[:40],
    )
    async def test_that_cannot_run_is_refused(self, server: Api, query: str, code: str) -> None:
        content = b'{"query": "' + query.encode("ascii", "backslashreplace").replace(b'"', b'\\"') + b'"}'
        with server.statements() as statements:
            response = await send(server, content)
        error, status = only_error(response), 400 if code == "GRAPHQL_PARSE_FAILED" else 422
        assert (response.status_code, error["extensions"]["code"], statements) == (status, code, [])
        assert "data" not in response.json()
        assert len(response.content) < 1000

    @pytest.mark.parametrize("name", ["B", " ", "a", "\ud800", "x" * 10_000])
    async def test_without_the_named_operation_is_refused(self, server: Api, name: str) -> None:
        escaped = name.encode("ascii", "backslashreplace")
        error = only_error(
            await send(server, b'{"query": "query A { __typename }", "operationName": "' + escaped + b'"}')
        )
        assert error["extensions"]["code"] == "OPERATION_RESOLUTION_FAILURE"
        assert len(error["message"]) < 1000

    @given(query=st.text(max_size=100) | st.text(alphabet='{}()[]:!$@.|"\\ \nabq1_#', max_size=100))
    @example(query="{ posts(filter: {createdAt: {eq: 1}}) { totalCount } }")
    @examples(120)
    async def test_of_random_text_never_breaks_the_server(self, server: Api, query: str) -> None:
        response = await server.post(query)
        assert response.status_code in ACCEPTED_STATUSES
        assert internals_in(response) == []
        codes = {error["extensions"]["code"] for error in response.json().get("errors", ())}
        assert "INTERNAL_SERVER_ERROR" not in codes


class TestHostileDocument:
    @pytest.mark.parametrize("size", [20, 60])
    @pytest.mark.parametrize("shape", BOMBS)
    async def test_of_doubling_fragments_is_refused_at_once(self, server: Api, shape: str, size: int) -> None:
        typename, query, leaf = BOMBS[shape]
        doubling = (f" fragment F{n} on {typename} {{ ...F{n + 1} ...F{n + 1} }}" for n in range(size - 1))
        query += "".join(doubling) + f" fragment F{size - 1} on {typename} {{ {leaf} }}"

        result, calls = await measure(server, query)
        error = result["errors"][0]  # several limits may be exceeded

        assert calls < MAX_CALLS
        assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert error["extensions"]["actual"] >= 2 ** min(size - 1, 29)
        assert error["path"] == ["serverInfo" if typename == "Query" else "posts"]

    @pytest.mark.parametrize(
        "query",
        [
            pytest.param("{" + "serverInfo { version } " * 390 + "}", id="root fields"),
            pytest.param("{ serverInfo {" + "version " * 1900 + "} }", id="leaves"),
            pytest.param("{" + "posts { nodes { author { id } } } " * 170 + "}", id="nested fields"),
            pytest.param("{" + "... { serverInfo { version } } " * 240 + "}", id="inline fragments"),
            pytest.param("{ __schema {" + "types { name fields { name } } " * 200 + "} }", id="introspection"),
            pytest.param("{ serverInfo {" + " ".join(f"a{n}: version" for n in range(640)) + "} }", id="aliases"),
            pytest.param("{ serverInfo " + "@skip(if: false) " * 400 + "{ version } }", id="directives"),
            pytest.param("{ posts(filter: " + "{not: " * 180 + "{}" + "}" * 180 + ") { totalCount } }", id="filters"),
            pytest.param("{" + " x" * 100_000 + "}", id="tokens"),
            pytest.param("{ __schema { types {" + " fields { type {" * 4 + "name" + "} }" * 4 + "}}}", id="schema"),
        ],
    )  # fmt: skip
    async def test_is_refused_cheaply(self, server: Api, query: str) -> None:
        result, calls = await measure(server, query)
        error = result["errors"][0]  # several limits may be exceeded
        assert calls < 4 * MAX_CALLS
        assert error["extensions"]["code"] in {"LIMIT_EXCEEDED", "GRAPHQL_VALIDATION_FAILED"}

    async def test_with_many_mistakes_gets_the_first_few(self, server: Api) -> None:
        response = await server.post("{" + " ".join(f"postz{n}" for n in range(1900)) + "}")
        assert len(response.json()["errors"]) <= 11
