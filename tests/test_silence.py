"""A connection to PostgreSQL that dies without a word is given up within a bound, and its place comes back."""

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from gqlapi.database.engine import EngineOptions
from gqlapi.database.unit import Database
from gqlapi.models import Tag, UserRole
from tests.api import NO_TLS, Api, gets_everything_back, in_unit, only_error, serve, settings_for
from tests.consistency import assert_consistent, count
from tests.factories import make_tag, make_user, save
from tests.processes import Folder
from tests.signing_in import sign_in_as
from tests.silent_proxy import SilentProxy, silent_proxy

READ = "{ tags { totalCount nodes { id } } }"
CREATE = "mutation($input: CreatePostInput!) { createPost(input: $input) { post { id } } }"
READ_MOMENTS = ("BEGIN", "SELECT", "ROLLBACK")
# A post with tags is written in a transaction, one without in a statement that commits itself.
TAGS = {"tags": [{"name": "A"}]}
WRITE_MOMENTS = [
    *(pytest.param(TAGS, moment) for moment in ("BEGIN ISOLATION LEVEL READ COMMITTED", "SELECT", "WITH", "COMMIT")),
    *(pytest.param({}, moment) for moment in ("SELECT", "WITH")),
]
LIMIT_SECONDS = 2.0
# Without bounds of ours, the system gives a connection up after two hours; a busy machine needs some seconds.
SLACK_SECONDS = 60.0
# Each takes both connections: the second one and those after it need what the one before gave back.
ROUNDS = 10
LIMITS: dict[str, Any] = {
    "pool_size": 2,
    "statement_timeout_ms": 200,
    "connect_timeout_seconds": 0.3,
    "operation_timeout_seconds": LIMIT_SECONDS,
    "pool_timeout_seconds": LIMIT_SECONDS,
}


@pytest.fixture
async def proxied(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[SilentProxy, Api]]:
    """An impatient server whose two connections lead through a proxy."""
    monkeypatch.setattr("gqlapi.database.engine.ANSWER_MARGIN_SECONDS", 0.2)
    monkeypatch.setattr("gqlapi.database.driver.CLOSE_TIMEOUT_SECONDS", 0.2)
    async with silent_proxy(postgresql_url) as (proxy, url), serve(settings_for(url, **LIMITS)) as api:
        yield proxy, api


async def editor(api: Api) -> Api:
    user = make_user(username="ada", role=UserRole.EDITOR)
    await save(api.database, [user])
    return await sign_in_as(api, user)


async def answers(operations: list[Any]) -> list[Any]:
    """Return what operations answer within their limit."""
    async with asyncio.timeout(LIMIT_SECONDS + SLACK_SECONDS):
        return await asyncio.gather(*operations)


class TestOneConnection:
    @pytest.mark.parametrize("moment", READ_MOMENTS)
    @pytest.mark.parametrize("with_token", [False, True], ids=["anonymous", "token"])
    async def test_costs_reads_no_place(
        self,
        proxied: tuple[SilentProxy, Api],
        moment: str,
        with_token: bool,  # noqa: FBT001 - a parameter of the test
    ) -> None:
        proxy, api = proxied
        client = await editor(api) if with_token else api
        for number in range(1, ROUNDS + 1):
            proxy.arm(moment, count=2)
            await answers([client.post(READ) for _ in range(4)])
            assert proxy.silenced == 2 * number
            assert await gets_everything_back(api.database)
        assert (await client.data(READ))["tags"]

    @pytest.mark.parametrize(("tags", "moment"), WRITE_MOMENTS)
    async def test_costs_mutations_no_place(
        self, proxied: tuple[SilentProxy, Api], tags: dict[str, Any], moment: str
    ) -> None:
        proxy, api = proxied
        client = await editor(api)
        await save(api.database, [make_tag(name="A")])
        for number in range(1, ROUNDS + 1):
            proxy.arm(moment, count=2)
            inputs = [{"title": f"{number} {part}", "markdown": "", **tags} for part in range(3)]
            await answers([client.post(CREATE, {"input": input_}) for input_ in inputs])
            assert proxy.silenced == 2 * number
            assert await gets_everything_back(api.database)
        assert (await client.data(CREATE, {"input": {"title": "Last", "markdown": ""}}))["createPost"]["post"]
        await assert_consistent(api.database)

    async def test_is_replaced_without_a_client_noticing(self, proxied: tuple[SilentProxy, Api]) -> None:
        proxy, api = proxied
        await asyncio.gather(*(api.data(READ) for _ in range(4)))
        proxy.arm("BEGIN", count=1)
        await answers([api.data(READ) for _ in range(4)])
        assert proxy.silenced == 1

    async def test_makes_the_idle_ones_suspect(self, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """A firewall forgets all connections at once: the second one is not tried."""
        monkeypatch.setattr("gqlapi.database.driver.CLOSE_TIMEOUT_SECONDS", 0.2)
        async with silent_proxy(postgresql_url) as (proxy, url):
            database = Database(url, EngineOptions(pool_size=3, connect_timeout_seconds=0.5))
            select = sa.select(sa.func.pg_sleep(0.05))
            await asyncio.gather(*(in_unit(database, lambda unit: unit.rows(select)) for _ in range(3)))
            proxy.silence_all()
            for _ in range(3):
                await in_unit(database, lambda unit: unit.rows(select))
            assert [text[:5] for text in proxy.swallowed] == [b"BEGIN"]
            await database.dispose()

    async def test_is_logged_with_its_cause(self, proxied: tuple[SilentProxy, Api]) -> None:
        proxy, api = proxied
        client = await editor(api)
        proxy.arm("COMMIT")
        with capture_logs() as lines:
            response = await client.post(CREATE, {"input": {"title": "Title", "markdown": "", **TAGS}})
            assert await gets_everything_back(api.database)
        assert only_error(response)["extensions"]["code"] == "UNAVAILABLE"
        assert {"error": "TimeoutError", "kind": "unreachable", "event": "database incident started"}.items() <= (
            lines[0].items()
        )


class TestShutdown:
    async def test_gives_up_a_transaction_that_hangs(self, proxied: tuple[SilentProxy, Api]) -> None:
        proxy, api = proxied
        proxy.arm("COMMIT")
        running = api.database.start(add_tag)
        while not proxy.silenced:
            await asyncio.sleep(0.01)
        await answers([api.database.dispose()])
        assert running.done()
        assert await gets_everything_back(api.database)

    async def test_gives_up_a_transaction_that_does_not_end(self, proxied: tuple[SilentProxy, Api]) -> None:
        _, api = proxied

        async def wait_for_nothing(session: AsyncSession) -> None:
            await add_tag(session)
            await asyncio.Event().wait()

        running = api.database.start(wait_for_nothing)
        await answers([api.database.dispose()])
        assert running.done()
        assert await gets_everything_back(api.database)
        assert await count(api.database, Tag) == 0

    async def test_takes_no_time_for_idle_connections_that_are_dead(self, proxied: tuple[SilentProxy, Api]) -> None:
        proxy, api = proxied
        await answers([api.data(READ) for _ in range(4)])
        proxy.silence_all()
        await answers([api.database.dispose()])

    @pytest.mark.parametrize("moment", ["ROLLBACK", "COMMIT"])
    async def test_of_a_server_ends_in_time(self, postgresql_url: str, folder: Folder, moment: str) -> None:
        secret = "s" * 32
        async with serve(settings_for(postgresql_url, secret_key=secret)) as api:
            headers = (await editor(api)).headers
        body: dict[str, Any] = {"query": READ}
        if moment == "COMMIT":
            body = {"query": CREATE, "variables": {"input": {"title": "Title", "markdown": "", **TAGS}}}
        limits = {name: str(value) for name, value in LIMITS.items()}
        async with silent_proxy(postgresql_url) as (proxy, url):
            server = folder.start("serve", secret_key=secret, workers="1", database_url=url, **limits)
            await asyncio.to_thread(server.wait_until_ready)
            proxy.arm(moment)
            async with httpx.AsyncClient(base_url=server.url, headers=headers, verify=NO_TLS) as client:
                hanging = asyncio.create_task(client.post("/graphql", json=body))
                while not proxy.silenced:
                    await asyncio.sleep(0.01)
                code, _ = await asyncio.to_thread(server.stop, signal.SIGTERM)
                # What was read before the ROLLBACK is an answer.
                assert (await hanging).status_code in {200 if moment == "ROLLBACK" else 294, 503}
        assert code == 0


async def add_tag(session: AsyncSession) -> None:
    session.add(make_tag())
    await session.flush()
