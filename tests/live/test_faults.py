"""No event is missed and none comes twice, although connections, workers and the database fail.

The oracle is the table: what a subscriber has received, over all its connections, is what it holds. A longer run:
`GQLAPI_EXAMPLES=20 pytest tests/live/test_faults.py`.
"""

import asyncio
import json
import os
import random
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from gqlapi.database.unit import Database
from gqlapi.http.socket import PROTOCOL
from gqlapi.models import PostChange
from tests.examples import FACTOR
from tests.postgres import PrivatePostgres
from tests.processes import Folder, Server

SECRET = "a secret of more than thirty-two characters"
SECONDS = 2.5 * FACTOR
WRITERS, SUBSCRIBERS = 4, 6
# A subscriber leaves after this long, at most.
STAY_SECONDS = 0.4
PATIENCE_SECONDS = 60
QUERY = "subscription($since: Position) { postChanged(since: $since) { kind id position post { version } } }"
CREATE = "mutation($input: CreatePostInput!) { payload: createPost(input: $input) { post { id version } } }"
UPDATE = "mutation($input: UpdatePostInput!) { payload: updatePost(input: $input) { post { id version } } }"


class Writer:
    """Creates posts and changes them, until it is to stop; a mutation that fails may have been committed or not."""

    def __init__(self, http: httpx.AsyncClient, number: int) -> None:
        self.http = http
        self.number = number

    async def run(self, stop: asyncio.Event) -> None:
        post: dict[str, Any] | None = None
        for turn in count():
            if stop.is_set():
                return
            text = {"title": f"Post {self.number} {turn}", "markdown": "Text"}
            try:
                if post is None:
                    post = await self._send(CREATE, text)
                else:
                    given = {"id": post["id"], "expectedVersion": post["version"], "patch": {"title": text["title"]}}
                    post = await self._send(UPDATE, given) if turn % 5 else None
            except (httpx.HTTPError, KeyError, TypeError):
                post = None
                await asyncio.sleep(0.05)

    async def _send(self, query: str, given: dict[str, Any]) -> dict[str, Any]:
        response = await self.http.post("/graphql", json={"query": query, "variables": {"input": given}})
        post: dict[str, Any] = response.json()["data"]["payload"]["post"]
        return {"id": post["id"], "version": post["version"]}


class Subscriber:
    """Connects, stays for a moment, is cut off, and resumes after the last position that it has seen."""

    def __init__(self, url: str, token: str, number: int) -> None:
        self._url = url.replace("http", "ws", 1) + "/graphql"
        self._token = token
        self._random = random.Random(number)  # noqa: S311 - no secret
        self.events: list[dict[str, Any]] = []
        self.connections = 0

    @property
    def position(self) -> str:
        return str(self.events[-1]["position"]) if self.events else "0"

    async def run(self, last: asyncio.Future[int]) -> None:
        while not (last.done() and int(self.position) >= last.result()):
            try:
                async with asyncio.timeout(self._random.uniform(0.05, STAY_SECONDS) if not last.done() else 5):
                    await self._stay(last)
            except (TimeoutError, OSError, WebSocketException):
                await asyncio.sleep(0.01)

    async def _stay(self, last: asyncio.Future[int]) -> None:
        connecting = connect(self._url, subprotocols=[PROTOCOL], compression=None, proxy=None, close_timeout=0.1)  # type: ignore[list-item]  # a plain string is one
        async with connecting as socket:
            await socket.send(json.dumps({"type": "connection_init", "payload": {"Authorization": self._token}}))
            await socket.recv()
            self.connections += 1
            payload = {"query": QUERY, "variables": {"since": self.position}}
            await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
            while not (last.done() and int(self.position) >= last.result()):
                message = json.loads(await socket.recv())
                if message["type"] != "next":
                    return
                assert "errors" not in message["payload"], message
                self.events.append(message["payload"]["data"]["postChanged"])


@pytest.fixture(params=["sqlite", "postgresql"])
def private(request: pytest.FixtureRequest, folder: Folder) -> Iterator[tuple[str, PrivatePostgres | None]]:
    """The URL of a database of the test's own, and its server if it can be restarted."""
    if request.param == "sqlite":
        yield f"sqlite:///{folder.path / 'faults.db'}", None
        return
    private = PrivatePostgres()
    with private as server:
        yield asyncio.run(server.create_database("faults")), private


def start(folder: Folder, url: str) -> tuple[Server, str]:
    folder.run("migrate", database_url=url)
    admin = "--username=ada", "--email=ada@example.com", "--password-stdin"
    folder.run("user", "create-admin", *admin, standard_input="correct horse battery\n", database_url=url)
    printed = folder.run("token", "create", "ada", "--name=test", "--scope=write_posts", database_url=url).stdout
    server = folder.start("serve", "--workers", "2", secret_key=SECRET, database_url=url)
    server.wait_until_ready()
    return server, f"Bearer {printed.split()[-1]}"


def a_worker_of(server: Server) -> int:
    """Return the process id of a worker."""
    pid = server.process.pid
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return next(child for child in children if "resource_tracker" not in Path(f"/proc/{child}/cmdline").read_text())


async def changes_in(url: str) -> list[tuple[int, int]]:
    """Return the positions and versions of the table, which has no change without a position any more."""
    database = Database(url)
    try:
        async with database.write() as session:
            rows = await session.execute(
                sa.select(PostChange.position, PostChange.version).order_by(PostChange.position)
            )
            return [(position, version) for position, version in rows.all() if position is not None]
    finally:
        await database.dispose()


async def run(server: Server, url: str, token: str, postgres: PrivatePostgres | None) -> list[Subscriber]:
    """Write and subscribe while a worker is killed and the database restarted."""
    stop, last = asyncio.Event(), asyncio.get_running_loop().create_future()
    subscribers = [Subscriber(server.url, token, number) for number in range(SUBSCRIBERS)]
    async with (
        asyncio.timeout(SECONDS + PATIENCE_SECONDS),
        httpx.AsyncClient(base_url=server.url, headers={"Authorization": token}, timeout=10) as http,
        asyncio.TaskGroup() as group,
    ):
        writing = [group.create_task(Writer(http, number).run(stop)) for number in range(WRITERS)]
        for subscriber in subscribers:
            group.create_task(subscriber.run(last))
        await asyncio.sleep(SECONDS / 3)
        os.kill(a_worker_of(server), signal.SIGKILL)
        await asyncio.sleep(SECONDS / 3)
        if postgres is not None:
            await asyncio.to_thread(postgres.restart)
        await asyncio.sleep(SECONDS / 3)
        stop.set()
        await asyncio.wait(writing)
        await asyncio.sleep(1.5)  # the subscribers number what was committed last
        last.set_result((await changes_in(url))[-1][0])
    return subscribers


@pytest.mark.skipif(not Path("/proc").exists(), reason="finds the workers by /proc")
async def test_every_subscriber_receives_the_table(folder: Folder, private: tuple[str, PrivatePostgres | None]) -> None:
    url, postgres = private
    server, token = await asyncio.to_thread(start, folder, url)
    subscribers = await run(server, url, token, postgres)
    wanted = await changes_in(url)
    assert [position for position, _ in wanted] == [*range(1, len(wanted) + 1)]
    for subscriber in subscribers:
        assert [int(event["position"]) for event in subscriber.events] == [position for position, _ in wanted]
        versions: dict[str, list[int]] = {}
        for event in subscriber.events:
            versions.setdefault(event["id"], []).append(event["post"]["version"])
        assert all(shown == sorted(shown) for shown in versions.values())
    assert min(subscriber.connections for subscriber in subscribers) > 1
    assert len(wanted) > WRITERS
