"""A transaction happens wholly or not at all, and is repeated when, and only when, that is safe."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.util import await_only
from structlog.testing import capture_logs

from gqlapi.database.engine import EngineOptions
from gqlapi.database.unit import Database
from gqlapi.errors import OperationTimeout, Unavailable
from gqlapi.models import Tag
from tests.api import gets_everything_back
from tests.consistency import count
from tests.factories import make_tag, save
from tests.postgres import Kill, pid_of


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database that gets everything back, no matter what the test does."""
    database = Database(database_url, EngineOptions(pool_size=3))
    yield database
    assert await gets_everything_back(database)
    await database.dispose()


class Body:
    """Writes a tag, and then fails as often as it is asked to."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = [*failures]
        self.runs = 0

    async def __call__(self, session: AsyncSession) -> int:
        self.runs += 1
        session.add(make_tag())
        await session.flush()
        if self.failures:
            raise self.failures.pop(0)
        return self.runs


class SlowBody(Body):
    """Writes a tag, and ends when it is asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.has_begun, self.may_end = asyncio.Event(), asyncio.Event()

    async def __call__(self, session: AsyncSession) -> int:
        runs = await super().__call__(session)
        self.has_begun.set()
        await self.may_end.wait()
        return runs


class DriverError(Exception):
    """What a driver raises."""

    def __init__(self, sqlstate: str | None, text: str) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


def failure(sqlstate: str | None = None, text: str = "") -> DBAPIError:
    return DBAPIError("SELECT 1", {}, DriverError(sqlstate, text))


class TestTransact:
    async def test_commits(self, database: Database) -> None:
        assert await database.transact(Body()) == 1
        assert await count(database, Tag) == 1

    async def test_rolls_back_on_an_exception(self, database: Database) -> None:
        body = Body(LookupError("no"))
        with pytest.raises(LookupError, match="no"):
            await database.transact(body)
        assert (body.runs, await count(database, Tag)) == (1, 0)

    async def test_rolls_back_what_the_last_flush_refuses(self, database: Database) -> None:
        async def body(session: AsyncSession) -> None:
            session.add(make_tag(name="One", slug="one"))
            await session.flush()
            session.add(make_tag(name="One", slug="two"))

        with pytest.raises(IntegrityError):
            await database.transact(body)
        assert await count(database, Tag) == 0

    async def test_ends_though_its_caller_is_cancelled(self, database: Database) -> None:
        body = SlowBody()
        caller = asyncio.create_task(database.transact(body))
        await body.has_begun.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        body.may_end.set()
        assert await gets_everything_back(database)
        assert await count(database, Tag) == 1

    async def test_ends_before_the_connections_are_closed(self, database: Database) -> None:
        body, late = SlowBody(), SlowBody()
        running = database.start(body)
        await body.has_begun.wait()
        disposing = asyncio.create_task(database.dispose())
        await asyncio.sleep(0.05)
        follower = database.start(late)  # by a request that shutting down does not wait for
        body.may_end.set()
        await late.has_begun.wait()
        assert (running.done(), disposing.done()) == (True, False)
        late.may_end.set()
        await disposing
        assert await follower == 1
        assert await count(database, Tag) == 2


class TestStartIfFree:
    async def test_commits(self, database: Database) -> None:
        database.start_if_free(Body(), "test")
        assert await gets_everything_back(database)
        assert await count(database, Tag) == 1

    async def test_is_skipped_by_a_busy_server(self, database: Database) -> None:
        places = [await database.gate.enter() for _ in range(3)]
        body = Body()
        database.start_if_free(body, "test")
        while database._running:
            await asyncio.sleep(0)
        assert body.runs == 0
        for place in places:
            place.leave()

    async def test_logs_its_failure(self, database: Database) -> None:
        with capture_logs() as lines:
            database.start_if_free(Body(LookupError("no")), "test")
            assert await gets_everything_back(database)
        assert [(line["event"], line["name"]) for line in lines] == [("background transaction failed", "test")]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, none of them waited for; chance gives each its middle length."""
    made: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        made.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", note)
    monkeypatch.setattr(random, "uniform", lambda low, high: (low + high) / 2)
    return made


TRANSIENT: dict[str, Callable[[], Exception]] = {
    "serialization failure": lambda: failure("40001"),
    "deadlock": lambda: failure("40P01"),
    "lost reference": lambda: failure("23503"),
    "stale row": lambda: StaleDataError("1 row was expected, 0 were matched"),
    "lost connection": lambda: failure("08006"),
    "shutdown of the server": lambda: failure("57P01"),
    "refused connection": lambda: ConnectionRefusedError("refused"),
}
FINAL: dict[str, tuple[Exception, type[Exception]]] = {
    "wrong value": (failure("22001"), DBAPIError),
    "taken value": (failure("23505"), DBAPIError),
    "long statement": (failure("57014"), OperationTimeout),
    "lock held too long": (failure("55P03"), Unavailable),
    "locked file": (failure(text="database is locked"), Unavailable),
    "full disk": (failure(text="database or disk is full"), Unavailable),
}


class TestRetries:
    """These failures are made up, so SQLite will do; the classes below have PostgreSQL's own."""

    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    @pytest.mark.parametrize("name", TRANSIENT)
    async def test_are_three_with_growing_pauses(self, database: Database, pauses: list[float], name: str) -> None:
        body = Body(*(TRANSIENT[name]() for _ in range(3)))
        assert await database.transact(body) == 4
        assert [round(seconds, 6) for seconds in pauses] == [0.01, 0.04, 0.16]
        assert await count(database, Tag) == 1

    @pytest.mark.parametrize("name", TRANSIENT)
    async def test_end_with_the_fourth_attempt(self, database: Database, pauses: list[float], name: str) -> None:
        body = Body(*(TRANSIENT[name]() for _ in range(4)))
        # A reference that is lost each time was never there: that is a mistake of ours, and masked.
        with pytest.raises(DBAPIError if name == "lost reference" else Unavailable):
            await database.transact(body)
        assert (body.runs, len(pauses), await count(database, Tag)) == (4, 3, 0)

    @pytest.mark.parametrize("name", FINAL)
    async def test_are_not_for_what_would_fail_again(self, database: Database, pauses: list[float], name: str) -> None:
        error, expected = FINAL[name]
        body = Body(error)
        with pytest.raises(expected):
            await database.transact(body)
        assert (body.runs, pauses, await count(database, Tag)) == (1, [], 0)


async def add_one(session: AsyncSession, tag: Tag) -> None:
    """Read a number under a lock, and write the next one."""
    row = await session.get_one(Tag, tag.id, with_for_update=True)
    row.description = str(int(row.description or 0) + 1)
    await session.flush()


async def numbers(database: Database) -> list[int]:
    async with database.write() as session:
        return [int(text or 0) for text in await session.scalars(sa.select(Tag.description).order_by(Tag.id))]


class TestConflicts:
    async def test_of_locks_in_opposite_order_end_well(self, database: Database, dialect: str) -> None:
        """A deadlock on PostgreSQL; on SQLite the second transaction begins when the first one has ended."""
        tags = [make_tag(), make_tag()]
        await save(database, tags)
        has_locked = [asyncio.Event(), asyncio.Event()]
        runs: list[int] = []

        async def body(session: AsyncSession, first: int) -> None:
            runs.append(first)
            await add_one(session, tags[first])
            has_locked[first].set()
            if dialect == "postgresql":
                await has_locked[1 - first].wait()
            await add_one(session, tags[1 - first])

        bodies = [lambda session, first=first: body(session, first) for first in (0, 1)]
        await asyncio.gather(*map(database.transact, bodies))
        # One that is run again may be quicker than the other one wakes up, and meet it once more.
        assert len(runs) in ([2] if dialect == "sqlite" else range(3, 6))
        assert await numbers(database) == [2, 2]

    async def test_of_an_outdated_snapshot_end_well(self, postgresql_url: str) -> None:
        """SQLite's writers begin with the one lock that there is: their snapshot is always the newest."""
        database = Database(postgresql_url, EngineOptions(pool_size=2))
        tag = make_tag()
        await save(database, [tag])
        runs = 0

        async def body(session: AsyncSession) -> None:
            nonlocal runs
            runs += 1
            await session.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            await session.execute(sa.select(Tag.description))
            if runs == 1:
                await database.transact(lambda other: add_one(other, tag))
            await add_one(session, tag)

        await database.transact(body)
        assert (runs, await numbers(database)) == (2, [2])
        await database.dispose()

    async def test_of_many_writers_and_readers_lose_nothing(self, database_url: str) -> None:
        """Two servers on one database: on SQLite their writers wait for each other at the file."""
        databases = [Database(database_url, EngineOptions(pool_size=3)) for _ in range(2)]
        tag = make_tag()
        await save(databases[0], [tag])

        async def write(database: Database) -> None:
            for _ in range(5):
                await database.transact(lambda session: add_one(session, tag))

        async def read(database: Database) -> list[str]:
            seen = []
            for _ in range(10):
                unit = database.read()
                [row] = await unit.rows(sa.select(Tag.description))
                await unit.close()
                seen.append(row[0] or "0")
            return seen

        writers = [write(databases[number % 2]) for number in range(20)]
        readers = [read(databases[number % 2]) for number in range(20)]
        *_, seen = await asyncio.gather(*writers, *readers)
        assert seen is not None
        assert [*map(int, seen)] == sorted(map(int, seen))
        assert await numbers(databases[0]) == [100]
        for database in databases:
            assert await gets_everything_back(database)
            await database.dispose()


class TestCommit:
    async def test_on_a_lost_connection_is_not_repeated(self, postgresql_url: str, kill: Kill) -> None:
        database = Database(postgresql_url, EngineOptions(pool_size=2))
        body = Body()
        with before_commit(database, kill), pytest.raises(Unavailable):
            await database.transact(body)
        assert (body.runs, await count(database, Tag)) == (1, 0)
        assert await gets_everything_back(database)
        await database.dispose()

    @pytest.mark.parametrize("of_driver", [True, False])
    async def test_whose_answer_is_lost_is_not_repeated(
        self,
        database: Database,
        monkeypatch: pytest.MonkeyPatch,
        of_driver: bool,  # noqa: FBT001 - a parameter of the test
    ) -> None:
        dialect, body = database.write_engine.dialect, Body()
        commit = dialect.do_commit

        def lose_answer(connection: Any) -> None:
            commit(connection)
            raise failure("08003") if of_driver else ConnectionResetError

        monkeypatch.setattr(dialect, "do_commit", lose_answer)
        with pytest.raises(Unavailable):
            await database.transact(body)
        monkeypatch.undo()
        assert (body.runs, await count(database, Tag)) == (1, 1)


@contextmanager
def before_commit(database: Database, kill: Kill) -> Iterator[None]:
    """Let no COMMIT reach PostgreSQL."""
    engine = database.write_engine.sync_engine

    def cut_off(connection: sa.Connection) -> None:
        await_only(kill(pid_of(connection)))

    sa.event.listen(engine, "commit", cut_off)
    try:
        yield
    finally:
        sa.event.remove(engine, "commit", cut_off)
