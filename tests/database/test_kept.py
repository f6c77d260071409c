"""A kept statement behaves as one that SQLAlchemy executes: its values, its transaction, its failures."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from gqlapi.database.dialect import bind_ids, is_one_of
from gqlapi.database.engine import EngineOptions
from gqlapi.database.kept import KeptStatement
from gqlapi.database.tracing import ExplainingTrace, Trace, tracing
from gqlapi.database.unit import Database
from gqlapi.models import Post, Tag, User, UserRole
from tests.api import gets_everything_back
from tests.consistency import count
from tests.factories import LONG_AGO, make_post, make_tag, make_user, save
from tests.postgres import Kill, pid_of

USERS, POSTS, TAGS = User.__table__.c, Post.__table__.c, Tag.__table__.c


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, EngineOptions(pool_size=2, statement_timeout_ms=1_000))
    yield database
    assert await gets_everything_back(database)
    await database.dispose()


def kept(statement: Any, database: Database) -> KeptStatement:
    return KeptStatement(statement, database.dialect_name)


async def fetch(database: Database, statement: Any, **values: Any) -> list[tuple[Any, ...]]:
    async with database.write() as session:
        return [tuple(row) for row in await kept(statement, database).rows(session, values)]


class TestValues:
    async def test_are_those_of_the_types(self, database: Database) -> None:
        user = make_user(role=UserRole.EDITOR)
        await save(database, [user])
        statement = sa.select(USERS.id, USERS.role, USERS.created_at, USERS.deleted_at).where(
            USERS.id == sa.bindparam("id", type_=sa.Uuid), USERS.role == sa.bindparam("role", type_=USERS.role.type)
        )
        [row] = await fetch(database, statement, id=user.id, role=UserRole.EDITOR)
        assert row == (user.id, UserRole.EDITOR, user.created_at, None)
        assert [type(value) for value in row[1:]] == [UserRole, type(user.created_at), type(None)]
        assert await fetch(database, statement, id=user.id, role=UserRole.ADMIN) == []

    async def test_that_are_left_out_are_those_of_the_statement(self, database: Database) -> None:
        await save(database, [make_user(role=UserRole.EDITOR)])
        statement = sa.select(USERS.role).where(USERS.role == UserRole.EDITOR).limit(sa.bindparam("page_limit", 5))
        assert await fetch(database, statement) == [(UserRole.EDITOR,)]
        assert await fetch(database, statement, page_limit=0) == []

    async def test_may_be_any_number_of_ids(self, database: Database) -> None:
        tags = [make_tag() for _ in range(3)]
        await save(database, tags)
        statement = sa.select(TAGS.id).where(is_one_of(database.dialect_name, TAGS.id)).order_by(TAGS.id)
        for some in (tags, tags[:1], []):
            ids = [tag.id for tag in some]
            assert await fetch(database, statement, **bind_ids(database.dialect_name, ids)) == [(id_,) for id_ in ids]

    async def test_that_shape_the_text_are_refused(self, database: Database) -> None:
        with pytest.raises(ValueError, match="depend"):
            kept(sa.select(TAGS.id).where(TAGS.id.in_([UUID(int=1)])), database)


class TestTransaction:
    async def test_is_that_of_the_session(self, database: Database) -> None:
        insert = sa.insert(Tag).values({name: sa.bindparam(name) for name in TAGS.keys()}).returning(TAGS.id)  # noqa: SIM118 - a collection, not a dict
        values = {"id": UUID(int=7), "version": 1, "created_at": LONG_AGO, "updated_at": LONG_AGO, "slug": "a"}
        values |= {"name": "A", "name_key": "a", "description": None}
        statement = kept(insert, database)

        async def fail() -> None:
            async with database.write() as session:
                assert [tuple(row) for row in await statement.rows(session, values)] == [(UUID(int=7),)]
                raise LookupError

        with pytest.raises(LookupError):
            await fail()
        assert await count(database, Tag) == 0
        async with database.write() as session:
            await statement.rows(session, values)
        assert await count(database, Tag) == 1

    async def test_sees_what_was_flushed_before(self, database: Database) -> None:
        async with database.write() as session:
            session.add(make_tag(slug="flushed"))
            await session.flush()
            assert [tuple(row) for row in await kept(sa.select(TAGS.slug), database).rows(session, {})] == [
                ("flushed",)
            ]

    async def test_ends_with_a_violated_constraint(self, database: Database) -> None:
        await save(database, [make_tag(slug="one"), make_tag(slug="two")])
        update = sa.update(Tag).values(slug="one", updated_at=LONG_AGO).where(TAGS.slug == "two")
        with pytest.raises(IntegrityError) as raised:
            await fetch(database, update)
        assert "slug" in str(raised.value.orig)
        assert await count(database, Tag) == 2


class TestTracing:
    async def test_counts(self, database: Database) -> None:
        trace = Trace()
        with tracing(trace):
            async with database.write() as session:
                for _ in range(2):
                    await kept(sa.select(TAGS.id), database).rows(session, {})
        assert trace.statements == 2
        assert trace.seconds > 0

    async def test_explains(self, database: Database) -> None:
        author = make_user()
        await save(database, [author, *(make_post(author) for _ in range(3))])
        trace = ExplainingTrace()
        statement = sa.select(POSTS.id).where(POSTS.author_id == sa.bindparam("author", type_=sa.Uuid)).limit(2)
        with tracing(trace):
            async with database.write() as session:
                await kept(statement, database).rows(session, {"author": author.id})
        [explained] = trace.explained
        assert (explained.rows, bool(explained.plan)) == (2, True)


class TestFailures:
    @pytest.fixture
    def database_url(self, postgresql_url: str) -> str:
        return postgresql_url

    async def test_of_a_statement_leave_the_connection(self, database: Database) -> None:
        slow = sa.select(sa.cast(sa.func.pg_sleep(5), sa.Text))
        with pytest.raises(DBAPIError) as raised:
            await fetch(database, slow)
        assert getattr(raised.value.orig, "sqlstate", None) == "57014"
        assert not raised.value.connection_invalidated

    async def test_of_the_connection_replace_it(self, database: Database, kill: Kill) -> None:
        statement = kept(sa.select(TAGS.id), database)

        async def lose() -> None:
            async with database.write() as session:
                await statement.rows(session, {})
                await kill(await (await session.connection()).run_sync(pid_of))
                await statement.rows(session, {})

        with pytest.raises(DBAPIError) as raised:
            await lose()
        assert raised.value.connection_invalidated
        async with database.write() as session:
            assert [*await statement.rows(session, {})] == []

    async def test_by_cancellation_replace_the_connection(self, database: Database) -> None:
        async with database.write() as session:
            before = await (await session.connection()).run_sync(pid_of)
        sleeping = asyncio.create_task(fetch(database, sa.select(sa.cast(sa.func.pg_sleep(5), sa.Text))))
        await asyncio.sleep(0.2)
        sleeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sleeping
        async with database.write() as session:
            assert await (await session.connection()).run_sync(pid_of) != before
