"""Live queries against the naive answer: random histories of a blog, whose every step is asked for anew."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import example, given

from gqlapi.models import Post, PostChange, Tag
from tests.api import Api
from tests.examples import large_examples
from tests.feed.live_queries import HOME, live
from tests.publishing.test_stateful import ALL, HISTORIES, History, Step
from tests.subscribing import Subscriber

pytestmark = pytest.mark.usefixtures("quick")

QUERIES = {
    "home": HOME,
    "any": f"{{ posts(first: 10, filter: {{ status: {ALL} }}) {{ totalCount nodes {{ id status }} }} }}",
    "one": "{ node(id: $id) { id ... on Post { title tags { name } } } }",
    "post": "{ post(by: { id: $id }) { status } }",
    "author": '{ user(by: { username: "ada" }) { username } }',
    "users": "{ users(first: 5) { nodes { username postCount posts(first: 3) { nodes { id } } } } }",
    "tags": "{ tags(first: 5) { nodes { name postCount } } }",
    "names": "{ tags(first: 5) { nodes { name } } }",
    "search": '{ search(query: "common", first: 5) { totalCount } }',
    "beside": "{ node(id: $id) { ... on Post { next { id } related(first: 2) { id } } } }",
}  # fmt: skip
WAYS = ("publish", "retag", "unpublish", "delete", "restore", "schedule", "publish", "delete", "restore", "archive")


class Follower:
    """A client that has the newest answer of a live query."""

    def __init__(self, subscriber: Subscriber) -> None:
        self.subscriber = subscriber
        self.data: Any = None
        self.news = asyncio.Event()
        self.task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        while True:
            assert self.subscriber.context.events is not None
            event = await anext(self.subscriber.context.events)
            self.data = (await self.subscriber.data(event))["live"]
            self.news.set()

    async def shows(self, data: Any) -> bool:
        """Return whether this is the answer, or becomes it."""
        try:
            async with asyncio.timeout(3):
                while self.data != data:
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        await self.subscriber.close()


@large_examples(1)
@example(
    steps=[
        *(Step(actor, "create", 0, ("red",)) for actor in ("ada", "bela")),
        Step("editor", "publish", 1, ()),
        *(Step("editor", way, 0, ("blue",)) for way in WAYS),
        Step("bela", "create", 0, ()),
    ]
)
@given(steps=HISTORIES)
async def test_clients_see_what_they_would_read(clients: dict[str, Api], steps: list[Step]) -> None:
    async with clients["nobody"].database.write() as session:
        for model in (Post, Tag, PostChange):
            await session.execute(sa.delete(model))
    history = History(clients)
    for step in steps[:2]:
        await history.take(step)
    variables = {"id": history.rows[0].id}
    async with AsyncExitStack() as stack:
        followers: dict[tuple[str, str], Follower] = {}
        for actor in ("reader", "ada", "editor"):
            for name, query in QUERIES.items():
                subscriber = await live(clients[actor], query, **({} if "$id" not in query else variables))
                follower = followers[actor, name] = Follower(subscriber)
                stack.push_async_callback(follower.close)
        for step in steps[2:]:
            await history.take(step)
            for (actor, name), follower in followers.items():
                head = "query($id: ID!) " if "$id" in QUERIES[name] else ""
                data = await clients[actor].data(head + QUERIES[name], variables)
                assert await follower.shows(data), (actor, name, step, data, follower.data)
