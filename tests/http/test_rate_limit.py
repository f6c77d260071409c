"""Points a minute: counted before anything is read, shown to clients, and given back with time."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings

from gqlapi.documents.ids import sha256_id
from gqlapi.models import ApiScope
from gqlapi.operations import rate
from gqlapi.operations.rate import MAX_CLIENTS, PointRate, RateLimited, Rates
from tests.api import Api, only_error, serve, settings_for
from tests.factories import make_post, make_tag, make_user, save
from tests.random_selections import documents
from tests.signing_in import with_api_token

SHOWN = "rateLimit { limit cost nodeCount remaining used resetAt }"
TAGS = "{ tags(first: 5) { nodes { id name } } }"
TAGS_COST = 21
NODES = frozenset({"User", "Post", "Tag"})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that have passed."""
    now = [1_000.0]

    class Time:
        @staticmethod
        def monotonic() -> float:
            return now[0]

    monkeypatch.setattr(rate, "time", Time)
    return now


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """A server without a limit, with rows."""
    path = tmp_path_factory.mktemp("rates") / "rates.db"
    path.write_bytes(sqlite_template.read_bytes())
    async with serve(settings_for(f"sqlite:///{path}", max_aliases=500, max_depth=50, max_tokens=20_000)) as api:
        users, tags = [make_user() for _ in range(3)], [make_tag() for _ in range(4)]
        await save(api.database, [*users, *tags, *(make_post(users[n % 3], *tags[: n % 5]) for n in range(9))])
        yield api


class TestRateLimit:
    async def test_shows_the_cost_where_there_is_no_limit(self, server: Api) -> None:
        response = await server.post(f"{{ tags(first: 5) {{ nodes {{ id name }} }} {SHOWN} }}")
        shown = response.json()["data"]["rateLimit"]
        assert shown == dict.fromkeys(("limit", "remaining", "used", "resetAt")) | {
            "cost": response.json()["extensions"]["cost"]["requested"],
            "nodeCount": 5,
        }
        assert "RateLimit" not in response.headers

    @pytest.mark.parametrize(
        ("query", "nodes"),
        [
            ("{ posts { totalCount } }", 0),
            ("{ posts { nodes { id } } }", 20),
            ("{ posts(first: 3) { edges { node { id author { id } tags { id } } } } }", 3 + 3 + 3 * 20),
            ("{ users(first: 2) { nodes { posts(first: 7) { nodes { id } } } } }", 2 + 2 * 7),
            ('{ user(by: { username: "a" }) { id } nodes(ids: ["a", "b"]) { id } }', 1 + 2),
            ('{ search(query: "a", first: 4) { nodes { ... on Post { author { id } } ... on Tag { id } } } }', 8),
        ],
    )
    async def test_counts_the_nodes_at_the_largest_size(self, server: Api, query: str, nodes: int) -> None:
        result = await server.execute(query.replace("{", f"{{ {SHOWN} ", 1))
        assert result["data"]["rateLimit"]["nodeCount"] == nodes

    async def test_counts_no_fewer_nodes_than_are_returned(self, server: Api) -> None:
        loop, returned = asyncio.get_running_loop(), 0

        async def run(document: str) -> dict[str, Any]:
            query = document.replace("{", "{ rateLimit { cost nodeCount } ", 1)
            return await server.execute(query)

        @given(document=documents())
        @settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
        def check(document: str) -> None:
            nonlocal returned
            result = asyncio.run_coroutine_threadsafe(run(document), loop).result(60)
            if "errors" in result:
                return
            shown = result["data"].pop("rateLimit")
            nodes = count_nodes(result["data"])
            assert nodes <= shown["nodeCount"] <= shown["cost"]
            returned += nodes

        await asyncio.to_thread(check)
        assert returned > 10


def count_nodes(value: Any) -> int:
    """Count the objects that show their id."""
    if isinstance(value, list):
        return sum(map(count_nodes, value))
    return int("id" in value) + sum(map(count_nodes, value.values())) if isinstance(value, dict) else 0


class TestVisitors:
    @pytest_asyncio.fixture
    async def limited(self, database_url: str) -> AsyncIterator[Api]:
        async with serve(settings_for(database_url, visitor_points_per_minute=2 * TAGS_COST + 3)) as api:
            yield api

    async def test_are_refused_before_anything_is_read(self, limited: Api, clock: list[float]) -> None:
        first = await limited.post(TAGS)
        clock[0] += 10.5
        second = await limited.post(TAGS)
        with limited.statements() as statements:
            refused = await limited.post(TAGS)
        small = await limited.post("{ __typename }")

        assert [answer.status_code for answer in (first, second, refused, small)] == [200, 200, 429, 200]
        assert statements == []
        assert [answer.headers["RateLimit"] for answer in (first, second, refused, small)] == [
            '"points";r=24;t=60',
            '"points";r=3;t=50',
            '"points";r=3;t=50',
            '"points";r=2;t=50',
        ]
        assert {answer.headers["RateLimit-Policy"] for answer in (first, refused)} == {'"points";q=45;w=60'}
        assert ("Retry-After" in small.headers, refused.headers["Retry-After"]) == (False, "50")
        assert "data" not in refused.json()
        assert only_error(refused)["extensions"] == {
            "code": "RATE_LIMITED",
            "retryAfterSeconds": 50,
            "limit": 45,
            "remaining": 3,
        }

    async def test_have_all_points_again_after_a_minute(self, limited: Api, clock: list[float]) -> None:
        for _ in range(2):
            assert (await limited.post(TAGS)).status_code == 200
            assert (await limited.post(TAGS)).status_code == 200
            assert (await limited.post(TAGS)).status_code == 429
            clock[0] += 60

    async def test_see_what_they_have_left(self, limited: Api) -> None:
        shown = (await limited.data(f"{{ tags(first: 5) {{ nodes {{ id }} }} {SHOWN} }}"))["rateLimit"]
        assert (shown["limit"], shown["used"], shown["remaining"]) == (45, shown["cost"], 45 - shown["cost"])
        assert shown["resetAt"].endswith("Z")

    async def test_in_a_batch_pay_for_each_operation(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url, visitor_points_per_minute=TAGS_COST, max_batch_size=2)) as api:
            response = await api.http.post("/graphql", json=[{"query": TAGS}] * 2)
        codes = sorted(error["extensions"]["code"] for answer in response.json() for error in answer.get("errors", []))
        assert codes == ["RATE_LIMITED"]

    async def test_learn_nothing_of_each_other_from_what_caches_keep(self, sqlite_url: str) -> None:
        path = f"/graphql/documents/{sha256_id(TAGS)}"
        shown = f"{{ {SHOWN} }}"
        settings_ = settings_for(
            sqlite_url, visitor_points_per_minute=500, cache_max_age_seconds=60, report_costs=False
        )
        async with serve(settings_) as api:
            for text in (TAGS, shown):
                await api.http.post(f"/graphql/documents/{sha256_id(text)}", json={"query": text})
            kept = await api.http.get(path)
            own = await api.http.get(f"/graphql/documents/{sha256_id(shown)}")
        assert "s-maxage" in kept.headers["Cache-Control"]
        assert "RateLimit" not in kept.headers
        assert own.headers["Cache-Control"] == "private, no-cache"


class TestRates:
    async def test_are_counted_for_each_user_and_for_each_network(self, clock: list[float]) -> None:
        rates, one, other = Rates(10, 5), uuid4(), uuid4()
        for user, network in ((one, "n"), (other, "n"), (None, "n"), (None, "m")):
            limit = 5 if user is None else 10
            spent = await rates.spend(user, network, limit)
            assert spent is not None
            assert spent.remaining == 0
            with pytest.raises(RateLimited):
                await rates.spend(user, network, 1)

    async def test_without_a_limit_are_not_counted(self) -> None:
        assert await Rates(0, 5).spend(uuid4(), "n", 100) is None
        assert await Rates(5, 0).spend(None, "n", 100) is None

    def test_of_too_many_clients_are_shared_by_the_last(self, clock: list[float]) -> None:
        points = PointRate(2)
        for number in range(MAX_CLIENTS):
            points.spend(str(number), 2)
        assert points.spend("late", 1).remaining == 1
        assert points.spend("later", 1).remaining == 0
        with pytest.raises(RateLimited):
            points.spend("latest", 1)
        assert len(points._windows) == MAX_CLIENTS + 1
        clock[0] += 60
        assert points.spend("latest", 1).remaining == 1
        assert len(points._windows) == 1


async def test_a_user_has_one_budget_whatever_the_token(sqlite_url: str) -> None:
    async with serve(settings_for(sqlite_url, user_points_per_minute=3)) as api:
        await save(api.database, [user := make_user()])
        clients = [await with_api_token(api, user, ApiScope.READ) for _ in range(2)]
        answers = [await client.post("{ __typename }") for client in clients * 2]
        visitor: httpx.Response = await api.post("{ __typename }")
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert (visitor.status_code, "RateLimit" in visitor.headers) == (200, False)
