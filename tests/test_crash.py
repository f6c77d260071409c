"""What was acknowledged is there after the server was killed; what was not is wholly there, or not at all."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from gqlapi.database.unit import Database
from gqlapi.models import Post, PostChange
from tests.processes import Folder, Server

SECRET = "a secret of more than thirty-two characters"
WRITERS = 20
SECONDS = 1.5
BATCH = 5
CREATE = "mutation($input: CreatePostsInput!) { createPosts(input: $input) { createdCount } }"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """A directory; servers that still run at the end are ended."""
    folder = Folder(tmp_path)
    yield folder
    for server in folder.servers:
        if server.process.poll() is None:
            server.stop()


def start(folder: Folder, url: str) -> Server:
    server = folder.start("serve", "--workers", "1", secret_key=SECRET, database_url=url)
    server.wait_until_ready()
    return server


def make_token(folder: Folder, url: str) -> str:
    admin = ("user", "create-admin", "--username", "root", "--email", "root@example.com", "--password-stdin")
    result = folder.run(*admin, standard_input="secret password\n", database_url=url)
    assert result.returncode == 0, result.stderr
    result = folder.run("token", "create", "root", "--name", "crash", "--scope", "write_posts", database_url=url)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


async def write(client: httpx.AsyncClient, writer: int, acknowledged: list[str]) -> None:
    """Write batches until the server is gone; note those that it acknowledged."""
    for number in range(10_000):
        name = f"{writer}-{number}"
        posts = [{"title": f"{name} {part}", "markdown": "x", "slug": f"{name}-{part}"} for part in range(BATCH)]
        try:
            response = await client.post("/graphql", json={"query": CREATE, "variables": {"input": {"posts": posts}}})
        except httpx.TransportError:
            return
        payload: dict[str, Any] = response.json()
        assert payload["data"]["createPosts"] == {"createdCount": BATCH}, payload
        acknowledged.append(name)


async def kill_under_writers(server: Server, token: str) -> list[str]:
    acknowledged: list[str] = []
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=30) as client:
        writers = [asyncio.create_task(write(client, writer, acknowledged)) for writer in range(WRITERS)]
        await asyncio.sleep(SECONDS)
        kill(server)
        await asyncio.gather(*writers)
    return acknowledged


def kill(server: Server) -> None:
    """End the server as a power failure does, with its workers."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    for pid in (server.process.pid, *map(int, children)):
        os.kill(pid, signal.SIGKILL)
    server.process.wait(10)


async def stored(url: str) -> tuple[dict[str, int], int]:
    """Return how many posts there are of each batch, and how many changes."""
    database = Database(url)
    try:
        async with database.write() as session:
            counts: dict[str, int] = {}
            for title in await session.scalars(sa.select(Post.title)):
                name = title.partition(" ")[0]
                counts[name] = counts.get(name, 0) + 1
            return counts, (await session.execute(sa.select(sa.func.count()).select_from(PostChange))).scalar_one()
    finally:
        await database.dispose()


async def test_a_killed_server_loses_nothing_that_it_acknowledged(folder: Folder, database_url: str) -> None:
    token = make_token(folder, database_url)
    acknowledged = await kill_under_writers(start(folder, database_url), token)
    counts, changes = await stored(database_url)
    assert len(acknowledged) > WRITERS
    assert set(acknowledged) <= set(counts)
    assert set(counts.values()) == {BATCH}
    assert changes == BATCH * len(counts)
    server = start(folder, database_url)
    headers = {"Authorization": f"Bearer {token}"}
    found = httpx.post(f"{server.url}/graphql", json={"query": "{ posts { totalCount } }"}, headers=headers).json()
    assert found["data"]["posts"]["totalCount"] == BATCH * len(counts)
