"""Live queries: answered again when, and only when, a change touches what an answer depends on."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gqlapi.database.types import utc_now
from gqlapi.feed.live import MAX_RUNNING
from gqlapi.models import PostChange, User, UserRole
from gqlapi.schema.live import REPEATS
from tests.api import Api, gets_everything_back, serve, settings_for
from tests.factories import make_draft, make_post, make_scheduled_post, make_tag, make_user, save
from tests.feed.live_queries import HOME, ONE, answer_of, live, update
from tests.signing_in import sign_in_as
from tests.subscribing import PATIENCE_SECONDS, refusal

pytestmark = pytest.mark.usefixtures("quick")


@contextmanager
def runs(api: Api) -> Iterator[list[Any]]:
    """Record the queries that are run in the block to answer them again."""
    recorded: list[Any] = []
    queries = api.app.state.live
    run = queries._run

    async def record(query: Any, observation: Any) -> Any:
        recorded.append(query)
        return await run(query, observation)

    for one in (queries, *queries._groups.values()):
        one._run = record
    try:
        yield recorded
    finally:
        for one in (queries, *queries._groups.values()):
            one._run = run


class TestAnswer:
    async def test_comes_at_once_and_with_each_change(self, api: Api, client: Api, ada: User) -> None:
        post = make_post(ada, title="One")
        await save(api.database, [post])
        subscriber = await live(api, ONE, id=post.global_id)
        assert await answer_of(subscriber) == {"post": {"title": "One"}}
        await update(client, post, title="Two")
        assert await answer_of(subscriber) == {"post": {"title": "Two"}}
        await client.payload("deletePost", {"id": post.global_id})
        assert await answer_of(subscriber) == {"post": None}
        await client.payload("restorePost", {"id": post.global_id})
        assert await answer_of(subscriber) == {"post": {"title": "Two"}}
        await subscriber.close()

    async def test_is_not_sent_again_when_it_is_the_same(self, api: Api, client: Api, ada: User) -> None:
        post = make_post(ada, title="One")
        await save(api.database, [post])
        subscriber = await live(api, ONE, id=post.global_id)
        await answer_of(subscriber)
        with runs(api) as recorded:
            await update(client, post, markdown="Other")
            await settled(api, recorded, 1)
            await update(client, post, title="Two")
            assert await answer_of(subscriber) == {"post": {"title": "Two"}}
        await subscriber.close()

    async def test_with_the_same_errors_is_not_sent_again(self, api: Api, client: Api, ada: User) -> None:
        post = make_post(ada, title="One")
        await save(api.database, [post])
        subscriber = await live(api, '{ post(by: { id: $id }) { title } nodes(ids: ["x"]) { id } }', id=post.global_id)
        event = await subscriber.event()
        assert (await subscriber.result(event)).errors
        with runs(api) as recorded:
            await update(client, post, markdown="Other")
            await settled(api, recorded, 1)
            await update(client, post, title="Two")
            result = await subscriber.result(await subscriber.event())
            assert result.data is not None
            assert result.data["live"]["post"] == {"title": "Two"}
        await subscriber.close()

    async def test_is_made_only_when_a_change_touches_it(self, api: Api, client: Api, ada: User) -> None:
        shown, other, draft = make_post(ada), make_post(ada), make_draft(ada)
        await save(api.database, [shown, other, draft])
        one, home = await live(api, ONE, id=shown.global_id), await live(api, HOME)
        for subscriber in (one, home):
            await answer_of(subscriber)
        with runs(api) as recorded:
            await update(client, draft, title="Still a draft")
            await settled(api, recorded, 0)
            await update(client, other, title="Another")
            await answer_of(home)
            assert [query.operation.costs for query in recorded] == [home.operation.costs]
        for subscriber in (one, home):
            await subscriber.close()

    async def test_shows_a_scheduled_post_when_its_time_comes(self, api: Api, ada: User) -> None:
        moment = utc_now() + timedelta(seconds=0.3)
        await save(api.database, [make_scheduled_post(ada, title="Soon", published_at=moment)])
        subscriber = await live(api, HOME)
        assert await answer_of(subscriber) == {"posts": {"nodes": []}}
        assert await answer_of(subscriber) == {"posts": {"nodes": [{"title": "Soon"}]}}
        await subscriber.close()

    async def test_includes_a_change_that_was_committed_while_it_was_made(
        self, api: Api, client: Api, ada: User
    ) -> None:
        post = make_post(ada, title="One")
        await save(api.database, [post])
        queries = api.app.state.live
        run, read, committed = queries._run, asyncio.Event(), asyncio.Event()

        async def slowly(query: Any, observation: Any) -> Any:
            result = await run(query, observation)
            read.set()
            await committed.wait()
            return result

        queries._run = slowly
        subscriber = await live(api, ONE, id=post.global_id)
        waiting = asyncio.create_task(answer_of(subscriber))
        await read.wait()
        await update(client, post, title="Two")
        await caught_up(api)
        committed.set()
        assert await waiting == {"post": {"title": "One"}}
        assert await answer_of(subscriber) == {"post": {"title": "Two"}}
        await subscriber.close()

    async def test_with_an_error_does_not_end_it(self, api: Api, client: Api, ada: User) -> None:
        queries = api.app.state.live
        run = queries._run

        async def fail(_query: Any, _observation: Any) -> Any:
            raise RuntimeError("secret")

        queries._run = fail
        subscriber = await live(api, HOME)
        result = await subscriber.result(await subscriber.event())
        [error] = result.errors or []
        assert error.extensions is not None
        assert (result.data, error.extensions["code"]) == (None, "INTERNAL_SERVER_ERROR")
        assert "secret" not in error.message
        [group] = queries._groups.values()
        group._run = queries._run = run
        await client.payload("createPost", {"title": "One", "markdown": "", "publish": True})
        assert await answer_of(subscriber) == {"posts": {"nodes": [{"title": "One"}]}}
        await subscriber.close()


async def caught_up(api: Api) -> None:
    """Wait until live queries know of all changes."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            async with api.database.write() as session:
                if not await session.scalar(sa.select(sa.exists().where(PostChange.position.is_(None)))):
                    break
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)


async def settled(api: Api, recorded: list[Any], count: int) -> None:
    """Wait until so many queries were run."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(recorded) < count:
            await asyncio.sleep(0.01)
    await caught_up(api)
    assert len(recorded) == count


class TestSharing:
    async def test_runs_equal_queries_of_equal_rights_once(self, api: Api, client: Api, ada: User) -> None:
        users = [make_user(role=role) for role in (UserRole.READER, UserRole.READER, UserRole.EDITOR, UserRole.ADMIN)]
        await save(api.database, [*users, make_post(ada, title="One")])
        clients = [api, api, *[await sign_in_as(api, user) for user in users]]
        subscribers = [await live(one, HOME) for one in clients]
        for answer in await asyncio.gather(*map(answer_of, subscribers)):
            assert answer == {"posts": {"nodes": [{"title": "One"}]}}
        assert api.app.state.live.groups == 3  # those of the public, of editors, of admins
        assert api.app.state.feed.subscribers == 1
        with runs(api) as recorded:
            await client.payload("createPost", {"title": "Two", "markdown": "", "publish": True})
            events = [await subscriber.event() for subscriber in subscribers]
            assert len(recorded) == 3
        assert len({id(event) for event in events}) == 3
        with api.statements() as statements:
            assert (await subscribers[0].data(events[0]))["live"]["posts"]["nodes"][0]["title"] == "Two"
        assert statements == []
        for subscriber in subscribers:
            await subscriber.close()

    async def test_does_not_share_what_is_about_the_viewer(self, api: Api, ada: User, client: Api) -> None:
        query = "{ viewer { username } posts { nodes { viewerCanUpdate } } }"
        reader = make_user(username="reader", role=UserRole.READER)
        await save(api.database, [reader, make_post(ada)])
        subscribers = [await live(one, query) for one in (api, await sign_in_as(api, reader), client)]
        answers = [await answer_of(subscriber) for subscriber in subscribers]
        assert [answer["viewer"] for answer in answers] == [None, {"username": "reader"}, {"username": "ada"}]
        assert [answer["posts"]["nodes"][0]["viewerCanUpdate"] for answer in answers] == [False, False, True]
        for subscriber in subscribers:
            await subscriber.close()

    async def test_ends_for_one_who_loses_their_rights(self, api: Api, ada: User) -> None:
        editor = make_user(role=UserRole.EDITOR)
        draft = make_draft(ada, title="Secret")
        await save(api.database, [editor, draft])
        subscriber = await live(await sign_in_as(api, editor), ONE, id=draft.global_id)
        event = await subscriber.event()
        assert (await subscriber.data(event))["live"] == {"post": {"title": "Secret"}}
        async with api.database.write() as session:
            await session.execute(sa.update(User).where(User.id == editor.id).values(role=UserRole.READER))
        assert (await subscriber.data(event))["live"] == {"post": None}
        await subscriber.close()


class TestLoad:
    async def test_of_many_queries_leaves_connections_to_others(self, api: Api, ada: User, client: Api) -> None:
        queries = api.app.state.live
        run, running, peak = queries._run, 0, 0

        async def count(query: Any, observation: Any) -> Any:
            nonlocal running, peak
            running += 1
            peak = max(peak, running)
            try:
                return await run(query, observation)
            finally:
                running -= 1

        queries._run = count
        subscribers = [await live(api, HOME.replace("5", str(size))) for size in range(1, 8)]
        await asyncio.gather(*map(answer_of, subscribers))
        await client.payload("createPost", {"title": "One", "markdown": "", "publish": True})
        await asyncio.gather(*map(answer_of, subscribers))
        assert (queries.groups, peak) == (7, MAX_RUNNING)
        for subscriber in subscribers:
            await subscriber.close()


class TestEnd:
    async def test_leaves_nothing_behind(self, api: Api, ada: User, client: Api) -> None:
        before = asyncio.all_tasks()
        subscribers = [await live(api, query) for query in (HOME, HOME, "{ tags { nodes { name } } }")]
        for subscriber in subscribers:
            await answer_of(subscriber)
        waiting = asyncio.create_task(subscribers[0].event())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        for subscriber in subscribers:
            await subscriber.close()
        assert (api.app.state.live.groups, api.app.state.feed.subscribers) == (0, 0)
        assert await gets_everything_back(api.database)
        # A connection that was being made is closed when it is there.
        async with asyncio.timeout(PATIENCE_SECONDS):
            while any(not task.done() for task in asyncio.all_tasks() - before):
                await asyncio.sleep(0.01)


class TestCost:
    async def test_counts_a_query_as_often_as_it_may_be_answered(self, api: Api) -> None:
        query = "posts(first: 100) { nodes { title author { displayName } tags { name } } }"
        assert "errors" not in await api.execute(f"{{ {query} more: {query} }}")
        with api.statements() as statements:
            error = await refusal(api, f"subscription {{ live {{ {query} more: {query} }} }}")
        assert (error["code"], statements) == ("LIMIT_EXCEEDED", [])
        subscriber = await live(api, HOME)
        [plain] = subscriber.api.app.state.schema.operations.bind(HOME).costs.values()
        assert subscriber.operation.costs == {"live": REPEATS * (plain + 1)}


class TestReferenceExecutor:
    async def test_answers_live_queries_too(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url, executor="reference")) as api:
            author, tag = make_user(), make_tag()
            post = make_post(author, tag, title="One")
            await save(api.database, [author, tag, post])
            subscriber = await live(api, ONE, id=post.global_id)
            assert await answer_of(subscriber) == {"post": {"title": "One"}}
            await update(await sign_in_as(api, author), post, title="Two")
            assert await answer_of(subscriber) == {"post": {"title": "Two"}}
            await subscriber.close()
