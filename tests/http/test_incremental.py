"""@defer and @stream over HTTP: when payloads leave, what they cost, and what remains when they end early."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa

from gqlapi.models import Post
from gqlapi.repositories.posts import PostRepository
from tests.api import Api, gets_everything_back, internals_in, serve, settings_for
from tests.clocks import Deadlines
from tests.factories import make_post, make_tag, make_user, save
from tests.increments import V02, V2022, merged, parts, payloads_of
from tests.test_availability import endless

SLOW = (PostRepository, "page_by_author_ids")
READ = '{ user(by: { username: "ann" }) { username ... @defer(label: "slow") { posts { nodes { title } } } } }'
FIRST = {"user": {"username": "ann"}}


@pytest_asyncio.fixture
async def ann(database_url: str) -> AsyncIterator[Api]:
    """A server with a user, Ann, who has written two posts."""
    async with serve(settings_for(database_url, report_costs=False)) as api:
        ann, tags = make_user(username="ann"), [make_tag(name=name) for name in "ab"]
        await save(api.database, [ann, *tags, *(make_post(ann, *tags, title=title) for title in ("One", "Two"))])
        yield api


class Pause:
    """Holds the statement of a user's posts up until the test says so."""

    def __init__(self) -> None:
        self.has_begun, self.may_go_on = asyncio.Event(), asyncio.Event()


@pytest.fixture
def pause(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pause]:
    pause, read = Pause(), PostRepository.page_by_author_ids

    async def wait(*arguments: Any) -> Any:
        pause.has_begun.set()
        await pause.may_go_on.wait()
        return await read(*arguments)

    monkeypatch.setattr(*SLOW, wait)
    yield pause
    pause.may_go_on.set()


class Reading:
    """A response that is read payload by payload."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._chunks = response.aiter_text()
        self.text = ""

    async def first(self) -> dict[str, Any]:
        """Read the first payload: complete as soon as the boundary behind it is there."""
        while not self.text.endswith("\r\n---"):
            self.text += await anext(self._chunks)
        [payload] = parts(self.text + "--\r\n")
        return payload

    async def rest(self) -> list[dict[str, Any]]:
        """Read to the end, and return all payloads."""
        self.text += "".join([chunk async for chunk in self._chunks])
        return parts(self.text)


@asynccontextmanager
async def reading(api: Api, query: str, accept: str = V02) -> AsyncIterator[Reading]:
    headers = {**api.headers, "Accept": accept}
    async with api.http.stream("POST", "/graphql", json={"query": query}, headers=headers) as response:
        yield Reading(response)


async def ask(api: Api, query: str, accept: str = V02, **body: Any) -> httpx.Response:
    return await api.with_headers(Accept=accept).post(query, **body)


class TestFirstPayload:
    async def test_leaves_before_the_slow_statement_begins(self, ann: Api, pause: Pause) -> None:
        async with reading(ann, READ) as answer:
            first = await answer.first()
            assert first["data"] == FIRST
            assert first["pending"] == [{"id": "0", "path": ["user"], "label": "slow"}]
            await pause.has_begun.wait()
            pause.may_go_on.set()
            expected = {"user": {**FIRST["user"], "posts": {"nodes": [{"title": "Two"}, {"title": "One"}]}}}
            assert merged(await answer.rest()) == {"data": expected}

    async def test_shares_its_snapshot_with_the_last(self, ann: Api, pause: Pause) -> None:
        async with reading(ann, READ) as answer:
            await answer.first()
            async with ann.database.write() as session:
                await session.execute(sa.update(Post).values(title="Three"))
            pause.may_go_on.set()
            titles = [node["title"] for node in merged(await answer.rest())["data"]["user"]["posts"]["nodes"]]
        assert titles == ["Two", "One"]


class TestEnd:
    async def test_by_a_client_that_disconnects_leaves_nothing_behind(
        self, ann: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun = asyncio.Event()

        async def slow(repository: PostRepository, *_: Any) -> Any:
            begun.set()
            return await repository.scope.unit.rows(endless())

        await ask(ann, READ)
        before = asyncio.all_tasks()
        monkeypatch.setattr(*SLOW, slow)
        async with reading(ann, READ) as answer:
            await answer.first()
            await begun.wait()
            await asyncio.sleep(0.1)  # the statement runs
            assert not await gets_everything_back(ann.database, attempts=1)
        assert await gets_everything_back(ann.database)
        assert await ends(before)

    @pytest.mark.parametrize("accept", [V02, V2022])
    async def test_by_the_deadline_fails_what_is_pending(
        self, ann: Api, pause: Pause, deadlines: Deadlines, accept: str
    ) -> None:
        async with reading(ann, READ, accept) as answer:
            await answer.first()
            await pause.has_begun.wait()
            deadlines.expire()
            payloads = await answer.rest()
        assert [error["extensions"]["code"] for error in merged(payloads)["errors"]] == ["TIMEOUT"]
        pause.may_go_on.set()
        assert await gets_everything_back(ann.database)

    @pytest.mark.parametrize("accept", [V02, V2022])
    async def test_by_an_error_is_masked(self, ann: Api, monkeypatch: pytest.MonkeyPatch, accept: str) -> None:
        def fail(*_: Any) -> Any:
            raise RuntimeError("SELECT secret")

        monkeypatch.setattr(*SLOW, fail)
        response = await ask(ann, READ, accept)
        result = merged(payloads_of(response))
        [error] = result["errors"]
        assert (error["extensions"]["code"], error["path"]) == ("INTERNAL_SERVER_ERROR", ["user", "posts"])
        assert (result["data"], internals_in(response)) == (FIRST, [])


class TestErrorMode:
    @pytest.mark.parametrize(("mode", "has_title"), [("PROPAGATE", False), ("NULL", True), ("HALT", False)])
    async def test_applies_to_each_fragment_by_itself(
        self, ann: Api, monkeypatch: pytest.MonkeyPatch, mode: str, *, has_title: bool
    ) -> None:
        def fail(*_: Any) -> Any:
            raise RuntimeError("failed")

        monkeypatch.setattr(*SLOW, fail)
        query = READ.replace("posts {", "displayName posts {").replace("user(", "tags { nodes { name } } user(", 1)
        result = merged(payloads_of(await ask(ann, query, onError=mode)))
        expected = {"tags": {"nodes": [{"name": "a"}, {"name": "b"}]}, **FIRST}
        if has_title:
            expected["user"] = {**FIRST["user"], "displayName": "Ann", "posts": None}
        assert (result["data"], len(result["errors"])) == (expected, 1)


async def ends(before: set[asyncio.Task[Any]]) -> bool:
    """Return whether all tasks end but those that were there before."""
    for _ in range(100):
        if asyncio.all_tasks() <= before | {asyncio.current_task()}:
            return True
        await asyncio.sleep(0.05)
    return False


class TestStatements:
    async def test_are_as_few_for_all_streamed_items_as_for_one(self, ann: Api) -> None:
        query = "{ users(first: 9) { nodes @stream { username posts { nodes { title } } } } }"
        others = [make_user() for _ in range(8)]
        await save(ann.database, [*others, *map(make_post, others)])
        with ann.statements() as statements:
            assert len(merged(payloads_of(await ask(ann, query)))["data"]["users"]["nodes"]) == 9
        assert len(statements) == 2

    async def test_of_a_deferred_count_come_later(self, ann: Api) -> None:
        with ann.statements() as statements:
            async with reading(ann, "{ posts { nodes { title } ... @defer { totalCount } } }") as answer:
                assert "count(" not in statements[0].lower()
                assert (await answer.first())["data"] == {"posts": {"nodes": [{"title": "Two"}, {"title": "One"}]}}
                assert merged(await answer.rest())["data"]["posts"]["totalCount"] == 2
        assert len(statements) == 2

    async def test_of_a_deferred_fragment_in_a_list_is_one(self, ann: Api) -> None:
        query = "{ tags { nodes { name ... @defer { posts { nodes { title } } } } } }"
        with ann.statements() as statements:
            payloads = payloads_of(await ask(ann, query))
        assert all("posts" not in tag for tag in payloads[0]["data"]["tags"]["nodes"])
        tags = merged(payloads)["data"]["tags"]["nodes"]
        assert tags
        assert all("nodes" in tag["posts"] for tag in tags)
        assert len(statements) == 2
