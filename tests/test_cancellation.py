"""An operation may be cancelled at any of its awaits, and again at each later one: nothing is lost."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from typing import Any

import anyio
import asyncpg
import pytest
import sqlalchemy as sa
from starlette.types import Message

from gqlapi.context import Context
from gqlapi.database.engine import EngineOptions
from gqlapi.database.kept import KeptStatement
from gqlapi.database.read_unit import ReadUnit, UnitClosed
from gqlapi.database.unit import Database
from gqlapi.http.streaming import INCREMENTAL_V02, StreamedAnswer
from gqlapi.models import Post, Tag, UserRole, Viewer
from gqlapi.schema import Limits, Schema
from tests.api import gets_everything_back, in_unit
from tests.consistency import assert_consistent, count
from tests.factories import make_user, save
from tests.test_availability import endless

QUERY = (
    "{ a: posts { totalCount nodes { author { username } tags { name } content { html } } } "
    "b: tags { totalCount nodes { name } } }"
)
DELIVERED = "{ tags { totalCount } ... @defer { posts { totalCount nodes { title } } } }"
CREATE = (
    "mutation($input: CreatePostInput!) { createPost(input: $input) { post { author { username } tags { name } } } }"
)
OPEN_TRANSACTIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE '%in transaction%'"
)

Work = Callable[[], Coroutine[Any, Any, Any]]


class Steps:
    """Counts the awaits of all tasks, and cancels a scope at the n-th; the scope cancels each of its later ones."""

    def __init__(self, scope: anyio.CancelScope, cancel_at: int) -> None:
        self.scope, self.cancel_at = scope, cancel_at
        self.taken = 0

    def create_task(self, loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        """Create a task whose awaits are counted, as a factory of tasks."""
        return asyncio.Task(_Counted(self, work), loop=loop, **options)


class _Counted(Coroutine[Any, Any, Any]):
    """A coroutine whose awaits are counted."""

    def __init__(self, steps: Steps, work: Coroutine[Any, Any, Any]) -> None:
        self.steps, self.work = steps, work

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.work.__await__()

    def send(self, value: Any) -> Any:
        return self._count(self.work.send(value))

    def throw(self, *error: Any) -> Any:
        return self._count(self.work.throw(*error))

    def close(self) -> None:
        self.work.close()

    def _count(self, waited_for: Any) -> Any:
        self.steps.taken += 1
        if self.steps.taken == self.steps.cancel_at:
            self.steps.scope.cancel()
        return waited_for


async def cancelled_at(step: int, work: Work) -> bool:
    """Cancel some work at a step; return whether it has so many."""
    loop = asyncio.get_running_loop()

    async def run() -> int:
        with anyio.CancelScope() as scope:
            steps = Steps(scope, step)
            loop.set_task_factory(steps.create_task)
            await loop.create_task(work())
        return steps.taken

    try:
        return await loop.create_task(run()) >= step
    finally:
        loop.set_task_factory(None)


@pytest.fixture
async def database(database_url: str, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Database]:
    """A database that gets everything back, without a complaint of anybody's."""
    complaints: list[dict[str, Any]] = []
    gc.freeze()  # what was there before is left to itself
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    database = Database(database_url, EngineOptions(pool_size=2))
    yield database
    assert await gets_everything_back(database)
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    if database.dialect_name == "postgresql":
        assert await ends_all_transactions(database_url)
    await database.dispose()


async def ends_all_transactions(url: str) -> bool:
    """Return whether no transaction stays open; the backend of a connection that was given up takes a moment to end."""
    connection = await asyncpg.connect(url)
    try:
        for _ in range(100):
            if not await connection.fetchval(OPEN_TRANSACTIONS):
                return True
            await asyncio.sleep(0.05)
        return False
    finally:
        await connection.close()


@pytest.mark.parametrize("is_cold", [True, False], ids=["cold", "warm"])
class TestCancellation:
    async def test_of_a_unit_loses_nothing(self, database: Database, is_cold: bool) -> None:  # noqa: FBT001 - a parameter
        async def read(unit: Any) -> None:
            await asyncio.gather(*(unit.rows(sa.select(Tag.id)) for _ in range(2)))
            await unit.fetch(KeptStatement(sa.select(Post.id), database.dialect_name), {}, timeout_ms=1000)
            await unit.entities(sa.select(Tag))

        await self.cancel_everywhere(database, lambda: in_unit(database, read), is_cold=is_cold)

    async def test_of_a_unit_of_one_kept_statement_loses_nothing(self, database: Database, is_cold: bool) -> None:  # noqa: FBT001 - a parameter
        kept = KeptStatement(sa.select(Tag.id), database.dialect_name)

        async def read(unit: ReadUnit) -> None:
            unit.expects_one_statement = True
            await unit.fetch(kept, {})

        await self.cancel_everywhere(database, lambda: in_unit(database, read), is_cold=is_cold, steps=2)

    # graphql-core starts no coroutine of fields whose operation is cancelled before they begin.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    async def test_of_a_query_loses_nothing(self, database: Database, is_cold: bool) -> None:  # noqa: FBT001 - a parameter
        schema = Schema(Limits())
        await self.cancel_everywhere(database, lambda: schema.execute(QUERY, {}, Context(database)), is_cold=is_cold)

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    async def test_of_a_delivery_loses_nothing(self, database: Database, is_cold: bool) -> None:  # noqa: FBT001 - a parameter
        schema = Schema(Limits())

        async def send(_message: Message) -> None:
            await asyncio.sleep(0)

        async def deliver() -> None:
            context = Context(database)
            context.delivery = StreamedAnswer(send, INCREMENTAL_V02, 1_000)
            await schema.execute(DELIVERED, {}, context)

        await self.cancel_everywhere(database, deliver, is_cold=is_cold, steps=12)

    async def test_of_a_mutation_loses_nothing(self, database: Database, is_cold: bool) -> None:  # noqa: FBT001 - a parameter
        author = make_user(role=UserRole.EDITOR)
        await save(database, [author])
        schema, number = Schema(Limits()), 0

        async def create() -> None:
            nonlocal number
            number += 1
            input_ = {"title": f"Post {number}", "markdown": "", "tags": [{"name": f"Tag {number}"}]}
            viewer = Viewer(author.id, UserRole.EDITOR)
            await schema.execute(CREATE, {"input": input_}, Context(database, viewer=viewer))

        await self.cancel_everywhere(database, create, is_cold=is_cold)
        assert 0 < await count(database, Post) == await count(database, Tag) <= number
        await assert_consistent(database)

    async def cancel_everywhere(self, database: Database, work: Work, *, is_cold: bool, steps: int = 6) -> None:
        step = 1
        while await cancelled_at(step, work):
            assert await gets_everything_back(database), step
            if is_cold:
                await database.dispose()
            step += 1
        assert step >= steps


class TestClosedUnit:
    async def test_refuses_a_statement(self, database: Database) -> None:
        unit = database.read()
        await unit.close()
        with pytest.raises(UnitClosed):
            await unit.rows(sa.select(Tag.id))

    async def test_ends_the_statement_that_runs(self, database: Database) -> None:
        unit = database.read()
        running = asyncio.create_task(unit.rows(endless()))
        await asyncio.sleep(0.1)
        await asyncio.wait_for(unit.close(), 3)
        with pytest.raises(UnitClosed):
            await running

    async def test_leaves_a_cancellation_of_the_caller_alone(self, database: Database) -> None:
        unit = database.read()
        running = asyncio.create_task(unit.rows(endless()))
        await asyncio.sleep(0.1)
        closing = asyncio.create_task(unit.close())
        running.cancel()
        await closing
        with pytest.raises(asyncio.CancelledError):
            await running
