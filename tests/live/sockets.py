"""A client of `graphql-transport-ws`, and of the two ways to subscribe over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
from websockets.asyncio.client import ClientConnection, connect

from gqlapi.http.socket import PROTOCOL
from gqlapi.models import Session
from tests.api import Api
from tests.signing_in import accounts_of

PATIENCE_SECONDS = 10
CHANGED = "subscription($since: Position) { postChanged(since: $since) { kind id position post { title version } } }"


class SocketClient:
    """One socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            message: dict[str, Any] = json.loads(await self.connection.recv())
        return message

    async def subscribe(self, id_: str, query: str, **variables: Any) -> None:
        await self.send(type="subscribe", id=id_, payload={"query": query, "variables": variables})

    async def next(self, id_: str) -> Any:
        """Return the data of the next answer of an operation."""
        message = await self.receive()
        assert (message["id"], message["type"]) == (id_, "next"), message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]

    async def closed(self) -> tuple[int | None, str]:
        """Wait until the server closes the socket, and return its code and reason."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.connection.wait_closed()
        return self.connection.close_code, self.connection.close_reason or ""


@asynccontextmanager
async def opened(api: Api, **options: Any) -> AsyncIterator[SocketClient]:
    """Open a socket, and say nothing yet."""
    url = str(api.http.base_url).replace("http", "ws", 1) + "/graphql"
    options = {"subprotocols": [PROTOCOL], "additional_headers": api.headers, **options}
    async with connect(url, proxy=None, compression=None, **options) as connection:
        yield SocketClient(connection)


@asynccontextmanager
async def connected(api: Api, payload: dict[str, Any] | None = None, **options: Any) -> AsyncIterator[SocketClient]:
    """Open a socket, and initialise it."""
    async with opened(api, **options) as client:
        await client.send(type="connection_init", payload=payload or {})
        assert await client.receive() == {"type": "connection_ack"}
        yield client


async def create(client: Api, title: str, **given: Any) -> dict[str, Any]:
    """Create a post, and return its id and its version."""
    payload = await client.payload("createPost", {"title": title, "markdown": "Text", **given}, "post { id version }")
    assert payload["errors"] == []
    post: dict[str, Any] = payload["post"]
    return post


async def end_session(client: Api) -> None:
    """End the session of a client, behind its back."""
    claims = accounts_of(client).access_tokens.read(client.headers["Authorization"].removeprefix("Bearer "))
    async with client.database.write() as session:
        await session.execute(sa.delete(Session).where(Session.id == claims.session_id))


async def until(is_true: Callable[[], bool]) -> None:
    """Wait until something is true of the server."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_true():
            await asyncio.sleep(0.002)
