"""One client cannot take the server away from the others, and one that is gone costs nothing more."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.types import Receive

from gqlapi.database.read_unit import ReadUnit
from gqlapi.http import requests
from gqlapi.http.body import Bodies
from gqlapi.http.failures import HttpFailure
from tests.api import NO_TLS, Api, gets_everything_back, only_error, serve, settings_for
from tests.test_mutations import blocked_writes, new_post, serving_author

TAGS = "{ tags { totalCount } }"
CREATE = "mutation($input: CreatePostInput!) { createPost(input: $input) { post { id } errors { code } } }"


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[Api]:
    async with serve(settings_for(database_url, pool_size=4, client_share=0.5, pool_queue_size=4)) as api:
        yield api


@asynccontextmanager
async def from_address(api: Api, address: str) -> AsyncIterator[Api]:
    """A client of the same server that sends from another loopback address."""
    transport = httpx.AsyncHTTPTransport(local_address=address, verify=NO_TLS)
    async with httpx.AsyncClient(base_url=api.http.base_url, transport=transport, timeout=30) as client:
        yield Api(api.app, client)


@pytest.fixture
async def pause(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncio.Event]:
    """Let no statement of a read begin before the event is set."""
    may_go_on = asyncio.Event()
    execute = ReadUnit._execute

    async def wait(unit: ReadUnit, *arguments: Any, **options: Any) -> Any:
        if unit._place is None:
            unit._place = await unit._gate.enter(unit._client)
        await may_go_on.wait()
        return await execute(unit, *arguments, **options)

    monkeypatch.setattr(ReadUnit, "_execute", wait)
    yield may_go_on
    may_go_on.set()


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


class TestClient:
    async def test_with_many_requests_leaves_places_to_another(self, server: Api, pause: asyncio.Event) -> None:
        gate = server.database.gate
        many = [asyncio.create_task(server.post(TAGS)) for _ in range(4)]
        await until(lambda: (gate.free, gate.waiting) == (2, 2))
        refused = await server.post(TAGS)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert only_error(refused)["extensions"] == {"code": "UNAVAILABLE"}
        async with from_address(server, "127.0.0.2") as other:
            answer = asyncio.create_task(other.data(TAGS))
            await until(lambda: gate.free == 1)
            pause.set()
            assert await answer
        assert {response.status_code for response in await asyncio.gather(*many)} == {200}

    async def test_has_one_share_however_many_tokens_it_makes_up(self, server: Api, pause: asyncio.Event) -> None:
        gate = server.database.gate
        requests = [asyncio.create_task(server.bearing(f"gqlapi_{number}").post(TAGS)) for number in range(4)]
        await until(lambda: gate.waiting == 2)
        assert gate.free == 2
        pause.set()
        assert {response.status_code for response in await asyncio.gather(*requests)} == {401}

    async def test_is_refused_before_its_request_is_parsed(
        self, server: Api, pause: asyncio.Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        many = [asyncio.create_task(server.post(TAGS)) for _ in range(4)]
        await until(lambda: server.database.gate.waiting == 2)
        with monkeypatch.context() as patched:
            patched.setattr(requests, "parse_json", None)
            patched.setattr(Bodies, "read", None)
            assert (await server.post("{ not GraphQL")).status_code == 503
        pause.set()
        await asyncio.gather(*many)


class TestDisconnect:
    async def test_ends_a_query(self, server: Api, pause: asyncio.Event) -> None:
        gate = server.database.gate
        writer = await send(server, {"query": TAGS})
        await until(lambda: gate.free == 3)
        writer.close()
        await until(lambda: gate.free == 4)
        assert await gets_everything_back(server.database)
        pause.set()
        assert await server.data(TAGS)

    async def test_leaves_the_queue(self, server: Api, pause: asyncio.Event) -> None:
        gate = server.database.gate
        first = [asyncio.create_task(server.post(TAGS)) for _ in range(2)]
        await until(lambda: gate.free == 2)
        writer = await send(server, {"query": TAGS})
        await until(lambda: gate.waiting == 1)
        writer.close()
        await until(lambda: gate.waiting == 0)
        pause.set()
        await asyncio.gather(*first)

    async def test_of_a_mutation_that_has_begun_loses_nothing(self, database_url: str) -> None:
        async with serving_author(database_url) as author:
            async with blocked_writes(database_url):
                writer = await send(author, {"query": CREATE, "variables": {"input": new_post(1)}})
                await until(lambda: author.database._running)
                writer.close()
                await asyncio.sleep(0.2)
            assert await gets_everything_back(author.database)
            assert (await author.data("{ posts(filter: {status: [DRAFT]}) { totalCount } }"))["posts"][
                "totalCount"
            ] == 1


async def send(api: Api, body: dict[str, Any]) -> asyncio.StreamWriter:
    """Send a request over its own connection, and return it."""
    _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(str(api.http.base_url)).port)
    content = json.dumps(body).encode()
    lines = ["POST /graphql HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(content)}", *(f"{name}: {value}" for name, value in api.headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode() + content)
    await writer.drain()
    return writer


class TestBodies:
    async def test_are_bounded_together(self) -> None:
        bodies = Bodies(1_000, max_bytes_together=1_500)

        def body(size: int) -> Receive:
            async def receive() -> Any:
                return {"type": "http.request", "body": b" " * size, "more_body": False}

            return receive

        first = await bodies.read(body(900))
        with pytest.raises(HttpFailure) as refused:
            await bodies.read(body(700))
        assert (refused.value.status_code, refused.value.code) == (503, "UNAVAILABLE")
        assert bodies.bytes == 900
        bodies.release(len(first))
        assert len(await bodies.read(body(700))) == 700
