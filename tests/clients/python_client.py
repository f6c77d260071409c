"""What Python's gql does, observed like the JavaScript clients in `source/`."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportConnectionFailed, TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from websockets.exceptions import ConnectionClosed

from tests.api import NO_TLS
from tests.clients.features import Observation
from tests.clients.installation import FOLDER

FIRST = {"first": 2}
Connect = Callable[..., Client]
OPERATIONS = {path.stem: path.read_text() for path in (FOLDER / "source" / "operations").iterdir()}


async def observe_gql(place: dict[str, str]) -> dict[str, Observation]:
    """Run all features of the client."""
    return {feature: await _observe(place, run) for feature, run in FEATURES.items()}


async def _observe(place: dict[str, str], run: Callable[[dict[str, str], Connect], Awaitable[Any]]) -> Observation:
    sent: list[str] = []

    async def record(response: httpx.Response) -> None:
        body = json.loads(response.request.content)
        what = f"batch of {len(body)}" if isinstance(body, list) else "text"
        sent.append(f"{response.request.method} {what} {response.status_code}")

    def connect(token: str | None = None) -> Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        hooks = {"response": [record]}
        return Client(transport=HTTPXAsyncTransport(place["url"], headers=headers, verify=NO_TLS, event_hooks=hooks))

    return Observation(await run(place, connect), sent)


def request(name: str, **variables: Any) -> GraphQLRequest:
    return GraphQLRequest(OPERATIONS[name], variable_values=variables)


def titles(data: dict[str, Any]) -> list[str]:
    return [node["title"] for node in data["posts"]["nodes"]]


def codes(error: TransportQueryError) -> list[str]:
    return [each["extensions"]["code"] for each in error.errors or []]


async def query(_: dict[str, str], connect: Connect) -> Any:
    return titles(await connect().execute_async(request("titles", **FIRST)))


async def errors(_: dict[str, str], connect: Connect) -> Any:
    try:
        return await connect().execute_async(GraphQLRequest("{ nothing }"))
    except TransportQueryError as error:
        return codes(error)


async def partial_data(_: dict[str, str], connect: Connect) -> Any:
    try:
        return await connect().execute_async(request("partial"))
    except TransportQueryError as error:
        data = error.data or {}
        return [codes(error), "number" if isinstance(data["posts"]["totalCount"], int) else None]


async def mutation(place: dict[str, str], connect: Connect) -> Any:
    given = {"title": place["name"], "markdown": "Text.", "slug": place["name"]}
    write = request("write", input=given)
    payloads = [(await connect(place["accessToken"]).execute_async(write))["createPost"] for _ in range(2)]
    keys = ("__typename", "code", "path", "existing")
    return [payloads[0]["post"]["title"], *([error[key] for key in keys] for error in payloads[1]["errors"])]


async def refresh(place: dict[str, str], connect: Connect) -> Any:
    with pytest.raises(TransportQueryError) as refused:
        await connect(place["expiredToken"]).execute_async(request("viewer"))
    assert codes(refused.value) == ["UNAUTHENTICATED"]
    data = await connect().execute_async(request("refresh", input={"refreshToken": place["refreshToken"]}))
    return (await connect(data["refreshSession"]["accessToken"]).execute_async(request("viewer")))["viewer"]["username"]


async def sign_in(place: dict[str, str], connect: Connect) -> Any:
    given = {"login": place["login"], "password": place["password"]}
    data = await connect(place["expiredToken"]).execute_async(request("sign-in", input=given))
    return "string" if isinstance(data["signIn"]["accessToken"], str) else None


async def limits(place: dict[str, str], connect: Connect) -> Any:
    given = {"title": "x" * 301, "markdown": ""}
    data = await connect(place["accessToken"]).execute_async(request("limits", input=given))
    keys = ("__typename", "code", "path", "limit")
    return [[error[key] for key in keys] for error in data["createPost"]["errors"]]


async def lookups(_: dict[str, str], connect: Connect) -> Any:
    data = await connect().execute_async(request("lookups", id="not an id"))
    return [data[name] for name in ("post", "user", "tag", "node")]


async def batch(_: dict[str, str], connect: Connect) -> Any:
    both = [request("titles", **FIRST), request("count")]
    first, second = await connect().execute_batch_async(both)
    return [titles(first), "number" if isinstance(second["posts"]["totalCount"], int) else None]


async def subscription(place: dict[str, str], _: Connect) -> Any:
    seen, since = [], "0"
    for number in ("first", "second"):
        given = {"title": f"{place['name']} {number}", "markdown": ""}
        async with httpx.AsyncClient(verify=NO_TLS) as http:
            body = {"query": OPERATIONS["write"], "variables": {"input": given}}
            await http.post(place["url"], json=body, headers={"Authorization": f"Bearer {place['accessToken']}"})
        change = await _find(place, given["title"], since)
        since = change["position"]
        seen.append([change["kind"], number])
    with pytest.raises(TransportConnectionFailed) as refused:
        await _find(place | {"accessToken": place["expiredToken"]}, "", since)
    closed = refused.value.__cause__
    assert isinstance(closed, ConnectionClosed)
    return [seen, closed.rcvd and closed.rcvd.code]


def _socket(place: dict[str, str]) -> WebsocketsTransport:
    headers = {"Authorization": f"Bearer {place['accessToken']}"}
    protocols = [WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL]
    return WebsocketsTransport(place["url"].replace("http", "ws", 1), init_payload=headers, subprotocols=protocols)


async def _find(place: dict[str, str], title: str, since: str) -> Any:
    """Return the change of the post with a title, the first after a position."""
    async with Client(transport=_socket(place)) as session:
        async for data in session.subscribe(request("changes", since=since)):
            change = data["postChanged"]
            if change["post"] and change["post"]["title"] == title:
                return change
    raise AssertionError("the subscription has ended")


FEATURES = {
    "query": query,
    "errors": errors,
    "partial data": partial_data,
    "mutation": mutation,
    "refresh": refresh,
    "sign in": sign_in,
    "limits": limits,
    "lookups": lookups,
    "batch": batch,
    "WebSocket": subscription,
}
