"""Subscriptions over HTTP: server-sent events, and Apollo's multipart protocol."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from gqlapi.http import events
from gqlapi.http.subscriptions import Subscriptions
from gqlapi.models import User
from tests.api import Api
from tests.live.sockets import CHANGED, create, end_session, until
from tests.live.streams import EVENTS, MULTIPART, Stream, streaming
from tests.signing_in import sign_in_as

# What the clients send: urql, graphql-sse, Apollo Client 3 and 4.
ACCEPTS = {
    f"application/graphql-response+json, application/json, {EVENTS}, multipart/mixed": "text/event-stream",
    "text/event-stream": "text/event-stream",
    "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json": "multipart/mixed",
}


async def begun(subscriptions: Subscriptions, count: int = 1) -> None:
    await until(lambda: subscriptions.count == count)


class TestServerSentEvents:
    async def test_have_the_answers(self, client: Api, subscriptions: Subscriptions) -> None:
        async with streaming(client, EVENTS, CHANGED) as stream:
            await begun(subscriptions)
            post = await create(client, "Post")
            name, payload = await stream.event()
            assert (name, payload["data"]["postChanged"]["id"]) == ("next", post["id"])
            assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert stream.response.headers["cache-control"] == "no-store"
            assert stream.response.headers["x-accel-buffering"] == "no"

    async def test_may_be_asked_for_by_get(self, client: Api, subscriptions: Subscriptions) -> None:
        headers = {**client.headers, "Accept": EVENTS}
        async with client.http.stream("GET", "/graphql", params={"query": CHANGED}, headers=headers) as response:
            await begun(subscriptions)
            await create(client, "Post")
            name, payload = await Stream(response, b"\n\n").event()
            assert (name, payload["data"]["postChanged"]["kind"]) == ("next", "CREATED")

    async def test_show_that_the_server_lives(
        self, api: Api, subscriptions: Subscriptions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.01)
        async with streaming(api, EVENTS, CHANGED) as stream:
            assert [await stream.part() for _ in range(3)] == [b":"] * 3

    async def test_end_with_the_session(self, api: Api, client: Api, ada: User, subscriptions: Subscriptions) -> None:
        async with streaming(client, EVENTS, CHANGED) as stream:
            await begun(subscriptions)
            await end_session(client)
            await create(await sign_in_as(api, ada), "Post")
            name, payload = await stream.event()
            assert (name, payload["errors"][0]["extensions"]["code"]) == ("next", "UNAUTHENTICATED")
            assert await stream.event() == ("complete", None)
            assert await stream.part() == b""

    async def test_end_with_the_session_without_an_event(
        self, client: Api, subscriptions: Subscriptions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.01)
        monkeypatch.setattr(events, "SESSION_SECONDS", 0.05)
        async with streaming(client, EVENTS, CHANGED) as stream:
            await begun(subscriptions)
            await end_session(client)
            name, payload = await stream.event()
            assert (name, payload["errors"][0]["extensions"]["code"]) == ("next", "UNAUTHENTICATED")
            assert await stream.event() == ("complete", None)

    async def test_are_not_begun_by_head(self, api: Api, subscriptions: Subscriptions) -> None:
        response = await api.http.head("/graphql", params={"query": CHANGED}, headers={"Accept": EVENTS})
        assert (response.status_code, subscriptions.count) == (406, 0)

    async def test_end_without_completion_when_the_server_shuts_down(self) -> None:
        """The client must come back."""
        sent: list[bytes] = []

        async def send(message: object) -> None:
            assert isinstance(message, dict)
            sent.append(message.get("body", b""))

        async def nothing() -> AsyncGenerator[bytes]:
            await asyncio.Event().wait()
            yield b""

        async def check_session() -> None:
            pass

        stream = events.EventStream(send, events.EVENT_FRAMINGS[b"text/event-stream"], check_session)
        asyncio.get_running_loop().call_soon(stream.leave)
        await stream.run(nothing())
        assert b"".join(sent) == b":\n\nretry: 1000\n\n"

    async def test_are_refused_like_every_operation(self, api: Api) -> None:
        for query, status in ((CHANGED, 422), ("subscription { nothing }", 422), ("subscription {", 400)):
            async with streaming(api, EVENTS, query, since="7") as stream:
                assert stream.response.status_code == status
                assert stream.response.headers["content-type"].startswith("application/graphql-response+json")


class TestMultipart:
    async def test_has_the_answers(self, client: Api, subscriptions: Subscriptions) -> None:
        async with streaming(client, MULTIPART, CHANGED) as stream:
            await begun(subscriptions)
            for title in ("First", "Second"):
                await create(client, title)
                payload = (await stream.payload())["payload"]
                assert payload["data"]["postChanged"]["post"]["title"] == title
            content_type = stream.response.headers["content-type"]
            assert content_type == "multipart/mixed; boundary=graphql; subscriptionSpec=1.0"

    async def test_ends_with_the_session(self, api: Api, client: Api, ada: User, subscriptions: Subscriptions) -> None:
        async with streaming(client, MULTIPART, CHANGED) as stream:
            await begun(subscriptions)
            await end_session(client)
            await create(await sign_in_as(api, ada), "Post")
            payload = await stream.payload()
            assert payload["payload"] is None
            assert payload["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
            assert await stream.part() == b"--\r\n"


class TestNegotiation:
    @pytest.mark.parametrize("accept", ACCEPTS)
    async def test_gives_each_client_what_it_reads(self, api: Api, accept: str, subscriptions: Subscriptions) -> None:
        async with streaming(api, accept, CHANGED) as stream:
            assert stream.response.headers["content-type"].startswith(ACCEPTS[accept])
            await begun(subscriptions)
        await begun(subscriptions, 0)

    @pytest.mark.parametrize("accept", ["application/json", "*/*", "multipart/mixed", "text/event-stream;q=0"])
    async def test_refuses_clients_that_read_no_events(self, api: Api, accept: str) -> None:
        async with streaming(api, accept, CHANGED) as stream:
            await stream.response.aread()
            assert (stream.response.status_code, stream.response.json()["errors"][0]["extensions"]["code"]) == (
                406,
                "BAD_REQUEST",
            )


class TestDisconnect:
    async def test_leaves_nothing_behind(self, api: Api, subscriptions: Subscriptions) -> None:
        async with streaming(api, EVENTS, CHANGED):
            await begun(subscriptions)
            await until(lambda: api.database.gate.free == 10)
        await begun(subscriptions, 0)
        await until(lambda: api.app.state.feed.subscribers == 0)
