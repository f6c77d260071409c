"""Query operations read from a replica, and show each caller what they have written."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
import sqlalchemy as sa
from hypothesis import given

from gqlapi.app import create_app
from gqlapi.database.migrations import upgrade
from gqlapi.database.positions import WRITTEN, parse_position
from gqlapi.database.replicas import Replica
from gqlapi.models import ApiScope, UserRole
from tests.accounts.person import sign_up
from tests.api import TRANSACTION_CONTROL, Api, serve, settings_for
from tests.commands import run_beside
from tests.examples import examples, rounds
from tests.factories import make_tag, make_user, save
from tests.oracle import Field
from tests.pgbouncer import PGBOUNCER, PgBouncer
from tests.random_world import make_world
from tests.replication import Replication, replication
from tests.signing_in import sign_in_as, with_api_token
from tests.test_concurrency import concurrent_writer, is_torn
from tests.test_reading_oracle import QUERIES, UNLIMITED, Answers

TAGS = "{ tags { totalCount } }"
ADD_TAG = 'mutation { upsertTag(input: { slug: "new", name: "New" }) { tag { id } } }'
PAGE = "{ tags(first: 2) { totalCount nodes { name postCount } } posts { totalCount } }"
WAIT_SECONDS = 10


@pytest.fixture(scope="module")
def servers() -> Iterator[Replication]:
    with replication() as servers:
        yield servers


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def template(servers: Replication) -> str:
    name = f"template_{uuid4().hex}"
    await upgrade(await servers.primary.create_database(name))
    return name


@pytest_asyncio.fixture
async def url(servers: Replication, template: str) -> AsyncIterator[str]:
    name = f"test_{uuid4().hex}"
    yield await servers.primary.create_database(name, template)
    await servers.primary.drop_database(name)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the servers more often."""
    monkeypatch.setattr("gqlapi.database.replicas.INTERVAL_SECONDS", 0.05)


@asynccontextmanager
async def serving(url: str, servers: Replication, **settings: Any) -> AsyncIterator[Api]:
    """A server with the replica, once it reads from it."""
    settings = {"replica_urls": [servers.replica.url(url)], "replica_wait_ms": 2_000, "report_costs": False, **settings}
    async with serve(settings_for(settings.pop("database_url", url), **settings)) as api:
        await until(lambda: replica_of(api).is_usable)
        yield api


def replica_of(api: Api) -> Replica:
    assert api.database.replicas is not None
    [replica] = api.database.replicas.all
    return replica


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


@contextmanager
def statements_on_replica(api: Api) -> Iterator[list[str]]:
    """Record the statements that run on the replica in the block."""
    recorded: list[str] = []

    def record(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(TRANSACTION_CONTROL):
            recorded.append(statement)

    engine = replica_of(api).parking.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", record)
    try:
        yield recorded
    finally:
        sa.event.remove(engine, "before_cursor_execute", record)


@asynccontextmanager
async def paused(servers: Replication) -> AsyncIterator[None]:
    """Replay nothing on the replica in the block."""
    await servers.replica.execute("SELECT pg_wal_replay_pause()")
    try:
        yield
    finally:
        await servers.replica.execute("SELECT pg_wal_replay_resume()")


async def create_post(api: Api) -> str:
    payload = await api.payload("createPost", {"title": "Seen at once", "markdown": "x"}, "post { id }")
    post_id: str = payload["post"]["id"]
    return post_id


async def sees(api: Api, post_id: str) -> bool:
    return (await api.data("query($id: ID!) { node(id: $id) { id } }", {"id": post_id}))["node"] is not None


class TestReads:
    async def test_come_from_the_replica_with_as_many_statements(self, url: str, servers: Replication) -> None:
        async with serving(url, servers) as api:
            user = make_user()
            await save(api.database, [user, *(make_tag() for _ in range(3))])
            author = await sign_in_as(api, user)
            await until_replayed(api)
            async with serve(settings_for(url)) as plain:
                expected = {}
                for name, client in (("visitor", plain), ("author", plain.with_headers(**author.headers))):
                    with plain.statements() as statements:
                        await client.data(PAGE)
                    expected[name] = len(statements)
            for name, client, authentications in (("visitor", api, 0), ("author", author, 1)):
                with api.statements() as on_primary, statements_on_replica(api) as on_replica:
                    await client.data(PAGE)
                assert (len(on_primary), len(on_replica)) == (authentications, expected[name] - authentications)

    async def test_have_one_snapshot(self, url: str, servers: Replication) -> None:
        async with serving(url, servers) as api:
            await save(api.database, [make_tag() for _ in range(50)])
            async with concurrent_writer(api.database):
                with statements_on_replica(api) as statements:
                    assert not any([await is_torn(api) for _ in range(rounds(50))])
            assert statements

    async def test_that_shared_caches_may_keep_come_from_the_primary(self, url: str, servers: Replication) -> None:
        async with serving(url, servers, cache_max_age_seconds=60) as api:
            persisted = {"version": 1, "sha256Hash": hashlib.sha256(TAGS.encode()).hexdigest()}
            await api.post(TAGS, extensions={"persistedQuery": persisted})
            with statements_on_replica(api) as statements:
                response = await api.http.get(f"/graphql/documents/sha256:{persisted['sha256Hash']}")
            assert "s-maxage" in response.headers["Cache-Control"]
            assert statements == []


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def answers(template: str, servers: Replication) -> AsyncIterator[Answers]:
    """The server of the tests of reading, with the replica behind PgBouncer if that is installed."""
    url = await servers.primary.create_database(f"world_{uuid4().hex}", template)
    with ExitStack() as stack:
        replica_url = servers.replica.url(url)
        if PGBOUNCER is not None:
            assert servers.replica.server is not None
            replica_url = stack.enter_context(PgBouncer(servers.replica.server, pool_size=3)).url(replica_url)
        async with serving(url, servers, replica_urls=[replica_url], statement_timeout_ms=60_000, **UNLIMITED) as api:
            world = make_world()
            await save(api.database, [*world.users, *world.tags, *world.posts])
            await until_replayed(api)
            yield Answers(api)


class TestRandomQueries:
    @examples(15)
    @given(query=QUERIES)
    async def test_answer_like_the_oracle(self, answers: Answers, query: tuple[Field, ...]) -> None:
        with statements_on_replica(answers.api) as statements, answers.api.statements() as on_primary:
            await answers.check(query, split=False)
        assert (bool(statements), on_primary) == (True, [])


class TestOwnWrites:
    async def test_are_seen_by_the_session_on_every_server(self, url: str, servers: Replication) -> None:
        async with serving(url, servers) as one, serving(url, servers) as other:
            user = make_user()
            await save(one.database, [user])
            author = await sign_in_as(one, user)
            elsewhere = other.with_headers(**author.headers)
            with statements_on_replica(other) as statements:
                seen = [await sees(elsewhere, await create_post(author)) for _ in range(rounds(60))]
            assert all(seen)
            assert len(statements) == len(seen)

    async def test_are_seen_with_an_api_token(self, url: str, servers: Replication) -> None:
        async with serving(url, servers) as one, serving(url, servers, replica_wait_ms=20) as other:
            user = make_user()
            await save(one.database, [user])
            program = await with_api_token(one, user, ApiScope.WRITE_POSTS)
            async with paused(servers):
                assert await sees(other.with_headers(**program.headers), await create_post(program))

    async def test_are_seen_after_signing_up(self, url: str, servers: Replication) -> None:
        async with serving(url, servers, replica_wait_ms=20) as api:
            async with paused(servers):
                tokens = await sign_up(api)
                viewer = (await api.bearing(tokens["accessToken"]).data("{ viewer { username } }"))["viewer"]
            assert viewer == {"username": "ada"}

    @pytest.mark.parametrize("carrier", ["header", "extensions"])
    async def test_are_seen_with_the_position_of_the_answer(self, url: str, servers: Replication, carrier: str) -> None:
        async with serving(url, servers, replica_wait_ms=20) as api:
            editor = make_user(role=UserRole.EDITOR)
            await save(api.database, [editor])
            client = await sign_in_as(api, editor)
            await until_replayed(api)
            async with paused(servers):
                response = await client.post(ADD_TAG)
                position = response.json()["extensions"]["position"]
                assert response.headers["X-Position"] == position
                assert parse_position(position) > replica_of(api).reached
                extensions = {"position": position} if carrier == "extensions" else None
                reader = api.with_headers(**{"X-Position": position}) if carrier == "header" else api
                assert (await reader.execute(TAGS, extensions=extensions))["data"] == {"tags": {"totalCount": 1}}
                # What others see at this moment is the proof that the replica was not asked.
                assert await api.data(TAGS) == {"tags": {"totalCount": 0}}
            # And it is asked, after a wait, once it has caught up.
            with statements_on_replica(api) as statements:
                patient = api.with_headers(**{"X-Position": position})
                async with asyncio.timeout(WAIT_SECONDS):
                    while not statements:
                        assert await patient.data(TAGS) == {"tags": {"totalCount": 1}}

    @pytest.mark.parametrize("position", ["nowhere", "0/", "0/123456789", ""])
    async def test_need_a_position_that_is_one(self, url: str, servers: Replication, position: str) -> None:
        async with serving(url, servers) as api:
            for response in (
                await api.with_headers(**{"X-Position": position}).post(TAGS),
                await api.post(TAGS, extensions={"position": position}),
                await api.post(TAGS, extensions={"position": 5}),
            ):
                assert (response.status_code, "X-Position" in response.text) == (422, True)


class TestReplica:
    async def test_that_lags_is_left_out_and_taken_back(self, url: str, servers: Replication) -> None:
        async with serving(url, servers, replica_max_lag_seconds=0.3) as api:
            async with paused(servers):
                await save(api.database, [make_tag()])
                await until(lambda: not replica_of(api).is_usable)
                assert await api.data(TAGS) == {"tags": {"totalCount": 1}}
            await until(lambda: replica_of(api).is_usable)
            with statements_on_replica(api) as statements:
                assert await api.data(TAGS) == {"tags": {"totalCount": 1}}
            assert statements

    async def test_that_dies_is_left_out_and_taken_back(self, url: str, servers: Replication) -> None:
        async with serving(url, servers) as api:
            await save(api.database, [make_tag()])
            await until_replayed(api)
            reading = asyncio.create_task(read_until_left_out(api))
            await asyncio.to_thread(servers.replica.stop)
            answers = await reading
            await asyncio.to_thread(servers.replica.start)
            assert {str(answer) for answer in answers} == {str({"data": {"tags": {"totalCount": 1}}})}
            await until(lambda: replica_of(api).is_usable)
            with statements_on_replica(api) as statements:
                await api.data(TAGS)
            assert statements

    async def test_that_is_no_standby_is_never_used(self, url: str, servers: Replication) -> None:
        async with serve(settings_for(url, replica_urls=[url])) as api:
            await asyncio.sleep(0.2)
            assert not replica_of(api).is_usable
            assert "errors" not in await api.execute(TAGS)

    async def test_is_examined_by_doctor(self, url: str, servers: Replication) -> None:
        for replica, severity in (
            (servers.replica.url(url), "ok"),
            (url, "error"),
            ("postgresql://gqlapi@127.0.0.1:1/blog", "warning"),
        ):
            done = await run_beside("doctor", url=url, port="0", replica_urls=json.dumps([replica]))
            [line] = [line for line in done.lines if line.startswith("D110")]
            assert line.split()[1] == severity, line


async def read_until_left_out(api: Api) -> list[Any]:
    """Return the answers that clients have had until the server has noticed that the replica is gone."""
    answers = []
    while replica_of(api).is_usable:
        answers.append(await api.execute(TAGS))
    return [*answers, await api.execute(TAGS)]


async def until_replayed(api: Api) -> None:
    """Wait until the replica has all that has been written."""
    async with api.database.write() as session:
        written = (await session.execute(sa.text(f"SELECT {WRITTEN}"))).scalar_one()
    await until(lambda: replica_of(api).reached >= written)


class TestPrimary:
    async def test_that_dies_is_followed_by_a_replica_that_is_promoted(self) -> None:
        with replication() as servers:
            url = await servers.primary.create_database("blog")
            await upgrade(url)
            replica = sa.make_url(servers.replica.url(url))
            both = sa.make_url(url)
            either = f"postgresql://postgres@{both.host}:{both.port},{replica.host}:{replica.port}/blog"
            async with serving(url, servers, database_url=f"{either}?target_session_attrs=read-write") as api:
                editor = make_user(role=UserRole.EDITOR)
                await save(api.database, [editor, make_tag()])
                client = await sign_in_as(api, editor)
                await until_replayed(api)
                await asyncio.to_thread(servers.kill_primary)
                # Visitors read all the time.
                assert await api.data(TAGS) == {"tags": {"totalCount": 1}}
                await servers.replica.execute("SELECT pg_promote()")
                async with asyncio.timeout(5):
                    while "errors" in (await client.execute(ADD_TAG)):
                        await asyncio.sleep(0.05)
                await until(lambda: not replica_of(api).is_usable)
                assert await client.data(TAGS) == await api.data(TAGS) == {"tags": {"totalCount": 2}}


class TestSettings:
    def test_of_sqlite_are_refused(self) -> None:
        with pytest.raises(ValueError, match="only PostgreSQL has replicas"):
            create_app(settings_for("sqlite:///gqlapi.db", replica_urls=["postgresql://127.0.0.1/blog"]))

    @pytest.mark.parametrize("replica", ["sqlite:///copy.db", "mysql://127.0.0.1/blog"])
    async def test_of_another_database_end_each_command(self, replica: str) -> None:
        done = await run_beside("prune", url="postgresql://127.0.0.1:1/blog", replica_urls=json.dumps([replica]))
        assert (done.status, "GQLAPI_REPLICA_URLS" in done.errors) == (2, True)
