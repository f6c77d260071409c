"""Live queries over the transports."""

from gqlapi.feed import Feed, LiveQueries
from gqlapi.http.subscriptions import Subscriptions
from gqlapi.models import User
from tests.api import Api
from tests.live.sockets import connected, create, end_session, until
from tests.live.streams import EVENTS, MULTIPART, streaming
from tests.signing_in import sign_in_as

HOME = "subscription { live { posts(first: 2) { nodes { title } } viewer { username } } }"
PUBLIC = "subscription { live { posts(first: 2) { nodes { title } } } }"


class TestSocket:
    async def test_gets_the_answer_and_each_other_one(self, client: Api) -> None:
        await create(client, "One", publish=True)
        async with connected(client) as socket:
            await socket.subscribe("1", HOME)
            assert await socket.next("1") == live("One", viewer={"username": "ada"})
            await create(client, "Draft")
            await create(client, "Two", publish=True)
            assert await socket.next("1") == live("Two", "One", viewer={"username": "ada"})
            await socket.send(type="complete", id="1")
            queries: LiveQueries = client.app.state.live
            await until(lambda: queries.groups == 0)

    async def test_closes_with_the_session(self, api: Api, client: Api, ada: User) -> None:
        async with connected(client) as socket:
            await socket.subscribe("1", HOME)
            await socket.next("1")
            await end_session(client)
            await create(await sign_in_as(api, ada), "One", publish=True)
            assert (await socket.closed())[0] == 4403


class TestStreams:
    async def test_share_the_answers(self, api: Api, client: Api, subscriptions: Subscriptions) -> None:
        queries: LiveQueries = api.app.state.live
        feed: Feed = api.app.state.feed
        async with streaming(api, EVENTS, PUBLIC) as events, streaming(api, MULTIPART, PUBLIC) as parts:
            assert (await events.event())[1]["data"] == live()
            assert (await parts.payload())["payload"]["data"] == live()
            await until(lambda: subscriptions.count == 2)
            assert (queries.groups, feed.subscribers) == (1, 1)
            await create(client, "One", publish=True)
            assert (await events.event())[1]["data"] == live("One")
            assert (await parts.payload())["payload"]["data"] == live("One")
        await until(lambda: queries.groups == 0)


def live(*titles: str, **others: object) -> dict[str, object]:
    return {"live": {"posts": {"nodes": [{"title": title} for title in titles]}, **others}}
