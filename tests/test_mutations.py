"""A mutation takes one place and one connection at a time, and gives both back, no matter what happens."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cache
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from gqlapi.context import Context
from gqlapi.database.engine import EngineOptions
from gqlapi.database.unit import Database
from gqlapi.errors import Unavailable
from gqlapi.models import Post, Tag, User, UserRole, Viewer
from gqlapi.repositories import WriteScope
from gqlapi.schema import Limits, Schema
from tests.api import Api, gets_everything_back, serve, settings_for
from tests.clocks import Deadlines
from tests.consistency import assert_consistent, count
from tests.factories import make_post, make_tag, make_user, save
from tests.signing_in import sign_in_as

CREATE = """
mutation($input: CreatePostInput!) {
  createPost(input: $input) { post { id author { username } tags { name } } errors { code } }
}
"""
BUSY = {"UNAVAILABLE"}


@cache
def schema_with(operation_timeout_seconds: float = 10) -> Schema:
    return Schema(Limits(operation_timeout_seconds=operation_timeout_seconds))


def new_post(number: int, **values: Any) -> dict[str, Any]:
    """Return the input of a post with its own tag, so that there are as many tags as posts."""
    return {"title": f"Post {number}", "markdown": "", "tags": [{"name": f"Tag {number}"}], **values}


@asynccontextmanager
async def serving_author(database_url: str, **values: Any) -> AsyncIterator[Api]:
    """A client of an author's, of a server that gets everything back in the end."""
    async with serve(settings_for(database_url, **values)) as api:
        author = make_user(username="ada", role=UserRole.EDITOR)
        await save(api.database, [author])
        yield await sign_in_as(api, author)
        assert await gets_everything_back(api.database)


@asynccontextmanager
async def blocked_writes(database_url: str) -> AsyncIterator[None]:
    """Let every transaction that writes posts wait until the end of the block; reading continues."""
    database = Database(database_url)
    async with database.write() as session:
        if database.dialect_name == "postgresql":
            await session.execute(sa.text("LOCK TABLE posts IN EXCLUSIVE MODE"))
        else:
            await session.connection()  # BEGIN IMMEDIATE
        yield
    await database.dispose()


class Body:
    """Writes a tag, and ends when it is asked to."""

    def __init__(self) -> None:
        self.has_begun, self.may_end = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: WriteScope) -> None:
        scope.session.add(make_tag())
        await scope.session.flush()
        self.has_begun.set()
        await self.may_end.wait()


class TestPlace:
    @pytest.fixture
    async def database(self, database_url: str) -> AsyncIterator[Database]:
        """A database with one place."""
        database = Database(database_url, EngineOptions(pool_size=1), queue_timeout_seconds=10)
        yield database
        assert await gets_everything_back(database)
        await database.dispose()

    async def test_is_kept_until_the_payload_is_read(self, database: Database) -> None:
        context, body = Context(database), Body()
        mutating = asyncio.create_task(context.mutate(body))
        await body.has_begun.wait()
        waiting = asyncio.create_task(database.gate.enter())
        body.may_end.set()
        await mutating
        await context.repositories.users.get_by("username", "ada")
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await context.close()
        (await waiting).leave()

    async def test_is_kept_until_a_transaction_ends_that_nobody_waits_for(self, database: Database) -> None:
        context, body = Context(database), Body()
        mutating = asyncio.create_task(context.mutate(body))
        await body.has_begun.wait()
        mutating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await mutating
        await context.close()
        waiting = asyncio.create_task(database.gate.enter())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        body.may_end.set()
        (await waiting).leave()
        assert await count(database, Tag) == 1

    async def test_is_given_back_when_the_mutation_fails(self, database: Database) -> None:
        async def body(scope: WriteScope) -> None:
            scope.session.add(make_tag())
            await scope.session.flush()
            raise LookupError

        context = Context(database)
        for _ in range(3):
            with pytest.raises(LookupError):
                await context.mutate(body)
        await context.close()
        assert await count(database, Tag) == 0

    async def test_that_is_not_free_leaves_a_context_that_reads(self, database_url: str) -> None:
        """The next root field may begin with reading, as `signIn` does."""
        database = Database(database_url, EngineOptions(pool_size=1), queue_timeout_seconds=0.05)
        context, place = Context(database), await database.gate.enter()
        with pytest.raises(Unavailable):
            await context.mutate(Body())
        place.leave()
        assert await context.repositories.credentials.get_by_login("ada") is None
        await context.close()
        assert await gets_everything_back(database)
        await database.dispose()


@contextmanager
def connections_and_places(database: Database) -> Iterator[list[tuple[int, int]]]:
    """Record, each time that a connection is taken, how many are in use then, and how many places.

    One that is parked is idle, although the pool does not have it.
    """
    recorded: list[tuple[int, int]] = []
    in_use = 0
    places = database.gate.free

    def take(*_: object) -> None:
        nonlocal in_use
        in_use += 1
        recorded.append((in_use - len(database.parking), places - database.gate.free))

    def give_back(*_: object) -> None:
        nonlocal in_use
        in_use -= 1

    hooks = {"checkout": take, "checkin": give_back}
    pools = {database.read_engine.pool, database.write_engine.pool}
    for pool in pools:
        for name, hook in hooks.items():
            sa.event.listen(pool, name, hook)
    try:
        yield recorded
    finally:
        for pool in pools:
            for name, hook in hooks.items():
                sa.event.remove(pool, name, hook)


class TestConnections:
    async def test_are_taken_one_at_a_time(self, database_url: str) -> None:
        async with serving_author(database_url) as author:
            tags = [make_tag() for _ in range(3)]
            await save(author.database, tags)
            many = """mutation($a: CreatePostInput!, $b: CreatePostInput!, $c: CreatePostInput!) {
              a: createPost(input: $a) { post { author { username } tags { posts { totalCount } } } errors { code } }
              b: createPost(input: $b) { post { id } errors { code } }
              c: createPost(input: $c) { post { author { posts { nodes { title } } } } errors { code } }
            }"""
            with connections_and_places(author.database) as recorded:
                payload = await author.payload("createPost", new_post(1, idempotencyKey="k"), "post { id }")
                given = {"id": payload["post"]["id"], "patch": {"tags": {"add": [{"name": "More"}]}}}
                await author.payload("updatePost", given, "post { tags { name } }")
                await author.payload("updatePost", {**given, "expectedVersion": 1})
                await author.payload("createPosts", {"posts": [new_post(number) for number in (2, 3)]}, "createdCount")
                await author.payload("mergeTags", {"from": [tags[0].global_id], "into": tags[1].global_id})
                await author.payload("signIn", {"login": "ada", "password": "wrong"})
                await author.data(many, {"a": new_post(4), "b": new_post(5, title=""), "c": new_post(6)})
        # The caller, the transaction, the payload: each has the one connection in its turn, and the place with it.
        assert {*recorded} == {(1, 1)}
        assert len(recorded) >= 10  # on PostgreSQL most reads take a parked one

    @pytest.mark.parametrize("pool_timeout_seconds", [20, 0.05])
    async def test_suffice_for_more_mutations_than_there_are(
        self, database_url: str, pool_timeout_seconds: float
    ) -> None:
        settings = {"pool_size": 2, "pool_timeout_seconds": pool_timeout_seconds}
        async with serving_author(database_url, **settings) as author:
            with connections_and_places(author.database) as recorded:
                async with asyncio.timeout(40):
                    requests = [author.execute(CREATE, {"input": new_post(number)}) for number in range(30)]
                    results = await asyncio.gather(*requests)
            codes = [{error["extensions"]["code"] for error in result.get("errors", ())} for result in results]
            done = [result for result, found in zip(results, codes, strict=True) if not found]
            assert all(result["data"]["createPost"]["errors"] == [] for result in done)
            if pool_timeout_seconds == 20:
                assert len(done) == 30
            else:
                assert [*filter(None, codes)] == [BUSY] * (30 - len(done))
            assert all(connections <= places <= 2 for connections, places in recorded)
            assert len(done) <= await count(author.database, Post) <= 30
            await assert_consistent(author.database)
            assert (await author.payload("createPost", new_post(99)))["errors"] == []

    async def test_are_traced(self, database_url: str) -> None:
        async with serving_author(database_url, report_costs=True) as author:
            for given in (new_post(1), new_post(1), new_post(2, slug="post-1"), new_post(3, idempotencyKey="k")):
                with author.statements() as statements:
                    result = await author.execute(CREATE, {"input": given})
                assert result["extensions"]["sql"]["statements"] == len(statements) > 3


class TestRejection:
    async def test_leaves_nothing(self, database_url: str) -> None:
        async with serving_author(database_url) as author:
            await author.payload("createPost", new_post(1, slug="taken"))
            given = {"tags": [{"name": "New"}], "slug": "taken", "idempotencyKey": "k"}
            payload = await author.payload("createPost", new_post(2, **given))
            assert [error["code"] for error in payload["errors"]] == ["NOT_UNIQUE"]
            assert (await count(author.database, Post), await count(author.database, Tag)) == (1, 1)
            await assert_consistent(author.database)


class TestCleanUp:
    async def test_follows_an_operation_that_took_too_long(self, database_url: str, deadlines: Deadlines) -> None:
        async with serving_author(database_url, pool_size=3) as author:
            async with blocked_writes(database_url):
                requests = [author.execute(CREATE, {"input": new_post(number)}) for number in range(3)]
                running = asyncio.gather(*requests)
                while len(author.database._running) < 3:
                    await asyncio.sleep(0.01)
                deadlines.expire()
                results = await running
                # What has begun continues, and keeps its slot.
                begun = len(author.database._running)
                assert author.database.gate.free == 3 - begun < 3
            codes = {error["extensions"]["code"] for result in results for error in result["errors"]}
            assert codes == {"TIMEOUT"}
            assert await gets_everything_back(author.database)
            assert await count(author.database, Post) == begun
            await assert_consistent(author.database)

    async def test_follows_an_operation_that_waited_too_long(self, database_url: str) -> None:
        async with serving_author(database_url, pool_size=1) as author:
            author_, viewer = author.database, await viewer_of(author)
            place = await author_.gate.enter()
            result = await schema_with(0.02).execute(CREATE, {"input": new_post(1)}, Context(author_, viewer=viewer))
            assert result.errors
            place.leave()
            assert await gets_everything_back(author_)
            assert await count(author_, Post) == 0

    async def test_follows_clients_that_do_not_wait(self, database_url: str) -> None:
        async with serving_author(database_url, pool_size=3) as author:
            async with blocked_writes(database_url):
                for number in range(3):
                    content = {"query": CREATE, "variables": {"input": new_post(number)}}
                    with pytest.raises(httpx.ReadTimeout):
                        await author.http.post("/graphql", json=content, headers=author.headers, timeout=1)
            assert await gets_everything_back(author.database)
            assert await count(author.database, Post) == 3

    async def test_follows_a_statement_that_took_too_long(self, postgresql_url: str) -> None:
        """SQLite waits for others only at the beginning, and gives up after five seconds."""
        async with serving_author(postgresql_url, pool_size=3, statement_timeout_ms=500) as author:
            async with blocked_writes(postgresql_url):
                requests = [author.execute(CREATE, {"input": new_post(number)}) for number in range(3)]
                results = await asyncio.gather(*requests)
            assert {error["extensions"]["code"] for result in results for error in result["errors"]} == {"TIMEOUT"}
            assert await count(author.database, Post) == 0

    async def test_follows_cancellation_at_any_moment(self, database_url: str) -> None:
        async with serving_author(database_url, pool_size=3) as author:
            database, viewer = author.database, await viewer_of(author)
            schema = schema_with()

            async def create(number: int, delay_ms: int) -> None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(delay_ms / 1000):
                        context = Context(database, viewer=viewer)
                        await schema.execute(CREATE, {"input": new_post(number)}, context)

            for number in range(30):
                if number % 10 == 0:  # connecting can be cancelled, too
                    await database.dispose()
                await asyncio.gather(*(create(10 * number + part, number % 30 + 2 * part) for part in range(6)))
            assert await gets_everything_back(database)
            posts = await count(database, Post)
            assert 0 < posts < 180
            assert await count(database, Tag) == posts
            await assert_consistent(database)


async def viewer_of(author: Api) -> Viewer:
    async with author.database.write() as session:
        [id_] = await session.scalars(sa.select(User.id))
    return Viewer(id_, UserRole.EDITOR)


class Fates:
    """What may happen to a mutation; all of it at once."""

    NAMES = ("success", "rejection", "conflict", "timeout", "cancellation", "disconnection")

    def __init__(self, author: Api, viewer: Viewer, chance: random.Random) -> None:
        self.author = author
        self.viewer = viewer
        self.chance = chance

    async def run(self, number: int) -> None:
        name = self.chance.choice(self.NAMES)
        await asyncio.sleep(self.chance.random() / 20)
        await getattr(self, name)(number, self.chance.random() / 10)

    async def success(self, number: int, _seconds: float) -> None:
        assert (await self.author.payload("createPost", new_post(number)))["errors"] == []

    async def rejection(self, number: int, _seconds: float) -> None:
        assert (await self.author.payload("createPost", new_post(number, title="")))["errors"]

    async def conflict(self, number: int, _seconds: float) -> None:
        assert (await self.author.payload("createPost", new_post(number, slug="taken")))["errors"]

    async def timeout(self, number: int, _seconds: float) -> None:
        context = Context(self.author.database, viewer=self.viewer)
        await schema_with(0.02).execute(CREATE, {"input": new_post(number)}, context)

    async def cancellation(self, number: int, seconds: float) -> None:
        context = Context(self.author.database, viewer=self.viewer)
        running = asyncio.create_task(schema_with().execute(CREATE, {"input": new_post(number)}, context))
        await asyncio.sleep(seconds)
        running.cancel()
        await asyncio.wait([running])

    async def disconnection(self, number: int, seconds: float) -> None:
        content = {"query": CREATE, "variables": {"input": new_post(number)}}
        with suppress(httpx.TimeoutException):
            await self.author.http.post("/graphql", json=content, headers=self.author.headers, timeout=seconds)


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_happens_everything_comes_back(database_url: str, seed: int) -> None:
    async with serving_author(database_url, pool_size=3, pool_timeout_seconds=20) as author:
        [user] = await users(author)
        await save(author.database, [make_post(user, slug="taken")])
        fates = Fates(author, await viewer_of(author), random.Random(seed))  # noqa: S311 - a test that can be repeated
        async with asyncio.timeout(40):
            await asyncio.gather(*(fates.run(number) for number in range(60)))
        assert await gets_everything_back(author.database)
        assert await count(author.database, Post) == 1 + await count(author.database, Tag)
        await assert_consistent(author.database)
        for payload in await asyncio.gather(
            *(author.payload("createPost", new_post(100 + number)) for number in range(6))
        ):
            assert payload["errors"] == []


async def users(author: Api) -> list[User]:
    async with author.database.write() as session:
        return [*await session.scalars(sa.select(User))]
