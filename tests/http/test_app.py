"""Everything around GraphQL: health, request ids, masked errors, GraphiQL and logs."""

import json
import logging
import re

import pytest
import structlog

from gqlapi.repositories.users import UserRepository
from gqlapi.settings import Settings
from tests.api import only_error, serve, settings_for
from tests.written_logs import PRODUCTION, SECRET, Logs, logging_server

QUERY = "{ serverInfo { version } }"
USER = '{ user(by: {username: "ann"}) { id } }'
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
HTML = {"Accept": "text/html"}


def fail_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Fail every look-up of a user."""

    async def get_by(*_: object) -> None:
        raise error

    monkeypatch.setattr(UserRepository, "get_by", get_by)


class TestRoot:
    async def test_leads_to_graphql(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url)) as api:
            response = await api.http.get("/")
        assert (response.status_code, response.headers["Location"]) == (307, "/graphql")


class TestRequestId:
    @pytest.mark.parametrize("request_id", ["a", "req-1.2_3", "A" * 64, "0193"])
    async def test_of_a_proxy_is_taken_over(self, sqlite_url: str, request_id: str) -> None:
        async with serve(settings_for(sqlite_url)) as api:
            response = await api.http.get("/healthz", headers={"X-Request-Id": request_id})
        assert response.headers["X-Request-Id"] == request_id

    @pytest.mark.parametrize("request_id", [None, "", "A" * 65, "a b", "a\tb", "<script>", "é", "a;b", "%0a"])
    async def test_is_made_when_there_is_none_that_is_safe(self, sqlite_url: str, request_id: str | None) -> None:
        headers = [] if request_id is None else [(b"X-Request-Id", request_id.encode())]
        async with serve(settings_for(sqlite_url)) as api:
            made = [(await api.http.get(path, headers=headers)).headers["X-Request-Id"] for path in ("/healthz", "/no")]
        assert all(UUID7.fullmatch(text) for text in made)
        assert made[0] != made[1]


class TestInternalError:
    @pytest.mark.parametrize("environment", [{}, PRODUCTION], ids=["dev", "production"])
    async def test_is_masked_and_logged(
        self, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, logs: Logs, environment: dict[str, str]
    ) -> None:
        fail_with(monkeypatch, RuntimeError("the vault's number is 42"))
        async with logging_server(sqlite_url, **environment) as api:
            response = await api.http.post("/graphql", json={"query": USER}, headers={"X-Request-Id": "req-7"})
        error = only_error(response)
        assert "vault" not in response.text
        assert "req-7" in error["message"]
        assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": "req-7"}
        assert error["path"] == ["user"]
        written = logs.read()
        masked = [line for line in written.splitlines() if "masked error" in line]
        assert len(masked) == 1
        assert "req-7" in masked[0]
        assert "RuntimeError: the vault's number is 42" in written

    async def test_outside_of_graphql_is_masked_and_logged(
        self, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, logs: Logs
    ) -> None:
        async with logging_server(sqlite_url, **PRODUCTION) as api:
            with monkeypatch.context() as patched:
                patched.setattr(api.database.gate, "check", None)
                response = await api.http.post("/graphql", json={"query": QUERY}, headers={"X-Request-Id": "req-7"})
            assert "errors" not in await api.execute(QUERY)
        assert response.status_code == 500
        assert only_error(response)["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": "req-7"}
        assert (response.headers["X-Request-Id"], response.headers["X-Content-Type-Options"]) == ("req-7", "nosniff")
        events = [json.loads(line) for line in logs.read().splitlines()]
        [failure] = [event for event in events if event["event"] == "request failed"]
        assert (failure["request_id"], "TypeError" in str(failure)) == ("req-7", True)
        assert [event["status"] for event in events if event["event"] == "request"] == [500, 200]

    async def test_leaves_the_next_request_alone(self, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        async with serve(settings_for(sqlite_url, pool_size=1)) as api:
            with monkeypatch.context() as patched:
                fail_with(patched, RuntimeError())
                assert "errors" in await api.execute(USER)
            assert (await api.data(USER)) == {"user": None}


class TestGraphiQL:
    async def test_is_served_while_developing(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url)) as api:
            response = await api.http.get("/graphql", headers=HTML)
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/html")
        assert "graphiql" in response.text.casefold()

    async def test_is_not_served_in_production(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url, **PRODUCTION)) as api:
            response = await api.http.get("/graphql", headers=HTML)
        assert response.status_code == 404
        assert "graphiql" not in response.text.casefold()

    async def test_is_served_in_production_when_it_is_asked_for(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url, **PRODUCTION, graphiql=True)) as api:
            assert (await api.http.get("/graphql", headers=HTML)).status_code == 200


class TestLogs:
    async def test_are_lines_of_json_in_production(self, sqlite_url: str, logs: Logs) -> None:
        async with logging_server(sqlite_url, **PRODUCTION) as api:
            await api.http.post("/graphql", json={"query": QUERY}, headers={"X-Request-Id": "req-8"})
        events = [json.loads(line) for line in logs.read().splitlines()]
        [request] = [event for event in events if event["event"] == "request"]
        assert {"method": "POST", "path": "/graphql", "status": 200, "request_id": "req-8"}.items() <= request.items()
        assert {"level", "timestamp", "ms"} <= request.keys()

    async def test_are_made_for_people_while_developing(self, sqlite_url: str, logs: Logs) -> None:
        async with logging_server(sqlite_url) as api:
            await api.http.post("/graphql", json={"query": QUERY}, headers={"X-Request-Id": "req-9"})
        [line] = [line for line in logs.read().splitlines() if "req-9" in line]
        assert "[info" in line
        assert not line.startswith("{")

    async def test_keep_to_their_level(self, sqlite_url: str, logs: Logs) -> None:
        async with logging_server(sqlite_url, log_level="error") as api:
            await api.execute(QUERY)
        assert logs.read() == ""
        logging.getLogger("uvicorn.error").error("heard")
        assert "heard" in logs.read()

    async def test_hold_no_secret(self, sqlite_url: str, logs: Logs) -> None:
        async with logging_server(sqlite_url, **PRODUCTION, log_level="debug") as api:
            await api.execute(USER)
            settings: Settings = settings_for(sqlite_url, **PRODUCTION)
            structlog.get_logger().info("settings", settings=repr(settings))
        written = logs.read()
        assert "secret_key" in written
        assert SECRET not in written
