"""GraphQL over HTTP, first edition, section Body of Response: the media type of a response follows the Accept header.

https://graphql.github.io/graphql-over-http/draft/#sec-Body
"""

from typing import Any

import pytest

from tests.api import Api, serve, settings_for
from tests.http.specification.asking import (
    FAILING,
    GRAPHQL,
    HELLO,
    JSON,
    METHODS,
    PARTIAL,
    ask,
    is_graphql_response,
    media_type,
)

# What clients send: Apollo Client 4, urql 6, Relay's examples, GraphiQL, curl, browsers' fetch, axios.
OF_CLIENTS = {
    "application/graphql-response+json,application/json;q=0.9": GRAPHQL,
    "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed":
        GRAPHQL,
    "multipart/mixed;deferSpec=20220824,application/graphql-response+json,application/json;q=0.9": GRAPHQL,
    "application/graphql-response+json": GRAPHQL,
    "application/json, multipart/mixed": JSON,
    "application/json, text/plain, */*": JSON,
    "application/json": JSON,
    "*/*": JSON,
}  # fmt: skip
PRIORITIES = {
    "application/json;q=0.8, application/graphql-response+json;q=0.9": GRAPHQL,
    "application/json;q=0.9, application/graphql-response+json;q=0.8": JSON,
    "application/json, application/graphql-response+json": GRAPHQL,
    "*/*, application/graphql-response+json": GRAPHQL,
    "*/*, application/json": JSON,
    "application/*": JSON,
    "text/html, application/*;q=0.5": JSON,
    "application/json;q=0, */*": GRAPHQL,
    "application/graphql-response+json;q=0, */*;q=0.1": JSON,
    "*/*;q=1, application/json;q=0.1": GRAPHQL,
    "APPLICATION/GRAPHQL-RESPONSE+JSON; Charset=UTF-8 ; Q=1.000": GRAPHQL,
    ", application/json ,": JSON,
    "application/json;q=x, application/graphql-response+json;q=0.1": GRAPHQL,
    "application/json;q=7, application/graphql-response+json;q=0.1": GRAPHQL,
}
UNACCEPTABLE = [
    *("image/png", "text/html", "text/*", "application/graphql+json", "text/event-stream;q=0", "multipart/*"),
    *("application/json;q=0", "*/*;q=0", "application/*;q=0.0, */*", "application/jsonx", "x", ",", "application"),
]
REQUESTS = {
    HELLO: 200, PARTIAL: 294, FAILING: 294, "{": 400, "{ nope }": 422, "query A { a } query B { b }": 422
}  # fmt: skip


class TestContentType:
    @pytest.mark.parametrize("method", METHODS)
    async def test_names_the_media_type_and_the_encoding(self, server: Api, method: str) -> None:
        response = await ask(server, method)
        assert response.headers["Content-Type"] == "application/graphql-response+json; charset=utf-8"

    @pytest.mark.parametrize("query", REQUESTS)
    async def test_may_be_that_of_graphql_responses_for_each(self, server: Api, query: str) -> None:
        response = await ask(server, "POST", query)
        assert (media_type(response), is_graphql_response(response)) == (GRAPHQL, True)


class TestAccept:
    @pytest.mark.parametrize(("accept", "expected"), (OF_CLIENTS | PRIORITIES).items())
    async def test_with_the_highest_priority_decides(self, server: Api, accept: str, expected: str) -> None:
        for _ in range(2):  # computed, and then known
            response = await ask(server, "POST", headers={"Accept": accept})
            assert (response.status_code, media_type(response)) == (200, expected)

    async def test_in_several_lines_is_one_list(self, server: Api) -> None:
        headers = [("Accept", "text/html"), ("Accept", "image/png"), ("Accept", GRAPHQL)]
        response = await server.http.post("/graphql", json={"query": HELLO}, headers=headers)
        assert (response.status_code, media_type(response)) == (200, GRAPHQL)

    @pytest.mark.parametrize("accept", [None, ""])
    async def test_that_is_missing_gets_json(self, server: Api, accept: str | None) -> None:
        request = server.http.build_request("POST", "/graphql", json={"query": HELLO})
        del request.headers["Accept"]
        if accept is not None:
            request.headers["Accept"] = accept
        response = await server.http.send(request)
        assert (response.status_code, media_type(response)) == (200, JSON)

    async def test_decides_for_caches_as_well(self, server: Api) -> None:
        for method, query in (("GET", HELLO), ("POST", HELLO), ("POST", "{"), ("GET", "mutation { __typename }")):
            assert "Accept" in (await ask(server, method, query)).headers["Vary"].split(", ")
        assert "Accept" in (await ask(server, "GET", headers={"Accept": "image/png"})).headers["Vary"].split(", ")

    async def test_of_many_kinds_takes_no_more_memory_than_a_few(self, server: Api) -> None:
        for number in range(200):
            accept = f"application/json;x={number}{'y' * 1_000}"
            assert (await ask(server, "GET", headers={"Accept": accept})).status_code == 200
        page: Any = next(route for route in server.app.routes if getattr(route, "path", "") == "/graphql")
        known = page.endpoint._endpoint._negotiation._known
        assert 0 < sum(map(len, known)) <= 65_536


class TestNotAcceptable:
    @pytest.mark.parametrize("accept", UNACCEPTABLE)
    async def test_gets_406(self, server: Api, accept: str) -> None:
        response = await ask(server, "POST", headers={"Accept": accept})
        [error] = response.json()["errors"]
        assert (response.status_code, error["extensions"]["code"]) == (406, "BAD_REQUEST")

    @pytest.mark.parametrize("method", METHODS)
    async def test_stops_the_request(self, server: Api, method: str) -> None:
        query = 'mutation { signIn(input: { login: "x", password: "y" }) { accessToken } }'
        with server.statements() as statements:
            response = await ask(server, method, query, headers={"Accept": "image/png"})
        assert (response.status_code, statements) == (406, [])


class TestLegacyClient:
    """A client that does not accept `application/graphql-response+json`."""

    @pytest.mark.parametrize("accept", [JSON, f"{JSON}, image/png", "*/*", "application/*;q=0.5"])
    @pytest.mark.parametrize(("query", "status"), REQUESTS.items())
    async def test_gets_the_statuses_of_others(self, server: Api, query: str, status: int, accept: str) -> None:
        response = await ask(server, "POST", query, headers={"Accept": accept})
        other = await ask(server, "POST", query)
        assert (response.status_code, response.json()) == (status, other.json())
        assert other.status_code == status

    @pytest.mark.parametrize(("query", "status"), REQUESTS.items())
    async def test_gets_json_with_2xx_only(self, server: Api, query: str, status: int) -> None:
        response = await ask(server, "POST", query, headers={"Accept": JSON})
        assert media_type(response) == (JSON if status < 300 else GRAPHQL)


class TestOldDrafts:
    """`GQLAPI_HTTP_STATUS=400`, for tools from before the edition."""

    async def test_have_statuses_of_their_own(self, sqlite_url: str) -> None:
        statuses = {200: (200, 200), 294: (200, 200), 400: (400, 200), 422: (400, 200)}
        async with serve(settings_for(sqlite_url, http_status="400", report_costs=False)) as server:
            for query, status in REQUESTS.items():
                found = [await ask(server, "POST", query, headers={"Accept": accept}) for accept in (GRAPHQL, JSON)]
                assert tuple(response.status_code for response in found) == statuses[status]
                assert [media_type(response) for response in found] == [GRAPHQL, JSON]
                assert found[0].json() == found[1].json()
            assert (await ask(server, "POST", None)).status_code == 400
            assert (await ask(server, "GET", "mutation { __typename }")).status_code == 405
