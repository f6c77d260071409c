"""Who learns of which change: random histories of a blog, as all roles and filters see them, against the rule."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from copy import deepcopy
from typing import Any

import sqlalchemy as sa
from hypothesis import example, given

from gqlapi.models import Post, PostChange, Tag, User, UserRole
from tests.api import Api
from tests.examples import large_examples
from tests.factories import make_user, save
from tests.publishing.test_stateful import HISTORIES, MAX_POSTS, ROLES, TAGS, History, Row, Step, refusal
from tests.signing_in import sign_in_as
from tests.subscribing import Subscriber, subscribe

CHANGED = """
subscription($author: UserKey, $tag: TagKey) {
  postChanged(author: $author, tag: $tag) { kind id position post { id author { username } tags { name } } }
}
"""
# By the names of filters: their variables, and which posts they let pass.
FILTERS: dict[str, tuple[dict[str, Any], Any]] = {
    "all": ({}, lambda _: True),
    "author": ({"author": {"username": "ada"}}, lambda row: row.author == "ada"),
    "tag": ({"tag": {"slug": "red"}}, lambda row: "red" in row.tags),
}
MARKER = {"title": "Marker", "markdown": "", "tags": [{"name": name} for name in TAGS], "publish": True}


class Watched:
    """A history whose every step is compared with what subscribers learn of it."""

    def __init__(self, history: History, marker: str, subscribers: dict[tuple[str, str], Subscriber]) -> None:
        self.history = history
        self.marker = marker
        self.subscribers = subscribers

    async def take(self, step: Step) -> None:
        before, after = await self._take(step)
        # All subscribers learn of this one: what comes before it is what they learn of the step.
        patch = {"id": self.marker, "patch": {"title": "Marker"}}
        assert (await self.history.clients["editor"].payload("updatePost", patch))["errors"] == []
        for (actor, name), subscriber in self.subscribers.items():
            data = [await subscriber.data(event) for event in await self._events(subscriber)]
            shown = [self._shown(actor, name, one, two) for one, two in zip(before, after, strict=True)]
            assert [_outline(one["postChanged"]) for one in data] == [one for one in shown if one], (actor, name, step)

    async def _take(self, step: Step) -> tuple[list[Row | None], list[Row]]:
        """Take a step; return the post that it changed, before and afterwards."""
        rows = self.history.rows
        if step.action == "create":
            happens = not refusal(step.actor) and len(rows) < MAX_POSTS
            await self.history.take(step)
            return ([None], [rows[-1]]) if happens else ([], [])
        if not rows:
            return [], []
        row = rows[step.number % len(rows)]
        before, happens = deepcopy(row), self.history.expected(step, row) == []
        await self.history.take(step)
        return ([before], [row]) if happens else ([], [])

    async def _events(self, subscriber: Subscriber) -> list[Any]:
        events: list[Any] = []
        while True:
            event = await subscriber.event()
            if event.facts is not None and event.change.kind.name == "UPDATED" and self._is_marker(event):
                return events
            events.append(event)

    def _is_marker(self, event: Any) -> bool:
        return Post(id=event.post_id).global_id == self.marker

    def _shown(self, actor: str, name: str, before: Row | None, after: Row) -> Any:
        """The rule: a change is sent to those who see the post afterwards, or saw it before."""
        sees, saw = after.is_seen_by(actor), before is not None and before.is_seen_by(actor)
        if not (sees or saw) or not FILTERS[name][1](after):
            return None
        return after.id, (after.id, after.author, after.tags) if sees else None


def _outline(event: Any) -> Any:
    post = event["post"]
    if post is None:
        return event["id"], None
    return event["id"], (post["id"], post["author"]["username"], [tag["name"] for tag in post["tags"]])


def combinations() -> Iterator[tuple[str, str]]:
    yield from ((actor, name) for actor in ROLES for name in FILTERS)


# Each way in which a post may come and go, for a post that has one of the tags.
WAYS = (
    *("create", "delete", "restore", "publish", "delete", "restore"),
    *("unpublish", "schedule", "delete", "restore", "archive", "delete"),
)


@large_examples(2)
@example(steps=[Step("ada", action, 0, ("red",)) for action in WAYS])
@given(steps=HISTORIES)
async def test_subscribers_learn_what_they_could_have_read(clients: dict[str, Api], steps: list[Step]) -> None:
    async with clients["nobody"].database.write() as session:
        for model in (Post, Tag, PostChange):
            await session.execute(sa.delete(model))
    marker = (await clients["ada"].payload("createPost", MARKER, "post { id }"))["post"]["id"]
    async with AsyncExitStack() as stack:
        subscribers: dict[tuple[str, str], Subscriber] = {}
        for actor, name in combinations():
            subscribers[actor, name] = await subscribe(clients[actor], CHANGED, **FILTERS[name][0])
            stack.push_async_callback(subscribers[actor, name].close)
        watched = Watched(History(clients), marker, subscribers)
        for step in steps:
            await watched.take(step)


class TestRole:
    async def test_that_is_taken_away_is_not_used_any_more(self, api: Api) -> None:
        """The transport asks `is_for` again, for the viewer that the answer was made for."""
        editor, ada = make_user(role=UserRole.EDITOR), make_user()
        await save(api.database, [editor, ada])
        subscriber = await subscribe(await sign_in_as(api, editor), CHANGED)
        async with api.database.write() as session:
            await session.execute(sa.update(User).where(User.id == editor.id).values(role=UserRole.READER))
        await (await sign_in_as(api, ada)).payload("createPost", {"title": "Draft", "markdown": ""})
        event = await subscriber.event()
        assert event.is_for(subscriber.context.viewer)
        data = await subscriber.data(event)
        assert data["postChanged"]["post"] is None
        assert not event.is_for(subscriber.context.viewer)
        await subscriber.close()
