"""The line of a request says which operation ran and how it ended; no line has a secret."""

import json
import random
from typing import Any
from uuid import uuid4

import pytest

from gqlapi.database.plans import plan_if_free
from gqlapi.database.unit import create_database
from gqlapi.documents.ids import sha256_id
from gqlapi.http.slow_operations import SlowOperations
from tests.accounts.person import sign_up
from tests.api import Api, settings_for
from tests.factories import make_post, make_user, save
from tests.written_logs import PRODUCTION, Logs, logging_server

FEED = "query Feed($n: Int = 2) { posts(first: $n) { nodes { title author { username } } } }"
LEAVE = "mutation Leave { signOut(input: {}) { errors { code } } }"
SEARCH = "query S($q: String!) { search(query: $q, types: [POST]) { totalCount } }"
SIGN_IN = "mutation I($input: SignInInput!) { signIn(input: $input) { errors { code } } }"
CHANGE = "mutation C($input: ChangePasswordInput!) { changePassword(input: $input) { errors { code } } }"
REFRESH = "mutation R($input: RefreshSessionInput!) { refreshSession(input: $input) { errors { code } } }"
DRAFT = "mutation D($input: CreatePostInput!) { createPost(input: $input) { post { id } errors { code } } }"


class TestRequestLine:
    async def test_has_the_operation_and_its_cost(self, database_url: str, logs: Logs) -> None:
        async with logging_server(database_url, **PRODUCTION) as api:
            author = make_user()
            await save(api.database, [author, make_post(author)])
            await api.data(FEED)
        [line] = logs.events("request")
        assert {name: line[name] for name in ("operation", "type", "document", "sql", "status")} == {
            "operation": "Feed",
            "type": "query",
            "document": sha256_id(FEED),
            "sql": 1,
            "status": 200,
        }
        assert (line["cost"] > 1, line["sql_ms"] > 0, "codes" in line, "trace_id" in line) == (True, True, False, False)

    async def test_has_the_codes_of_errors(self, sqlite_url: str, logs: Logs) -> None:
        async with logging_server(sqlite_url, **PRODUCTION) as api:
            await api.post("query A { nothing alsoNothing }")
            await api.post("query B { posts(first: 1000) { nodes { id } } }")
            await api.post(LEAVE)
            await api.http.post("/graphql", content="{}", headers={"Content-Type": "text/plain"})
            await api.http.get("/healthz")
        lines = [(line.get("operation"), line.get("type"), line.get("codes")) for line in logs.events("request")]
        assert lines == [
            ("", "", ["GRAPHQL_VALIDATION_FAILED"]),
            ("", "", ["BAD_USER_INPUT"]),
            ("Leave", "mutation", None),
            (None, None, ["BAD_REQUEST"]),
            (None, None, None),
        ]

    async def test_has_each_operation_of_a_batch(self, sqlite_url: str, logs: Logs) -> None:
        async with logging_server(sqlite_url, **PRODUCTION, max_batch_size=3) as api:
            await api.http.post("/graphql", json=[{"query": FEED}, {"query": "query B { __typename }"}])
        [line] = logs.events("request")
        assert sorted(operation["operation"] for operation in line["operations"]) == ["B", "Feed"]

    async def test_is_bounded(self, sqlite_url: str, logs: Logs) -> None:
        async with logging_server(sqlite_url, **PRODUCTION) as api:
            await api.data(f"query {'N' * 50_000} {{ __typename }}")
            await api.post("{ nothing }", operationName="M" * 100_000)
        assert [len(line["operation"]) for line in logs.events("request")] == [100, 100]


class TestSlowOperations:
    async def test_are_logged_with_the_plan(
        self, database_url: str, logs: Logs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gqlapi.http.telemetry.SlowOperations", lambda database, _ms: SlowOperations(database, 0))
        async with logging_server(database_url, **PRODUCTION, slow_operation_ms=1) as api:
            await api.data('query Slow { posts(filter: {title: {contains: "hunter2"}}) { totalCount } }')
        [line] = logs.events("slow operation")
        assert (line["operation"], line["level"]) == ("Slow", "warning")
        assert "posts" in line["statement"]
        assert line["plan"]
        assert "not explained" not in line["plan"][0]
        assert "hunter2" not in str(line)

    async def test_that_are_mutations_are_logged_with_the_plan(
        self, database_url: str, logs: Logs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gqlapi.http.telemetry.SlowOperations", lambda database, _ms: SlowOperations(database, 0))
        async with logging_server(database_url, **PRODUCTION, slow_operation_ms=1) as api:
            await sign_up(api)
        [line] = logs.events("slow operation")
        assert (line["type"], bool(line["statement"])) == ("mutation", True)
        assert bool(line["plan"]) or database_url.startswith("sqlite")  # which has no plan for INSERT
        assert "not explained" not in str(line)
        assert "ada" not in str(line).casefold()

    async def test_are_not_logged_by_default(self, sqlite_url: str, logs: Logs) -> None:
        async with logging_server(sqlite_url, **PRODUCTION) as api:
            await api.data(FEED)
        assert logs.events("slow operation") == []

    async def test_wait_for_no_connection_to_be_explained(self, sqlite_url: str) -> None:
        database = create_database(settings_for(sqlite_url, pool_size=1))
        place = await database.gate.enter()
        assert await plan_if_free(database, "SELECT 1", ()) == []
        place.leave()
        assert await plan_if_free(database, "SELECT 1", ()) != []
        await database.dispose()


class Secrets:
    """Requests in which a secret is in every place that has one, and one log for all of them."""

    def __init__(self, api: Api, random_: random.Random) -> None:
        self._api = api
        self._random = random_
        self.all: list[str] = []

    def new(self) -> str:
        """Return a value that is nowhere else."""
        self.all.append(f"s{uuid4().hex}")
        return self.all[-1]

    async def send(self) -> None:
        """Send one request of some kind, valid or not."""
        send = self._random.choice([self._operation, self._literal, self._broken, self._get, self._sign_up])
        await send()

    async def _operation(self) -> None:
        operations: list[tuple[str, dict[str, Any]]] = [
            (SEARCH, {"q": self.new()}),
            (SIGN_IN, {"input": {"login": self.new(), "password": self.new()}}),
            (REFRESH, {"input": {"refreshToken": self.new()}}),
            (CHANGE, {"input": {"currentPassword": self.new(), "newPassword": self.new()}}),
            (DRAFT, {"input": {"title": self.new(), "markdown": self.new(), "tags": [self.new()]}}),
            (SEARCH, {"q": {"nested": [self.new()]}}),
            (SEARCH, {self.new(): self.new()}),
        ]
        query, variables = self._random.choice(operations)
        headers = self._random.choice([{}, {"Authorization": f"Bearer {self.new()}"}, {"Cookie": self.new()}])
        await self._api.with_headers(**headers).post(query, variables)

    async def _literal(self) -> None:
        value = self.new()
        await self._api.post(
            self._random.choice(
                [
                    f'query L {{ search(query: "{value}", types: [POST]) {{ totalCount }} }}',
                    f'query L {{ posts(filter: {{title: {{contains: "{value}"}}}}) {{ totalCount }} }}',
                    f'query L {{ posts(after: "{value}") {{ totalCount }} }}',
                    f'query L {{ post(by: {{id: "{value}"}}) {{ title }} }}',
                    f'query L {{ posts(first: "{value}") {{ totalCount }} }}',
                    f'query L {{ posts "{value}',
                ]
            )
        )

    async def _broken(self) -> None:
        content = self._random.choice([f'{{"query": "{self.new()}', f'["{self.new()}"]', self.new()])
        headers = {"Content-Type": self._random.choice(["application/json", "text/plain"])}
        await self._api.http.post("/graphql", content=content, headers=headers)

    async def _get(self) -> None:
        variables = json.dumps({"q": self.new()})
        await self._api.http.get("/graphql", params={"query": SEARCH, "variables": variables, "extra": self.new()})

    async def _sign_up(self) -> None:
        name = self.new()
        made = await sign_up(self._api, username=name[:20], email=f"{name}@example.com", password=self.new())
        tokens: list[Any] = [made.get("accessToken"), made.get("refreshToken")]
        self.all += [name[:20], *filter(None, tokens)]
        if tokens[0]:
            await self._api.bearing(tokens[0]).post("query V { viewer { username } }")


class TestSecrets:
    async def test_are_in_no_line(self, database_url: str, logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("gqlapi.http.telemetry.SlowOperations", lambda database, _ms: SlowOperations(database, 0))
        values: dict[str, Any] = {"log_level": "debug", "slow_operation_ms": 1, "sign_up_limit": "99/hour"}
        async with logging_server(database_url, **PRODUCTION, **values) as api:
            requests = Secrets(api, random.Random(15))  # noqa: S311 - draws requests
            for _ in range(150):
                await requests.send()
        written = logs.read()
        assert written.count('"event":"request"') > 100
        assert written.count('"event": "slow operation"') > 50
        assert len(requests.all) > 200
        assert [secret for secret in requests.all if secret in written] == []
        assert PRODUCTION["secret_key"] not in written
