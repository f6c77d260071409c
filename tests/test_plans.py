"""The statements of the repositories are served by the indexes that were made for them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import product
from operator import methodcaller
from random import Random
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from gqlapi.database.engine import EngineOptions
from gqlapi.database.pagination import Window
from gqlapi.database.unit import Database
from gqlapi.models import ANONYMOUS, Post, PostTag, Tag, User, UserRole, Viewer, new_id
from gqlapi.repositories import ReadScope, Repositories
from gqlapi.repositories.pages import PageRequest
from gqlapi.schema.ordering import OrderDirection, PostOrder, PostOrderField, UserOrder, UserOrderField, to_ordering
from tests.factories import LONG_AGO, make_tag, make_user

POSTS = 20_000
VIEWERS = {"anonymous": ANONYMOUS, "editor": Viewer(UUID(int=1), UserRole.EDITOR)}
# The index of each single-key ordering; the editor's, where it is another.
ROOT = {"CREATED_AT": "pk_posts", "UPDATED_AT": "ix_posts_updated_at_id", "TITLE": "ix_posts_title_key_id"}
ROOT_BY_VIEWER = {
    "anonymous": {**ROOT, "PUBLISHED_AT": "ix_posts_public"},
    "editor": {**ROOT, "PUBLISHED_AT": "ix_posts_published_at_id"},
}
NESTED = {
    ("author", "PUBLISHED_AT"): "ix_posts_author_id_published_at_id",
    ("author", "CREATED_AT"): "ix_posts_author_id_id",
    ("tag", "PUBLISHED_AT"): "ix_post_tags_tag_id_visible_from_post_id",
    ("tag", "CREATED_AT"): "ix_post_tags_tag_id_post_id",
}
Statement = tuple[str, tuple[Any, ...]]


@pytest.fixture(scope="module")
def rows() -> dict[str, list[dict[str, Any]]]:
    """20,000 posts, one in 20 a draft, of 200 authors and with three of 100 tags each."""
    random = Random(5)  # noqa: S311 - test data
    users, tags = [_plain(make_user()) for _ in range(200)], [_plain(make_tag()) for _ in range(100)]
    posts, links = [], []
    for number in range(POSTS):
        created_at = LONG_AGO + timedelta(minutes=number)
        is_draft = number % 20 == 0
        post = {
            "id": new_id(created_at, random.getrandbits),
            "created_at": created_at,
            "updated_at": created_at + timedelta(minutes=random.randrange(10**6)),
            "author_id": random.choice(users)["id"],
            "slug": f"post-{number}",
            "title": f"Post {random.randrange(10**6)}",
            "title_key": f"post {random.randrange(10**6)}",
            "state": "draft" if is_draft else "published",
            "published_at": None if is_draft else created_at + timedelta(minutes=random.randrange(10**4)),
            "reading_time_minutes": 1,
            "renderer": 1,
            "version": 1,
            "markdown": "text " * 40,
            "html": "text " * 40,
            "text": "text " * 40,
        }
        posts.append(post)
        links += [
            {"post_id": post["id"], "tag_id": tag["id"], "position": place, "visible_from": post["published_at"]}
            for place, tag in enumerate(random.sample(tags, 3))
        ]
    return {"users": users, "tags": tags, "posts": posts, "post_tags": links}


def _plain(row: User | Tag) -> dict[str, Any]:
    stored = {name: getattr(row, name) for name in row.__table__.c.keys() if getattr(row, name) is not None}  # noqa: SIM118 - a collection, not a dict
    return {"version": 1, "created_at": LONG_AGO, "updated_at": LONG_AGO, **stored}


async def fill(database: Database, rows: dict[str, list[dict[str, Any]]]) -> None:
    async with database.write() as session:
        connection = await session.connection()
        for model in (User, Tag, Post, PostTag):
            name = str(model.__tablename__)
            if database.dialect_name == "postgresql":
                raw: Any = (await connection.get_raw_connection()).driver_connection
                records = [tuple(row.values()) for row in rows[name]]
                await raw.copy_records_to_table(name, columns=[*rows[name][0]], records=records)
            else:
                await connection.execute(sa.insert(model), rows[name])
        await connection.exec_driver_sql("ANALYZE")


@pytest.fixture
async def database(database_url: str, rows: dict[str, list[dict[str, Any]]]) -> AsyncIterator[Database]:
    database = Database(database_url, EngineOptions(statement_timeout_ms=60_000))
    await fill(database, rows)
    yield database
    await database.dispose()


@contextmanager
def recorded(database: Database) -> Iterator[list[Statement]]:
    """Record each SELECT with its parameters, as the driver gets them."""
    statements: list[Statement] = []

    def record(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            statements.append((statement, tuple(parameters)))

    engine = database.read_engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", record)


class Plans:
    """Reads pages, and tells how the database would run their statements."""

    def __init__(self, database: Database, viewer: Viewer) -> None:
        self.database = database
        self.viewer = viewer

    async def of(self, repository: str, read: Callable[[Any], Awaitable[Any]]) -> str:
        """Return the plan of the one statement of a read; on PostgreSQL both kinds, for given values and for any."""
        unit = self.database.read()
        selected = {"Post": frozenset({"title", "author_id"}), "User": frozenset({"display_name"})}
        try:
            with recorded(self.database) as statements:
                scope = ReadScope(unit, self.database.dialect_name, viewer=self.viewer, selected=selected)
                await read(getattr(Repositories(scope), repository))
        finally:
            await unit.close()
        ((statement, parameters),) = statements
        async with self.database.read_engine.connect() as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            if self.database.dialect_name == "sqlite":
                found = await raw.execute_fetchall(f"EXPLAIN QUERY PLAN {statement}", parameters)
                return "\n".join(row[3] for row in found)
            plans = []
            for mode in ("force_custom_plan", "force_generic_plan"):
                await raw.execute(f"SET plan_cache_mode = {mode}")
                plans += await raw.fetch(f"EXPLAIN {statement}", *parameters)
                plans += [["~~~"]]
            await raw.execute("RESET plan_cache_mode")
            return "\n".join(row[0] for row in plans)

    def check(self, plan: str, index: str) -> None:
        """Assert that the index is used in each plan, and that none reads all posts."""
        if self.database.dialect_name == "sqlite":
            names = SQLITE_NAMES.get(index, {index})
            assert names & set(plan.split()), plan
            assert not {"SCAN posts", "SCAN post_tags", "USE TEMP B-TREE FOR ORDER BY"} & set(plan.splitlines()[:1]), (
                plan
            )
            return
        assert "Seq Scan on post" not in plan, plan
        for one_plan in plan.split("~~~")[:2]:
            assert f"using {index} on" in one_plan, plan


# SQLite gives the indexes of keys names of its own, and takes either of two indexes that begin with `published_at`.
SQLITE_NAMES = {
    "pk_posts": {"sqlite_autoindex_posts_1"},
    "pk_users": {"sqlite_autoindex_users_1"},
    "uq_users_username_key": {"sqlite_autoindex_users_2"},
    "ix_posts_public": {"ix_posts_public", "ix_posts_published_at_id"},
}


def request(order: Any, after: tuple[Any, ...] | None = None, *, backward: bool = False) -> PageRequest:
    return PageRequest(to_ordering([order]), Window(20, backward=backward, after=after))


def cursor_values(rows: list[dict[str, Any]], order: PostOrderField) -> tuple[Any, ...]:
    """Return the values of a row in the middle of the list."""
    row = rows[POSTS // 2 + 1]
    attribute = order.value.attribute
    return (row["id"],) if attribute == "id" else (row[attribute], row["id"])


class TestPlans:
    async def test_use_the_index_of_each_ordering_at_the_root(
        self, database: Database, rows: dict[str, list[dict[str, Any]]]
    ) -> None:
        for viewer, indexes in ROOT_BY_VIEWER.items():
            plans = Plans(database, VIEWERS[viewer])
            for (name, index), direction in product(indexes.items(), OrderDirection):
                order = PostOrder(field=PostOrderField[name], direction=direction)
                for after in (None, cursor_values(rows["posts"], PostOrderField[name])):
                    wanted = request(order, after)
                    plans.check(await plans.of("posts", methodcaller("page", wanted)), index)

    async def test_use_the_index_of_each_nested_page(
        self, database: Database, rows: dict[str, list[dict[str, Any]]]
    ) -> None:
        plans = Plans(database, ANONYMOUS)
        for ((parent, name), index), direction in product(NESTED.items(), OrderDirection):
            ids = [row["id"] for row in rows["users" if parent == "author" else "tags"][:20]]
            order = PostOrder(field=PostOrderField[name], direction=direction)
            for after in (None, cursor_values(rows["posts"], PostOrderField[name])):
                wanted = request(order, after)
                read = f"page_by_{parent}_ids"
                plans.check(await plans.of("posts", methodcaller(read, ids, wanted)), index)

    async def test_use_the_index_of_each_ordering_of_users(self, database: Database) -> None:
        plans = Plans(database, ANONYMOUS)
        indexes = {"CREATED_AT": "pk_users", "USERNAME": "uq_users_username_key"}
        for (name, index), direction in product(indexes.items(), OrderDirection):
            wanted = request(UserOrder(field=UserOrderField[name], direction=direction))
            plans.check(await plans.of("users", methodcaller("page", wanted)), index)
