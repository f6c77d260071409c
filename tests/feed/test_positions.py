"""Positions: of concurrent commits, of what was pruned, and across losses of connections and of the database."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from gqlapi.database.types import utc_now
from gqlapi.database.unit import create_database
from gqlapi.feed import Feed, PositionExpired
from gqlapi.models import ChangeKind, FeedState, PostChange, new_id
from gqlapi.pruning import Retention, prune
from gqlapi.repositories.feed import Change
from gqlapi.repositories.pruning import Prunable
from tests.api import Api, gets_everything_back, serve, settings_for
from tests.postgres import Kill

PATIENCE_SECONDS = 10
WRITERS, WRITES = 6, 5
KEEP = timedelta(days=30)


@pytest.fixture
def feed(api: Api) -> Feed:
    feed: Feed = api.app.state.feed
    return feed


@pytest.fixture
async def postgresql_api(postgresql_url: str) -> AsyncIterator[Api]:
    async with serve(settings_for(postgresql_url)) as api:
        yield api


def change_values(**values: Any) -> dict[str, Any]:
    defaults = {"post_id": new_id(), "author_id": new_id(), "kind": ChangeKind.UPDATED, "version": 1}
    return {**defaults, "was_public": False, "created_at": utc_now(), **values}


async def write_changes(api: Api, *changes: dict[str, Any]) -> None:
    await api.database.transact(lambda session: session.execute(sa.insert(PostChange), [*changes]))
    api.database.on_commit()


async def take(feed: Feed, count: int, since: int | None) -> list[Change]:
    async with aclosing(await feed.follow(since)) as batches:
        return await take_of(batches, count)


async def take_of(batches: Any, count: int) -> list[Change]:
    taken: list[Change] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(taken) < count:
            taken += await anext(batches)
    return taken


class TestConcurrentCommits:
    async def test_are_each_told_once_to_the_followers_of_two_processes(self, api: Api, feed: Feed) -> None:
        other = Feed(api.database, keep_changes_for=KEEP)

        async def write(writer: int) -> None:
            for version in range(1, WRITES + 1):
                async with api.database.write() as session:
                    await session.execute(
                        sa.insert(PostChange), [change_values(post_id=posts[writer], version=version)]
                    )
                    await asyncio.sleep(random.uniform(0, 0.004))  # noqa: S311 - who is committed first
                random.choice((feed, other)).note_commit()  # noqa: S311 - as above

        posts = [new_id() for _ in range(WRITERS)]
        async with aclosing(await feed.follow(0)) as ours, aclosing(await other.follow(0)) as theirs:
            taking = asyncio.gather(*(take_of(batches, WRITERS * WRITES) for batches in (ours, theirs)))
            await asyncio.gather(*map(write, range(WRITERS)))
            taken, same = await taking
        await other.close()
        assert taken == same
        assert [change.position for change in taken] == [*range(1, WRITERS * WRITES + 1)]
        for post in posts:
            assert [change.version for change in taken if change.post_id == post] == [*range(1, WRITES + 1)]


class TestPruning:
    async def test_also_deletes_what_nobody_has_read(self, api: Api, feed: Feed) -> None:
        old = utc_now() - KEEP - timedelta(days=1)
        await write_changes(api, *(change_values(created_at=old) for _ in range(3)), change_values())
        pruned = await prune(api.database, Retention(changes=KEEP, events=KEEP))
        assert pruned[Prunable.POST_CHANGES] == 3
        with pytest.raises(PositionExpired):
            await feed.follow(2)
        assert [change.position for change in await take(feed, 1, 3)] == [4]

    async def test_of_what_a_slow_subscriber_has_not_read_ends_it(
        self, api: Api, feed: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gqlapi.feed.reader.KEPT_CHANGES", 1)
        await write_changes(api, *(change_values() for _ in range(4)))
        await take(feed, 4, 0)
        slow = await feed.follow(0)
        async with api.database.write() as session:
            await session.execute(sa.delete(PostChange).where(PostChange.position == 2))
        with pytest.raises(PositionExpired):
            await anext(slow)
        assert feed.subscribers == 0


class TestLostPositions:
    async def test_end_those_who_follow(self, api: Api, feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
        """A standby that lacks the newest positions gives them again: to other changes."""
        monkeypatch.setattr("gqlapi.feed.reader.POLL_SECONDS", 0.01)
        await write_changes(api, change_values(), change_values())
        async with aclosing(await feed.follow(2)) as batches:
            async with api.database.write() as session:
                await session.execute(sa.delete(PostChange).where(PostChange.position == 2))
                await session.execute(sa.update(FeedState).values(last_position=1))
            with pytest.raises(PositionExpired):
                await take_of(batches, 1)
        await write_changes(api, change_values(version=7))
        assert [(change.position, change.version) for change in await take(feed, 1, 1)] == [(2, 7)]


class TestClock:
    async def test_that_is_behind_is_waited_for(self, api: Api, feed: Feed) -> None:
        """What a server has just published is public for one with a slower clock when it is sent."""
        created_at = utc_now() + timedelta(seconds=0.2)
        async with aclosing(await feed.follow(0)) as batches:
            await write_changes(api, change_values(created_at=created_at))
            await take_of(batches, 1)
        assert utc_now() >= created_at


class TestStart:
    async def test_that_is_given_up_leaves_nothing_behind(
        self, api: Api, feed: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = asyncio.all_tasks()
        await api.database.gate.enter()  # its slots are taken: the start waits
        places = [await api.database.gate.enter() for _ in range(api.database.gate.free)]
        starting = asyncio.create_task(feed.follow(None))
        while not api.database.gate.waiting:
            await asyncio.sleep(0)
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await starting
        for place in places:
            place.leave()
        assert feed.subscribers == 0
        # A connection that was being made is closed when it is there.
        async with asyncio.timeout(PATIENCE_SECONDS):
            while asyncio.all_tasks() - before:
                await asyncio.sleep(0.01)
        await write_changes(api, change_values())
        assert len(await take(feed, 1, 0)) == 1


class TestConnections:
    async def test_wakes_at_a_commit_of_another_process_also_when_it_listens_again(
        self, postgresql_api: Api, postgresql_url: str, kill: Kill, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gqlapi.feed.reader.POLL_SECONDS", 60)
        monkeypatch.setattr("gqlapi.feed.wakeups.RECONNECT_SECONDS", 0.01)
        monkeypatch.setattr("gqlapi.feed.wakeups.PING_SECONDS", 0.2)
        feed: Feed = postgresql_api.app.state.feed
        other = create_database(settings_for(postgresql_url))
        elsewhere = Feed(other, keep_changes_for=KEEP)
        other.on_commit = elsewhere.note_commit
        async with aclosing(await feed.follow(None)) as batches:
            for _ in range(2):
                pid = await listener_of(postgresql_api)
                async with other.write() as session:
                    await session.execute(sa.insert(PostChange), [change_values()])
                other.on_commit()
                assert len(await take_of(batches, 1)) == 1
                await kill(pid)
        await elsewhere.close()
        await other.dispose()

    async def test_that_all_are_lost_delay_changes_and_lose_none(
        self, postgresql_api: Api, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gqlapi.feed.feed.RETRY_SECONDS", 0.01)
        feed: Feed = postgresql_api.app.state.feed
        async with aclosing(await feed.follow(None)) as batches:
            for version in range(3):
                await write_changes(postgresql_api, change_values(version=version))
                await kill_all(postgresql_url)
            assert [change.version for change in await take_of(batches, 3)] == [0, 1, 2]
        assert await gets_everything_back(postgresql_api.database)


async def listener_of(api: Api) -> int:
    """Return the backend that listens, once it does."""
    listening = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            async with api.database.write() as session:
                if pids := [*await session.scalars(sa.text(listening))]:
                    return int(pids[0])
            await asyncio.sleep(0.01)


async def kill_all(url: str) -> None:
    """End all connections to a database."""
    connection = await asyncpg.connect(url)
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    assert await connection.fetchval(f"SELECT count(pg_terminate_backend(pid, 5000)) {others}") > 0
    await connection.close()
