"""What the server has acknowledged is there after it was killed, and what it has not is there wholly or not at all."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count as numbers
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from gqlapi.app import create_app
from gqlapi.database.unit import Database
from gqlapi.models import Post, User
from tests.api import Api, settings_for
from tests.consistency import assert_consistent
from tests.factories import make_user, save
from tests.processes import Folder, Server
from tests.signing_in import sign_in_as

SECRET = "a secret of more than thirty-two characters"
WRITERS = 20
BATCH = 5
# The server is killed after this long, or later on a machine that is too busy to acknowledge anything by then.
SECONDS = 0.5
FIND = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Post { title tags { name } } } }"


def start(folder: Folder, database_url: str) -> Server:
    """Start one process that serves the database."""
    settings = {"secret_key": SECRET, "database_url": database_url, "pool_timeout_seconds": "20"}
    server = folder.start("serve", "--workers", "1", **settings)
    server.wait_until_ready()
    return server


@asynccontextmanager
async def client_of(server: Server, database_url: str, author: User) -> AsyncIterator[Api]:
    """Sign in at a server in another process, which shares the database and the secret with us."""
    app = create_app(settings_for(database_url, environment="production", secret_key=SECRET))
    async with httpx.AsyncClient(base_url=server.url, timeout=10) as http:
        api = Api(app, http)
        try:
            yield await sign_in_as(api, author)
        finally:
            await api.database.dispose()


class Writer:
    """Creates posts and batches of posts until the server is gone, and remembers what was acknowledged."""

    def __init__(self, client: Api, number: int) -> None:
        self.client = client
        self.number = number
        self.acknowledged: dict[str, str] = {}
        self.was_cut_off = False

    async def run(self) -> None:
        try:
            for turn in numbers():
                await self.write(f"{self.number} {turn}")
        except httpx.TransportError:
            self.was_cut_off = True

    async def write(self, name: str) -> None:
        """Create one post, or a batch of them with its own tag."""
        if self.number % 2:
            payload = await self.client.payload("createPost", new_post(name, name), "post { id title }")
            posts = [payload]
        else:
            given = {"posts": [new_post(f"{name} {row}", name) for row in range(BATCH)]}
            payload = await self.client.payload("createPosts", given, "results { post { id title } }")
            posts = payload["results"]
        assert payload["errors"] == []
        self.acknowledged |= {post["post"]["id"]: post["post"]["title"] for post in posts}


def new_post(title: str, tag: str) -> dict[str, Any]:
    return {"title": f"Post {title}", "markdown": "Text", "publish": True, "tags": [{"name": f"Tag {tag}"}]}


async def find(client: Api, ids: list[str]) -> dict[str, str]:
    """Return the titles of the posts that are there; each has its tag."""
    found: dict[str, str] = {}
    for start_ in range(0, len(ids), 100):
        nodes = (await client.data(FIND, {"ids": ids[start_ : start_ + 100]}))["nodes"]
        found |= {node["id"]: node["title"] for node in nodes if node and len(node["tags"]) == 1}
    return found


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The database, without a server."""
    database = Database(database_url)
    yield database
    await database.dispose()


async def test_what_was_acknowledged_survives_the_server(folder: Folder, database: Database, database_url: str) -> None:
    server, author = start(folder, database_url), make_user()
    await save(database, [author])
    async with client_of(server, database_url, author) as client:
        writers = [Writer(client, number) for number in range(WRITERS)]
        writing = asyncio.gather(*(writer.run() for writer in writers))
        await asyncio.sleep(SECONDS)
        async with asyncio.timeout(30):
            while sum(len(writer.acknowledged) for writer in writers) < 3 * WRITERS:
                await asyncio.sleep(0.01)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        await writing
    acknowledged = {id_: title for writer in writers for id_, title in writer.acknowledged.items()}
    assert all(writer.was_cut_off for writer in writers)

    async with client_of(start(folder, database_url), database_url, author) as client:
        assert await find(client, [*acknowledged]) == acknowledged
        # Batches that were not acknowledged are there wholly or not at all.
        async with database.write() as session:
            titles = [*await session.scalars(sa.select(Post.title))]
        batches = [title.rpartition(" ")[0] for title in titles if title.count(" ") == 3]
        assert {batches.count(batch) for batch in batches} == {BATCH}
        await assert_consistent(database)
        # And the server continues where it ended.
        assert (await client.payload("createPost", new_post("last", "last")))["errors"] == []
