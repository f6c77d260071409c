"""Jobs beside requests: their turns, their failures, and pruning by itself."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from gqlapi.background import BackgroundWork, Counts, Job
from gqlapi.database.turns import turn
from gqlapi.database.types import utc_now
from gqlapi.database.unit import Database
from gqlapi.models import IdempotencyKey, Post, PostSlug, PostTag
from gqlapi.pruning import Retention, prune
from gqlapi.repositories import pruning
from gqlapi.repositories.pruning import Prunable
from tests.api import Api, serve, settings_for
from tests.factories import make_post, make_tag, make_user, save

SEARCH = "query($query: String!) { search(query: $query, first: 9) { nodes { __typename } } }"
OTHERS = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"


@pytest.fixture
async def databases(database_url: str) -> AsyncIterator[tuple[Database, Database]]:
    """The databases of two processes."""
    both = Database(database_url), Database(database_url)
    yield both
    for database in both:
        await database.dispose()


def work_on(database: Database, *jobs: Job) -> BackgroundWork:
    work = BackgroundWork(database, releases_connections=True)
    for job in jobs:
        work.register(job)
    return work


class TestTurn:
    async def test_is_that_of_one_process(self, databases: tuple[Database, Database]) -> None:
        one, other = (database.write_engine for database in databases)
        async with turn(one, "prune", 60) as has_turn:
            assert has_turn
            async with turn(other, "prune", 60) as others:
                assert not others
        async with turn(other, "prune", 60) as others:
            assert others

    async def test_is_released_by_a_failure(self, databases: tuple[Database, Database]) -> None:
        one, other = (database.write_engine for database in databases)
        with pytest.raises(ZeroDivisionError):
            async with turn(one, "prune", 60):
                raise ZeroDivisionError
        async with turn(other, "prune", 60) as has_turn:
            assert has_turn

    async def test_lets_others_write(self, databases: tuple[Database, Database]) -> None:
        one, other = databases
        async with turn(one.write_engine, "prune", 60):
            await save(other, [make_user()])

    async def test_holds_up_no_vacuum(self, postgresql_url: str) -> None:
        database = Database(postgresql_url)
        async with turn(database.write_engine, "prune", 60), database.write() as session:
            assert await session.scalar(sa.text(f"SELECT count(*) {OTHERS}")) == 1
            held = "AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)"
            assert await session.scalar(sa.text(f"SELECT count(*) {OTHERS} {held}")) == 0
        await database.dispose()

    async def test_ends_with_its_connection(self, databases: tuple[Database, Database], dialect: str) -> None:
        if dialect == "sqlite":
            return  # its lock is that of a file
        one, other = databases
        with pytest.raises(sa.exc.DBAPIError):
            await lose_turn(one, other)


async def lose_turn(one: Database, other: Database) -> None:
    async with turn(one.write_engine, "prune", 60), other.write() as session:
        await session.execute(sa.text(f"SELECT pg_terminate_backend(pid, 5000) {OTHERS}"))
        async with turn(other.write_engine, "prune", 60) as has_turn:
            assert has_turn


class TestJobs:
    async def test_run_on_one_process_at_a_time(self, databases: tuple[Database, Database]) -> None:
        began, may_end, runs = asyncio.Event(), asyncio.Event(), 0

        async def run() -> Counts:
            nonlocal runs
            runs += 1
            began.set()
            await may_end.wait()
            return {"rows": 1}

        job = Job("job", 60, run)
        one, other = (work_on(database, job) for database in databases)
        running = asyncio.create_task(one.run("job"))
        await began.wait()
        await other.run("job")
        assert (runs, other.states["job"].skipped) == (1, 1)
        may_end.set()
        await running
        assert (one.states["job"].runs, one.states["job"].last_counts) == (1, {"rows": 1})

    async def test_may_run_on_all(self, databases: tuple[Database, Database]) -> None:
        async def run() -> None:
            await other.run("job")

        async def nothing() -> None: ...

        one = work_on(databases[0], Job("job", 60, run, is_exclusive=False))
        other = work_on(databases[1], Job("job", 60, nothing, is_exclusive=False))
        await one.run("job")
        assert (one.states["job"].runs, other.states["job"].runs) == (1, 1)

    async def test_log_and_count_their_failures(self, databases: tuple[Database, Database]) -> None:
        async def fail() -> None:
            raise ZeroDivisionError

        work = work_on(databases[0], Job("job", 60, fail))
        with capture_logs() as logs:
            await work.run("job")
        assert [(line["event"], line["job"]) for line in logs] == [("background job failed", "job")]
        assert (work.states["job"].runs, work.states["job"].failures) == (1, 1)

    async def test_end_in_time(self, databases: tuple[Database, Database]) -> None:
        async def hang() -> None:
            await asyncio.Event().wait()

        work = work_on(databases[0], Job("job", 60, hang, max_seconds=0.01))
        with capture_logs():
            await work.run("job")
        assert work.states["job"].failures == 1

    async def test_come_round_again_until_the_end(self, databases: tuple[Database, Database]) -> None:
        third, runs = asyncio.Event(), 0

        async def run() -> None:
            nonlocal runs
            runs += 1
            if runs == 3:
                third.set()

        work = work_on(databases[0], Job("job", 0, run, is_exclusive=False))
        async with work.running(), asyncio.timeout(30):
            await third.wait()
        assert runs >= 3

    async def test_have_names_of_their_own(self, databases: tuple[Database, Database]) -> None:
        async def run() -> None: ...

        work = work_on(databases[0], Job("job", 60, run))
        with pytest.raises(ValueError, match="'job' already"):
            work.register(Job("job", 60, run))


class TestPruning:
    async def test_is_a_job_of_the_server(self, database_url: str) -> None:
        settings = settings_for(database_url, prune_minutes=60, log_level="info")
        async with serve(settings) as api:
            ada = make_user()
            await save(api.database, [ada])
            async with api.database.write() as session:
                old = {"user_id": ada.id, "input_hash": "x", "outcome": {}}
                session.add(IdempotencyKey(key="old", created_at=utc_now() - timedelta(days=2), **old))
                session.add(IdempotencyKey(key="new", created_at=utc_now(), **old))
            background = api.app.state.background
            await background.run("prune")
            assert background.states["prune"].last_counts[Prunable.IDEMPOTENCY_KEYS] == 1
            async with api.database.write() as session:
                assert [*await session.scalars(sa.select(IdempotencyKey.key))] == ["new"]

    async def test_can_be_left_to_the_command(self, api: Api) -> None:
        assert api.app.state.background.states == {}


class TestDeletedPosts:
    async def test_are_removed_after_a_time_with_all_that_is_theirs(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pruning, "POSTS_AT_ONCE", 2)
        ada, tag, now = make_user(), make_tag(), utc_now()
        times = {"live": None, "fresh": now - timedelta(days=29)}
        times |= {f"old{number}": now - timedelta(days=31) for number in range(3)}
        posts = [make_post(ada, tag, slug=slug, title=f"Quince {slug}", deleted_at=at) for slug, at in times.items()]
        await save(api.database, [ada, tag, *posts])
        kept = Retention(timedelta(1), timedelta(1))
        assert (await prune(api.database, kept))[Prunable.DELETED_POSTS] == 0
        pruned = await prune(api.database, Retention(timedelta(1), timedelta(1), deleted_posts=timedelta(days=30)))
        assert pruned[Prunable.DELETED_POSTS] == 3
        async with api.database.write() as session:
            assert {*await session.scalars(sa.select(Post.slug))} == {"live", "fresh"}
            assert {*await session.scalars(sa.select(PostSlug.slug))} == {"live", "fresh"}
            assert await session.scalar(sa.select(sa.func.count()).select_from(PostTag)) == 2
            assert await session.scalar(sa.text("SELECT count(*) FROM search_documents WHERE kind = 'post'")) == 2
        found = (await api.data(SEARCH, {"query": "quince"}))["search"]["nodes"]
        assert len(found) == 1
