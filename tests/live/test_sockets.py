"""GraphQL over WebSocket, by the protocol `graphql-transport-ws`."""

from typing import Any

import pytest

from gqlapi.models import User
from tests.api import Api
from tests.factories import make_user, save
from tests.live.sockets import CHANGED, connected, opened
from tests.signing_in import sign_in_as


@pytest.fixture
async def client(api: Api) -> Api:
    ada = make_user(username="ada")
    await save(api.database, [ada])
    return await sign_in_as(api, ada)


async def create(client: Api, title: str, **given: Any) -> dict[str, Any]:
    payload = await client.payload("createPost", {"title": title, "markdown": "Text", **given}, "post { id version }")
    assert payload["errors"] == []
    post: dict[str, Any] = payload["post"]
    return post


class TestSubscription:
    async def test_tells_what_the_viewer_may_see(self, api: Api, client: Api) -> None:
        async with connected(client) as mine, connected(api) as theirs:
            for socket in (mine, theirs):
                await socket.subscribe("1", CHANGED)
                await socket.send(type="ping")
                assert await socket.receive() == {"type": "pong"}
            post = await create(client, "Draft")
            told = (await mine.next("1"))["postChanged"]
            assert (told["kind"], told["id"], told["post"]) == ("CREATED", post["id"], {"title": "Draft", "version": 1})
            await client.payload("publishPost", {"id": post["id"], "expectedVersion": 1})
            assert (await mine.next("1"))["postChanged"]["kind"] == "PUBLISHED"
            told = (await theirs.next("1"))["postChanged"]
            assert (told["kind"], told["post"]) == ("PUBLISHED", {"title": "Draft", "version": 2})
            await client.payload("deletePost", {"id": post["id"], "expectedVersion": 2})
            for socket in (mine, theirs):
                told = (await socket.next("1"))["postChanged"]
                assert (told["kind"], told["post"]) == ("DELETED", None)
