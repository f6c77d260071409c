"""GraphQL over HTTP, first edition, sections Validation, Execution and Status Codes.

https://graphql.github.io/graphql-over-http/draft/#sec-Status-Codes

Three statuses are the HTTP server's own, and have their tests there: 408 in `tests/serving/test_deadlines.py`
(`test_answers_408_when_a_request_is_late`), 414 and 431 in `tests/serving/test_requests.py`
(`test_above_the_limit_are_refused`). This server is no teapot (418).
"""

import json
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from gqlapi.errors import Unavailable
from tests.api import Api, serve, settings_for
from tests.http.specification.asking import (
    FORBIDDEN,
    GRAPHQL,
    METHODS,
    PARTIAL,
    TYPE,
    WITH_BODY,
    ask,
    is_graphql_response,
    media_type,
    send,
)

# One document for each rule of https://spec.graphql.org/September2026/#sec-Validation that this schema can break.
INVALID = {
    "executable definitions": "{ __typename } type A { a: Int }",
    "unique operation names": "query A { __typename } query A { __typename }",
    "lone anonymous operation": "{ __typename } query A { __typename }",
    "known type names": "{ ... on Nope { id } }",
    "fragments on composite types": "{ ... on Int { id } }",
    "variables are input types": "query($a: Post) { __typename }",
    "scalar leafs": "{ serverInfo }",
    "fields on correct type": "{ nope }",
    "unique fragment names": "{ ...A } fragment A on Query { __typename } fragment A on Query { __typename }",
    "known fragment names": "{ ...A }",
    "no unused fragments": "{ __typename } fragment A on Query { __typename }",
    "possible fragment spreads": "{ ... on Post { id } }",
    "no fragment cycles": "{ ...A } fragment A on Query { ...A }",
    "unique variable names": "query($a: Int, $a: Int) { posts(first: $a) { totalCount } }",
    "no undefined variables": "{ posts(first: $a) { totalCount } }",
    "no unused variables": "query($a: Int) { __typename }",
    "known directives": "{ __typename @nope }",
    "unique directives per location": "{ __typename @skip(if: true) @skip(if: true) }",
    "known argument names": "{ posts(nope: 1) { totalCount } }",
    "unique argument names": "{ posts(first: 1, first: 1) { totalCount } }",
    "values of correct type": '{ posts(first: "a") { totalCount } }',
    "provided required arguments": "{ __type { name } }",
    "variables in allowed position": "query($a: String) { posts(first: $a) { totalCount } }",
    "overlapping fields can be merged": "{ a: serverInfo { version } a: __typename }",
    "unique input field names": '{ user(by: {id: "a", id: "a"}) { id } }',
}
NOT_WELL_FORMED = {
    "a misspelled name": b'{"qeury": "{ __typename }"}',
    "variables in a list": json.dumps({"query": TYPE, "variables": [7]}).encode(),
    "a query that is no string": b'{"query": 5}',
    "a name that is no string": b'{"query": "{ __typename }", "operationName": 5}',
    "extensions that are no object": b'{"query": "{ __typename }", "extensions": "x"}',
    "a list": b'[{"query": "{ __typename }"}]',
    "a text": b'"{ __typename }"',
}


@pytest.fixture
def statements(server: Api) -> Iterator[list[str]]:
    """The SQL that ran in the test."""
    with server.statements() as statements:
        yield statements


def code_of(response: httpx.Response) -> str:
    """Return the code of the errors of a response that has no data."""
    body = response.json()
    assert ("data" in body, is_graphql_response(response), media_type(response)) == (False, True, GRAPHQL)
    [code] = {error["extensions"]["code"] for error in body["errors"]}
    return str(code)


@pytest.mark.parametrize("method", METHODS)
class TestData:
    async def test_without_errors_gets_200(self, server: Api, method: str) -> None:
        response = await ask(server, method)
        assert (response.status_code, response.json().keys()) == (200, {"data"})

    async def test_with_errors_gets_294(self, server: Api, method: str) -> None:
        response = await ask(server, method, PARTIAL)
        body = response.json()
        assert (response.status_code, body.keys(), body["data"]["nodes"]) == (294, {"data", "errors"}, [None])
        assert body["data"]["serverInfo"]

    async def test_that_is_null_with_errors_gets_294(self, server: Api, method: str) -> None:
        response = await ask(server, method, FORBIDDEN)
        body = response.json()
        assert (response.status_code, body.keys(), body["data"]) == (294, {"data", "errors"}, None)


class TestValidation:
    """Nothing runs, and the status is 422."""

    @pytest.mark.parametrize("document", INVALID.values(), ids=INVALID.keys())
    async def test_applies_each_rule(self, server: Api, statements: list[str], document: str) -> None:
        name = "A" if "query A" in document else None
        response = await ask(server, "POST", document, operationName=name)
        assert (response.status_code, code_of(response), statements) == (422, "GRAPHQL_VALIDATION_FAILED", [])

    async def test_applies_limits(self, server: Api, statements: list[str]) -> None:
        document = "{ posts(first: 100) { nodes { author { posts(first: 100) { nodes { id } } } } } }"
        response = await ask(server, "POST", document)
        assert (response.status_code, code_of(response), statements) == (422, "LIMIT_EXCEEDED", [])


@pytest.mark.parametrize("method", METHODS)
class TestRequestError:
    """A response without data has a status of 4xx."""

    async def test_of_a_document_that_does_not_parse_gets_400(self, server: Api, method: str) -> None:
        response = await ask(server, method, "{")
        assert (response.status_code, code_of(response)) == (400, "GRAPHQL_PARSE_FAILED")

    async def test_of_a_document_that_is_not_valid_gets_422(self, server: Api, method: str) -> None:
        response = await ask(server, method, "{ nope }")
        assert (response.status_code, code_of(response)) == (422, "GRAPHQL_VALIDATION_FAILED")

    @pytest.mark.parametrize("name", [None, "C"])
    async def test_of_an_operation_that_cannot_be_determined_gets_422(
        self, server: Api, method: str, name: str | None
    ) -> None:
        names = {} if name is None else {"operationName": name}
        response = await ask(server, method, "query A { __typename } query B { __typename }", **names)
        assert (response.status_code, code_of(response)) == (422, "OPERATION_RESOLUTION_FAILURE")

    @pytest.mark.parametrize("variables", [{}, {"name": None}, {"name": 5}, {"name": ["a"]}])
    async def test_of_variables_that_cannot_be_coerced_gets_422(
        self, server: Api, method: str, variables: dict[str, object]
    ) -> None:
        response = await ask(server, method, TYPE, variables=variables)
        assert (response.status_code, code_of(response)) == (422, "BAD_USER_INPUT")

    async def test_of_a_request_without_a_query_gets_422(self, server: Api, method: str) -> None:
        response = await ask(server, method, None, operationName="A")
        assert (response.status_code, code_of(response)) == (422, "BAD_REQUEST")

    async def test_of_a_client_without_permission_gets_401(self, server: Api, method: str) -> None:
        for token in ("Bearer nothing", "Bearer gqlapi_nothing", "Basic eDp5", "Bearer"):
            response = await ask(server, method, headers={"Authorization": token})
            assert (response.status_code, code_of(response)) == (401, "UNAUTHENTICATED")
            assert response.headers["WWW-Authenticate"].startswith("Bearer")

    async def test_of_a_server_without_capacity_gets_503(
        self, server: Api, method: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_: object) -> None:
            raise Unavailable("full")

        monkeypatch.setattr(server.database.gate, "check", refuse)
        response = await ask(server, method)
        assert (response.status_code, code_of(response)) == (503, "UNAVAILABLE")
        assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize("method", WITH_BODY)
class TestBody:
    @pytest.mark.parametrize("content", [b"NONSENSE", b'{"query":', b"", b'{"query": "\xff"}', b"'x'"])
    async def test_that_is_not_json_gets_400(self, server: Api, method: str, content: bytes) -> None:
        response = await send(server, content, method)
        assert (response.status_code, code_of(response)) == (400, "BAD_REQUEST")

    @pytest.mark.parametrize("content", NOT_WELL_FORMED.values(), ids=NOT_WELL_FORMED.keys())
    async def test_that_is_not_well_formed_gets_422(self, server: Api, method: str, content: bytes) -> None:
        response = await send(server, content, method)
        assert (response.status_code, code_of(response)) == (422, "BAD_REQUEST")

    @pytest.mark.parametrize("content_type", ["text/plain", "application/graphql", "application/json; charset=utf-16"])
    async def test_of_a_type_that_is_not_supported_gets_415(self, server: Api, method: str, content_type: str) -> None:
        response = await send(server, b'{"query": "{ __typename }"}', method, **{"Content-Type": content_type})
        assert (response.status_code, code_of(response)) == (415, "BAD_REQUEST")
        assert response.headers["Accept-Query"] == "application/json"

    async def test_that_is_too_large_gets_413(self, sqlite_url: str, method: str) -> None:
        async with serve(settings_for(sqlite_url, max_body_bytes=1_000)) as server:
            declared = await send(server, b" " * 1_001, method)
            request = server.http.build_request(
                method, "/graphql", content=_chunks(), headers={"Content-Type": "application/json"}
            )
            streamed = await server.http.send(request)
        for response in (declared, streamed):
            assert (response.status_code, code_of(response)) == (413, "BAD_REQUEST")


async def _chunks() -> AsyncIterator[bytes]:
    for _ in range(11):
        yield b" " * 100


class TestMethod:
    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
    async def test_that_is_not_supported_gets_405_and_those_that_are(self, server: Api, method: str) -> None:
        response = await ask(server, method)
        assert (response.status_code, code_of(response)) == (405, "BAD_REQUEST")
        assert response.headers["Allow"] == "GET, HEAD, POST, QUERY"

    async def test_get_for_a_mutation_gets_405(self, server: Api) -> None:
        response = await ask(server, "GET", "mutation { __typename }")
        assert (response.status_code, code_of(response)) == (405, "BAD_REQUEST")


class TestNoGraphQL:
    """What is no response of GraphQL does not have its media type."""

    @pytest.mark.parametrize(
        ("path", "headers", "status"),
        [("/nothing", {}, 404), ("/graphql/assets/nothing", {}, 404), ("/graphql", {"Host": "evil.example"}, 400)],
    )
    async def test_is_plain_json(self, server: Api, path: str, headers: dict[str, str], status: int) -> None:
        response = await server.http.get(path, headers={"Accept": GRAPHQL, **headers})
        assert (response.status_code, media_type(response)) == (status, "application/json")
        assert response.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
