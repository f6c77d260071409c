"""A server on a loopback port, a client that speaks HTTP to it, and a count of the statements that it runs."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import httpx
import sqlalchemy as sa
import uvicorn
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from starlette.applications import Starlette

from gqlapi.app import create_app
from gqlapi.database.read_unit import ReadUnit
from gqlapi.database.unit import Database
from gqlapi.settings import Settings
from tests.wire import WireTransport

ERRORS = """
errors {
  __typename message code path
  ... on NotFoundError { id }
  ... on ForbiddenError { requiredScope }
  ... on ValidationError { limit }
  ... on ConflictError { existing { ... on Node { id } } }
  ... on VersionConflictError { expectedVersion currentVersion current { ... on Node { id } } }
  ... on RateLimitedError { retryAfterSeconds }
}
"""
# Reading the certificates of the system, which httpx does for each client, takes 70 ms.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
GRACE_SECONDS = 5
TRANSACTION_CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA", "SAVEPOINT", "RELEASE", "SET ")


class Api:
    """A client of a running server."""

    def __init__(self, app: Starlette, client: httpx.AsyncClient, headers: dict[str, str] | None = None) -> None:
        self.app = app
        self.http = client
        self.headers = headers or {}

    def with_headers(self, **headers: str) -> "Api":
        """Return a client of the same server that sends these headers as well."""
        return Api(self.app, self.http, {**self.headers, **headers})

    def bearing(self, token: str) -> "Api":
        """Return a client of the same server that sends a token."""
        return self.with_headers(Authorization=f"Bearer {token}")

    @property
    def database(self) -> Database:
        database: Database = self.app.state.database
        return database

    async def post(self, query: str, variables: dict[str, Any] | None = None, **body: Any) -> httpx.Response:
        content = {"query": query, "variables": variables, **body}
        return await self.http.post("/graphql", json=content, headers=self.headers)

    async def execute(self, query: str, variables: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
        """Return the whole result, errors included."""
        response = await self.post(query, variables, **body)
        result: dict[str, Any] = response.json()
        return result

    async def payload(self, mutation: str, given: dict[str, Any] | None, selection: str = "") -> Any:
        """Return the payload of one mutation with its errors; GraphQL itself must have none.

        Each error of a text or a list that is too long has its limit, and no other error has one.
        """
        name = f"{mutation[0].upper()}{mutation[1:]}Input"
        query = f"mutation($input: {name}!) {{ {mutation}(input: $input) {{ {selection} {ERRORS} }} }}"
        payload = (await self.data(query, {"input": given or {}}))[mutation]
        for error in payload["errors"]:
            assert (error.get("limit") is not None) is (error["code"] in {"TOO_LONG", "TOO_MANY"}), error
        return payload

    async def data(self, query: str, variables: dict[str, Any] | None = None) -> Any:
        """Return the data of an operation that must not fail."""
        result = await self.execute(query, variables)
        assert "errors" not in result, result["errors"]
        return result["data"]

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """Record the SQL statements that run in the block, without transaction control."""
        recorded: list[str] = []

        def record(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if not statement.lstrip().upper().startswith(TRANSACTION_CONTROL):
                recorded.append(statement)

        database = self.database
        engines = [database.write_engine.sync_engine]
        # On PostgreSQL the engine for reads is a view of the other one, and would report everything twice.
        if database.read_engine.pool is not database.write_engine.pool:
            engines.append(database.read_engine.sync_engine)
        for engine in engines:
            sa.event.listen(engine, "before_cursor_execute", record)
        try:
            yield recorded
        finally:
            for engine in engines:
                sa.event.remove(engine, "before_cursor_execute", record)


@asynccontextmanager
async def serve(settings: Settings, *, examines_pool: bool = False, notifies: bool = False) -> AsyncIterator[Api]:
    """Serve the application over real HTTP for the length of the block.

    Unless it is to, it does not ask for the server's connections when it starts, and does not notify other
    servers of its commits: both take one more.
    """
    app = create_app(settings)
    app.state.feed.wakeups.notifies = notifies
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="on", proxy_headers=False)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with nullcontext() if examines_pool else patch("gqlapi.app.examine_pool", _find_nothing):
        await server.startup()
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", transport=WireTransport(), timeout=30
        ) as client:
            yield Api(app, client)
    finally:
        await _end(server)


async def _find_nothing(_settings: Settings) -> None:
    """Replace the check of the pool."""


async def _end(server: uvicorn.Server) -> None:
    """End a server at once: `uvicorn.Server.serve` looks ten times a second whether it should."""
    for listening in server.servers:
        listening.close()
    if server.server_state.tasks:
        _, late = await asyncio.wait(server.server_state.tasks, timeout=GRACE_SECONDS)
        for task in late:
            task.cancel()
    await server.lifespan.shutdown()


class GivenSettings(Settings):
    """Settings as they are given: looking for each in the environment takes 1 ms."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - it is passed by name
        init_settings: PydanticBaseSettingsSource,
        *_: Any,
        **__: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def settings_for(database_url: str, **overrides: Any) -> Settings:
    """Return settings for a test: nothing is read from outside, and its one client gets the whole server.

    A busy machine ends no operation: many at once may take longer than the ten seconds of a server.
    """
    defaults = {
        "database_url": database_url,
        "log_level": "error",
        "client_share": 1.0,
        "operation_timeout_seconds": 60,
        # No statement runs beside those of the test.
        "prune_minutes": 0,
    }
    return GivenSettings(**{**defaults, **overrides})


# What no client may ever read: texts of statements, of drivers and of programs.
INTERNALS = ("[SQL", "sqlalche", "Traceback", "asyncpg", "sqlite3", "SELECT ")


def internals_in(response: httpx.Response) -> list[str]:
    """Return what of the server's inside a response shows."""
    return [name for name in INTERNALS if name in response.text]


def only_error(response: httpx.Response) -> dict[str, Any]:
    """Return the one error of a response that shows nothing of the server's inside."""
    assert internals_in(response) == []
    [error] = response.json()["errors"]
    details: dict[str, Any] = error
    return details


async def in_unit(database: Database, work: Callable[[ReadUnit], Awaitable[Any]]) -> None:
    """Work with a unit of one's own, and close it."""
    unit = database.read()
    try:
        await work(unit)
    finally:
        await unit.close()


async def gets_everything_back(database: Database, attempts: int = 100) -> bool:
    """Return whether all connections and places return; abandoned work takes a moment."""
    for _ in range(attempts):
        if _has_everything(database):
            return True
        await asyncio.sleep(0.05)
    return False


def _has_everything(database: Database) -> bool:
    pool: Any = database.read_engine.pool
    writers: Any = database.write_engine.pool  # on SQLite its own pool
    parked = len(database.parking) * (2 if writers is pool else 1)
    in_use = pool.checkedout() + writers.checkedout() - parked + len(database._running)
    return in_use == 0 and (database.gate.free, database.gate.waiting) == (pool.size(), 0)
