"""GraphQL requests over HTTP by each method that the endpoint has."""

import json
from typing import Any

import httpx

from tests.api import Api

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
METHODS = ("GET", "POST", "QUERY")
WITH_BODY = ("POST", "QUERY")
HELLO = "{ __typename }"
TYPE = "query Type($name: String!) { __type(name: $name) { name } }"
# One item fails, and is null: `{"data": {"nodes": [null]}, "errors": [...]}`.
PARTIAL = '{ serverInfo { version } nodes(ids: ["x"]) { id } }'
# A field that cannot be null fails: `{"data": null, "errors": [...]}`.
FORBIDDEN = "{ posts(includeDeleted: true) { totalCount } }"


async def ask(
    server: Api, method: str, query: str | None = HELLO, *, headers: Any = None, **parameters: Any
) -> httpx.Response:
    """Send a request, with headers as a dictionary; `variables` and `extensions` are JSON texts in a URL."""
    sent = {"query": query, **parameters} if query is not None else parameters
    given = {"Accept": GRAPHQL, **(headers or {})}
    if method not in WITH_BODY:
        encoded = {name: value if isinstance(value, str) else json.dumps(value) for name, value in sent.items()}
        return await server.http.request(method, "/graphql", params=encoded, headers=given)
    return await send(server, json.dumps(sent).encode(), method, **given)


async def send(server: Api, content: bytes, method: str = "POST", **headers: str) -> httpx.Response:
    """Send a body as JSON, or as what the headers say."""
    return await server.http.request(
        method, "/graphql", content=content, headers={"Content-Type": JSON, "Accept": GRAPHQL, **headers}
    )


def media_type(response: httpx.Response) -> str:
    """Return the media type of a response without its parameters."""
    return response.headers["Content-Type"].partition(";")[0]


def is_graphql_response(response: httpx.Response) -> bool:
    """Whether a body is a response as the language's specification defines it, section 7.1."""
    body = response.json()
    errors = body.get("errors")
    described = errors is None or (errors and all(isinstance(error["message"], str) for error in errors))
    return bool(described and body.keys() <= {"data", "errors", "extensions"} and body.keys() & {"data", "errors"})
