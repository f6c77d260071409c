"""Health says what a load balancer must know, and which part keeps a server from being ready."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from gqlapi.app import create_app
from gqlapi.database.migrations import known_revisions
from gqlapi.database.readiness import Probe
from gqlapi.serving.stopping import STATE_KEY, Stopping
from tests.api import Api, internals_in, only_error, serve, settings_for
from tests.silent_proxy import silent_proxy

GOOD = {"connection": "ok", "revision": "ok", "writable": "ok"}
UNREACHABLE = {"connection": "unreachable", "revision": "unknown", "writable": "unknown"}


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each request look anew."""
    monkeypatch.setattr("gqlapi.http.health.REUSE_SECONDS", 0)


async def readiness(api: Api) -> tuple[int, dict[str, str]]:
    """Return the status, and the state of each part."""
    response = await api.http.get("/readyz")
    assert internals_in(response) == []
    body = response.json()
    assert body["status"] == ("ok" if response.status_code == 200 else "unavailable")
    return response.status_code, body["checks"]


async def set_revision(api: Api, revision: str) -> None:
    async with api.database.write() as session:
        await session.execute(sa.text("UPDATE alembic_version SET version_num = :new"), {"new": revision})


class TestLiveness:
    async def test_does_not_ask_the_database(self, unused_tcp_port: int) -> None:
        async with serve(settings_for(f"postgresql://nobody@127.0.0.1:{unused_tcp_port}/nothing")) as api:
            response = await api.http.get("/healthz")
        assert (response.status_code, response.json()) == (200, {"status": "ok"})


class TestStartup:
    async def test_is_complete_once_the_lifespan_has_begun(self, empty_sqlite_url: str) -> None:
        app = create_app(settings_for(empty_sqlite_url))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
            before = await http.get("/startupz")
            async with app.router.lifespan_context(app):
                after = await http.get("/startupz")
        assert (before.status_code, before.json()) == (503, {"status": "starting"})
        assert (after.status_code, after.json()) == (200, {"status": "ok"})


class TestReadiness:
    async def test_ends_when_the_server_stops(self, empty_sqlite_url: str) -> None:
        app, stopping = create_app(settings_for(empty_sqlite_url)), Stopping()

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": {STATE_KEY: stopping}}, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(with_state), base_url="http://localhost") as http:
            assert "checks" in (await http.get("/readyz")).json()
            stopping.set()
            response = await http.get("/readyz")
            assert (response.status_code, response.json()) == (503, {"status": "stopping"})
            assert (await http.get("/healthz")).status_code == 200
        await app.state.database.dispose()

    async def test_is_good_while_the_database_can_serve(self, api: Api) -> None:
        with api.statements() as statements:
            assert await readiness(api) == (200, GOOD)
        assert statements == []  # none over the pool

    async def test_ends_with_the_file(self, empty_sqlite_url: str) -> None:
        path = Path(empty_sqlite_url.removeprefix("sqlite:///"))
        async with serve(settings_for(empty_sqlite_url)) as api:
            assert await readiness(api) == (503, {**UNREACHABLE, "connection": "missing"})
        assert not path.exists()

    async def test_ends_with_a_server_of_postgresql(self, unused_tcp_port: int) -> None:
        async with serve(settings_for(f"postgresql://gqlapi:hunter2@127.0.0.1:{unused_tcp_port}/gqlapi")) as api:
            with capture_logs() as lines:
                assert [await readiness(api) for _ in range(3)] == [(503, UNREACHABLE)] * 3
            assert only_error(await api.post("{ tags { totalCount } }"))["extensions"]["code"] == "UNAVAILABLE"
        changes = [line for line in lines if line["event"] == "readiness changed"]
        assert [(line["log_level"], line["error"]) for line in changes] == [("error", "ConnectionRefusedError")]
        assert "hunter2" not in str(lines)

    async def test_ends_when_the_server_does_not_answer(self, postgresql_url: str) -> None:
        async with silent_proxy(postgresql_url) as (proxy, url), serve(settings_for(url)) as api:
            assert await readiness(api) == (200, GOOD)
            proxy.arm("SELECT")
            async with asyncio.timeout(60):  # else the system would give up, in two hours
                assert await readiness(api) == (503, UNREACHABLE)
            assert await readiness(api) == (200, GOOD)

    @pytest.mark.parametrize("holds", ["connections", "places"])
    async def test_is_not_lost_to_a_busy_pool(self, database_url: str, holds: str) -> None:
        async with serve(settings_for(database_url, pool_size=2)) as api:
            if holds == "places":
                for _ in range(2):
                    await api.database.gate.enter()
                assert await readiness(api) == (200, GOOD)
                return
            async with api.database.read_engine.connect(), api.database.write_engine.begin():
                assert await readiness(api) == (200, GOOD)


class TestRevision:
    async def test_behind_the_code_is_not_ready(self, api: Api) -> None:
        await set_revision(api, known_revisions()[1])
        assert await readiness(api) == (503, {**GOOD, "revision": "behind"})
        await set_revision(api, known_revisions()[0])
        assert await readiness(api) == (200, GOOD)

    async def test_ahead_of_the_code_is_ready(self, api: Api) -> None:
        """The old version of the server runs on the schema that the new one has expanded."""
        await set_revision(api, "ffff00001111")
        assert await readiness(api) == (200, {**GOOD, "revision": "ahead"})

    async def test_that_is_missing_is_not_ready(self, empty_postgresql_url: str) -> None:
        async with serve(settings_for(empty_postgresql_url)) as api:
            assert await readiness(api) == (503, {**GOOD, "revision": "not migrated"})


class TestReadOnly:
    async def test_database_of_postgresql_is_not_ready(self, postgresql_url: str) -> None:
        name = sa.make_url(postgresql_url).database
        async with serve(settings_for(postgresql_url)) as api:
            async with api.database.write() as session:
                await session.execute(sa.text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
            assert await readiness(api) == (503, {**GOOD, "writable": "read-only"})

    async def test_file_is_not_ready(self, sqlite_url: str) -> None:
        path = sqlite_url.removeprefix("sqlite:///")
        async with serve(settings_for(f"sqlite:///file:{path}?mode=ro&uri=true")) as api:
            assert await readiness(api) == (503, {**GOOD, "writable": "read-only"})


class TestManyProbes:
    @pytest.fixture
    def checks(self, monkeypatch: pytest.MonkeyPatch) -> list[Probe]:
        """Record each look at the database."""
        made: list[Probe] = []
        check = Probe.check

        async def record(probe: Probe) -> Any:
            made.append(probe)
            return await check(probe)

        monkeypatch.setattr(Probe, "check", record)
        return made

    async def test_at_once_share_one_look(self, api: Api, checks: list[Probe]) -> None:
        assert await asyncio.gather(*(readiness(api) for _ in range(50))) == [(200, GOOD)] * 50
        assert len(checks) < 10

    async def test_within_a_second_share_one_look(
        self, api: Api, checks: list[Probe], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gqlapi.http.health.REUSE_SECONDS", 60)
        for _ in range(5):
            assert await readiness(api) == (200, GOOD)
        assert len(checks) == 1
