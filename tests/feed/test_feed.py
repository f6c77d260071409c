"""The change feed: its order, its positions, and who follows it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gqlapi.database.types import utc_now
from gqlapi.feed import Feed, PositionExpired
from gqlapi.models import ChangeKind, PostChange, PostState, User
from gqlapi.repositories.feed import Change
from tests.api import Api, serve, settings_for
from tests.factories import make_post, make_user, save

PATIENCE_SECONDS = 10


@pytest.fixture
async def postgresql_api(postgresql_url: str) -> AsyncIterator[Api]:
    async with serve(settings_for(postgresql_url)) as api:
        yield api


@pytest.fixture
def feed(api: Api) -> Feed:
    feed: Feed = api.app.state.feed
    return feed


async def take(feed: Feed, count: int, since: int | None, act: Callable[[], Any] | None = None) -> list[Change]:
    """Return so many changes after a position, which `act` makes once the feed is followed."""
    taken: list[Change] = []
    async with asyncio.timeout(PATIENCE_SECONDS), aclosing(await feed.follow(since)) as batches:
        if act is not None:
            await act()
        while len(taken) < count:
            taken += await anext(batches)
    return taken


async def create(client: Api, title: str, **given: Any) -> dict[str, Any]:
    payload = await client.payload("createPost", {"title": title, "markdown": "Text", **given}, "post { id version }")
    assert payload["errors"] == []
    post: dict[str, Any] = payload["post"]
    return post


class TestFollowing:
    async def test_tells_what_happens_from_now_on(self, client: Api, feed: Feed) -> None:
        await create(client, "Before")

        async def act() -> None:
            await create(client, "First")
            await create(client, "Second")

        changes = await take(feed, 2, None, act)
        assert [change.kind for change in changes] == [ChangeKind.CREATED, ChangeKind.CREATED]
        assert [change.position for change in changes] == [2, 3]

    async def test_resumes_after_a_position(self, client: Api, feed: Feed) -> None:
        for title in "abcd":
            await create(client, title)
        first = await take(feed, 4, 0)
        assert await take(feed, 2, first[1].position) == first[2:]

    async def test_reads_nothing_while_nobody_follows(self, client: Api, feed: Feed) -> None:
        await take(feed, 1, None, lambda: create(client, "One"))
        assert feed.subscribers == 0
        await create(client, "Another")
        async with client.database.write() as session:
            positions = await session.scalars(sa.select(PostChange.position).order_by(PostChange.id))
            assert [*positions] == [1, None]

    async def test_takes_what_memory_has_lost_from_the_database(
        self, client: Api, feed: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gqlapi.feed.reader.KEPT_CHANGES", 2)
        for title in "abc":
            await create(client, title)
        async with aclosing(await feed.follow(None)):
            assert [change.position for change in await take(feed, 3, 0)] == [1, 2, 3]


class TestExpiredPosition:
    async def test_is_refused_when_changes_after_it_were_pruned(self, client: Api, feed: Feed) -> None:
        for title in "abc":
            await create(client, title)
        await take(feed, 3, 0)
        async with client.database.write() as session:
            await session.execute(sa.delete(PostChange).where(PostChange.position <= 2))
        with pytest.raises(PositionExpired):
            await feed.follow(1)
        assert [change.position for change in await take(feed, 1, 2)] == [3]

    async def test_is_refused_when_all_were_pruned(self, client: Api, feed: Feed) -> None:
        await create(client, "One")
        await take(feed, 1, 0)
        async with client.database.write() as session:
            await session.execute(sa.delete(PostChange))
        with pytest.raises(PositionExpired):
            await feed.follow(0)

    async def test_is_refused_when_the_feed_never_had_it(self, feed: Feed) -> None:
        with pytest.raises(PositionExpired):
            await feed.follow(7)


class TestOrder:
    async def test_is_that_of_commits(self, postgresql_api: Api) -> None:
        """A change that took a lower number and is committed later comes later, and is not left out."""
        api, feed = postgresql_api, postgresql_api.app.state.feed
        await save(api.database, [make_user(username="ada")])
        seen: list[Change] = []

        async def act() -> None:
            user = sa.select(User.id).scalar_subquery()
            values = {"post_id": user, "author_id": user, "kind": ChangeKind.UPDATED, "created_at": utc_now()}
            async with api.database.write_engine.connect() as slow:
                await slow.execute(sa.insert(PostChange).values(**values, version=1, was_public=False))
                async with api.database.write_engine.begin() as fast:
                    await fast.execute(sa.insert(PostChange).values(**values, version=2, was_public=False))
                feed.note_commit()
                seen.extend(await anext(batches))
                await slow.commit()
            feed.note_commit()
            seen.extend(await anext(batches))

        async with asyncio.timeout(PATIENCE_SECONDS), aclosing(await feed.follow(0)) as batches:
            await act()
        assert [(change.position, change.version) for change in seen] == [(1, 2), (2, 1)]


class TestScheduledPost:
    async def test_is_told_once_when_its_time_comes(self, api: Api, ada: User, feed: Feed) -> None:
        post = make_post(ada, state=PostState.PUBLISHED, published_at=utc_now() + timedelta(seconds=0.3))
        await save(api.database, [post])
        other = Feed(api.database, keep_changes_for=timedelta(days=1))
        try:
            async with aclosing(await other.follow(0)) as theirs:
                (change,) = await take(feed, 1, 0)
                assert [change] == [*await anext(theirs)]
        finally:
            await other.close()
        assert (change.kind, change.post_id, change.was_public) == (ChangeKind.PUBLISHED, post.id, False)
        async with api.database.write() as session:
            assert len([*await session.scalars(sa.select(PostChange))]) == 1

    async def test_is_not_told_again_when_it_was_published_by_hand(self, client: Api, feed: Feed) -> None:
        post = await create(client, "One")
        await client.payload("publishPost", {"id": post["id"], "expectedVersion": 1})
        changes = await take(feed, 2, 0)
        assert [change.kind for change in changes] == [ChangeKind.CREATED, ChangeKind.PUBLISHED]
        await create(client, "Another")
        assert [change.kind for change in await take(feed, 1, changes[-1].position)] == [ChangeKind.CREATED]

    async def test_is_not_told_when_it_was_deleted_at_its_time(self, client: Api, feed: Feed) -> None:
        """The restoration makes it public, and says so."""
        post = await create(client, "One")
        moment = utc_now() + timedelta(seconds=0.2)
        await client.payload("publishPost", {"id": post["id"], "at": moment.isoformat()})
        await client.payload("deletePost", {"id": post["id"]})
        await asyncio.sleep((moment - utc_now()).total_seconds() + 0.01)
        await client.payload("restorePost", {"id": post["id"]})
        await create(client, "Another")
        kinds = [change.kind.name for change in await take(feed, 5, 0)]
        assert kinds == ["CREATED", "UPDATED", "DELETED", "RESTORED", "CREATED"]
