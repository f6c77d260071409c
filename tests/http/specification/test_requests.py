"""GraphQL over HTTP, first edition: what a server does with requests. A class for each section, a test for a rule.

https://graphql.github.io/graphql-over-http/draft/ ; QUERY is as RFC 10008 and the section of that name in the proposal
https://github.com/graphql/graphql-over-http/tree/QUERY say.
"""

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.api import Api
from tests.http.specification.asking import (
    FAILING,
    GRAPHQL,
    HELLO,
    JSON,
    METHODS,
    PARTIAL,
    TYPE,
    WITH_BODY,
    ask,
    is_graphql_response,
    media_type,
    send,
)

ANSWER = {"data": {"__typename": "Query"}}
SIGN_UP = """mutation { signUp(input: { username: "ann", displayName: "Ann", email: "ann@blog.example",
    password: "a long passphrase" }) { accessToken } }"""
# A name that is an operation's only in UTF-8: the error repeats it.
NAME = "Zoë🏃"


class TestUrl:
    async def test_serves_requests_to_the_schema(self, server: Api) -> None:
        assert (await ask(server, "POST")).json() == ANSWER

    async def test_refuses_a_client_with_a_status_of_4xx(self, server: Api) -> None:
        response = await ask(server, "POST", headers={"Authorization": "Bearer nothing"})
        assert (response.status_code, is_graphql_response(response)) == (401, True)

    async def test_does_not_refuse_a_client_because_of_what_it_asks_for(self, server: Api) -> None:
        response = await ask(server, "POST", FAILING)
        [error] = response.json()["errors"]
        assert (response.status_code, error["extensions"]["code"]) == (294, "LIMIT_EXCEEDED")


class TestSerializationFormat:
    @pytest.mark.parametrize("method", METHODS)
    async def test_is_json(self, server: Api, method: str) -> None:
        assert json.loads((await ask(server, method)).content) == ANSWER

    @pytest.mark.parametrize("content_type", [JSON, f"{JSON}; charset=utf-8", f"{JSON.upper()};charset=UTF-8"])
    @pytest.mark.parametrize("method", WITH_BODY)
    async def test_of_a_request_is_utf_8_unless_it_says_otherwise(
        self, server: Api, method: str, content_type: str
    ) -> None:
        content = json.dumps({"query": HELLO, "operationName": NAME}, ensure_ascii=False)
        response = await send(server, content.encode(), method, **{"Content-Type": content_type})
        assert NAME in response.json()["errors"][0]["message"]

    @pytest.mark.parametrize("accept", [GRAPHQL, JSON])
    async def test_of_a_response_is_utf_8_unless_the_client_says_otherwise(self, server: Api, accept: str) -> None:
        response = await ask(server, "POST", operationName=NAME, headers={"Accept": accept})
        assert NAME in response.content.decode("utf-8")
        assert response.headers["Content-Type"].endswith("; charset=utf-8")


class TestRequest:
    @pytest.mark.parametrize("method", METHODS)
    async def test_may_use_the_method(self, server: Api, method: str) -> None:
        response = await ask(server, method)
        assert (response.status_code, response.json()) == (200, ANSWER)

    async def test_with_head_gets_the_headers_of_get(self, server: Api) -> None:
        head, get = await ask(server, "HEAD"), await ask(server, "GET")
        assert (head.status_code, head.content) == (200, b"")
        assert {name: head.headers[name] for name in ("Content-Type", "Content-Length", "Vary")} == {
            name: get.headers[name] for name in ("Content-Type", "Content-Length", "Vary")
        }

    @pytest.mark.parametrize("method", METHODS)
    async def test_has_a_query_with_variables(self, server: Api, method: str) -> None:
        response = await ask(server, method, TYPE, variables={"name": "Post"})
        assert response.json() == {"data": {"__type": {"name": "Post"}}}

    @pytest.mark.parametrize("method", METHODS)
    async def test_names_the_operation_to_run(self, server: Api, method: str) -> None:
        response = await ask(server, method, "query A { a: __typename } query B { b: __typename }", operationName="B")
        assert response.json() == {"data": {"b": "Query"}}

    @pytest.mark.parametrize("method", METHODS)
    async def test_may_have_extensions_that_the_server_does_not_know(self, server: Api, method: str) -> None:
        assert (await ask(server, method, extensions={"vendor": {"a": 1}})).json() == ANSWER

    @pytest.mark.parametrize("method", METHODS)
    async def test_needs_no_valid_document_to_be_well_formed(self, server: Api, method: str) -> None:
        response = await ask(server, method, "{")
        assert (media_type(response), is_graphql_response(response)) == (GRAPHQL, True)


class TestGet:
    async def test_has_its_parameters_in_the_url_as_a_form_encodes_them(self, server: Api) -> None:
        encoded = "query=query+Type(%24name%3A+String!)%7B__type(name:%20$name)%7Bname%7D%7D&variables=%7B%22name%22:"
        for name, found in ((quote('"Post"}'), {"name": "Post"}), (quote('"Zoë"}'), None)):
            response = await server.http.get(f"/graphql?{encoded}{name}", headers={"Accept": GRAPHQL})
            assert response.json() == {"data": {"__type": found}}

    @pytest.mark.parametrize("name", ["variables", "extensions"])
    async def test_has_variables_and_extensions_as_json(self, server: Api, name: str) -> None:
        assert (await ask(server, "GET", **{name: "{}"})).status_code == 200
        assert (await ask(server, "GET", **{name: "x=1"})).status_code == 422

    @pytest.mark.parametrize("name", ["operationName", "variables", "extensions"])
    async def test_with_an_empty_parameter_is_as_without(self, server: Api, name: str) -> None:
        assert (await ask(server, "GET", **{name: ""})).json() == ANSWER

    async def test_takes_null_for_the_name_of_an_operation(self, server: Api) -> None:
        response = await ask(server, "GET", "query null { __typename } query B { b: __typename }", operationName="null")
        assert response.json() == ANSWER


@pytest.mark.parametrize("method", ["GET", "HEAD", "QUERY"])
class TestMutation:
    """Sections GET and QUERY: a safe method never executes a mutation."""

    async def test_is_refused_with_405_and_what_is_allowed(self, server: Api, method: str) -> None:
        response = await ask(server, method, "mutation { __typename }")
        assert (response.status_code, response.headers["Allow"]) == (405, "POST")
        assert method == "HEAD" or is_graphql_response(response)

    async def test_that_is_one_of_several_operations_is_refused(self, server: Api, method: str) -> None:
        document = "query A { __typename } mutation B { __typename }"
        statuses = [(await ask(server, method, document, operationName=name)).status_code for name in "AB"]
        assert statuses == [200, 405]

    async def test_is_not_executed(self, server: Api, method: str) -> None:
        with server.statements() as statements:
            assert (await ask(server, method, SIGN_UP)).status_code == 405
        assert statements == []


@pytest.mark.parametrize("method", WITH_BODY)
class TestBody:
    """Sections POST, QUERY and JSON Encoding."""

    async def test_is_json(self, server: Api, method: str) -> None:
        response = await send(server, b' {"query" : "{ __typename }" }\n', method)
        assert (response.status_code, response.json()) == (200, ANSWER)

    async def test_without_a_content_type_is_refused_with_4xx(self, server: Api, method: str) -> None:
        content = b'{"query": "{ __typename }"}'
        response = await server.http.request(method, "/graphql", content=content, headers={"Accept": GRAPHQL})
        assert (response.status_code, is_graphql_response(response)) == (415, True)

    @pytest.mark.parametrize(
        "unknown", [{"future": 1}, {"id": "1", "documentId": None}, {"": {"query": 5}}, {"Query": 5, "variable": []}]
    )
    async def test_may_have_properties_that_are_ignored(
        self, server: Api, method: str, unknown: dict[str, Any]
    ) -> None:
        assert (await ask(server, method, **unknown)).json() == ANSWER

    @pytest.mark.parametrize("name", ["operationName", "variables", "extensions"])
    async def test_with_null_is_as_without(self, server: Api, method: str, name: str) -> None:
        assert (await ask(server, method, **{name: None})).json() == ANSWER

    async def test_with_an_empty_operation_name_is_as_without(self, server: Api, method: str) -> None:
        assert (await ask(server, method, operationName="")).json() == ANSWER


class TestResponse:
    """Section Response: a well-formed request gets a well-formed response."""

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("query", [HELLO, PARTIAL, "{", "{ nope }", TYPE, "fragment A on Query { a }"])
    async def test_is_well_formed(self, server: Api, method: str, query: str) -> None:
        response = await ask(server, method, query)
        assert is_graphql_response(response)
        assert media_type(response) == GRAPHQL
