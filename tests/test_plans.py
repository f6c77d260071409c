"""The statements of the repositories are served by the indexes that were made for them."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from operator import methodcaller
from random import Random
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
import sqlalchemy as sa

from gqlapi.database.engine import EngineOptions
from gqlapi.database.pagination import Window
from gqlapi.database.unit import Database
from gqlapi.models import ANONYMOUS, Post, PostStatus, PostTag, Tag, User, UserRole, Viewer, new_id
from gqlapi.repositories import ReadScope, Repositories
from gqlapi.repositories.conditions import Compare, Condition, Operator
from gqlapi.repositories.pages import PageRequest
from gqlapi.schema.ordering import (
    OrderDirection,
    PostOrder,
    PostOrderField,
    TagOrder,
    TagOrderField,
    UserOrder,
    UserOrderField,
    to_ordering,
)
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
    ("author", "PUBLISHED_AT"): "ix_posts_author_id_public",
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


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(world_url: str, rows: dict[str, list[dict[str, Any]]]) -> AsyncIterator[Database]:
    """A database that is only read."""
    database = Database(world_url, EngineOptions(statement_timeout_ms=60_000))
    await fill(database, rows)
    yield database
    await database.dispose()


@contextmanager
def recorded(database: Database) -> Iterator[list[Statement]]:
    """Record each SELECT with its parameters, as the driver gets them."""
    statements: list[Statement] = []

    def record(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            statements.append((statement, tuple(parameters)))

    engine = database.read_engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", record)


@dataclass(frozen=True)
class Step:
    """A step of a plan, and how deep it is in it; 0 is done last, or once."""

    depth: int
    text: str

    @property
    def sorts(self) -> bool:
        """Whether rows are sorted: by SQLite, or by PostgreSQL."""
        return "TEMP B-TREE" in self.text or re.match(r"(Incremental )?Sort +\(", self.text) is not None

    @property
    def reads_all(self) -> bool:
        """Whether a whole table is read, and not by an index."""
        return self.text.startswith(("Seq Scan on", "SCAN post", "SCAN user")) and "USING" not in self.text


Plan = tuple[Step, ...]


AUTOMATIC_INDEX = re.compile(r"sqlite_autoindex_\w+")
# SQLite numbers the indexes of constraints in the order in which the table has these, which is not the same each time.
NAMES_OF_AUTOMATIC_INDEXES = """
SELECT indexes.name, CASE indexes.origin WHEN 'pk' THEN 'pk_' || tables.name
  ELSE 'uq_' || tables.name || '_' || group_concat(columns.name, '_') END
FROM sqlite_master AS tables, pragma_index_list(tables.name) AS indexes, pragma_index_info(indexes.name) AS columns
WHERE tables.type = 'table' AND indexes.name LIKE 'sqlite_autoindex%' GROUP BY indexes.name
"""


class Plans:
    """Reads pages, and shows how the database would run their statements."""

    def __init__(self, database: Database, viewer: Viewer) -> None:
        self.database = database
        self.viewer = viewer

    async def of(self, repository: str, read: Callable[[Any], Awaitable[Any]], *, more: int = 0) -> list[Plan]:
        """Return the plans of the one statement of a read, or of the first one, which `more` follow."""
        unit = self.database.read()
        selected = {"Post": frozenset({"title", "author_id"}), "User": frozenset({"display_name"})}
        try:
            with recorded(self.database) as statements:
                scope = ReadScope(unit, self.database.dialect_name, viewer=self.viewer, selected=selected)
                await read(getattr(Repositories(scope), repository))
        finally:
            await unit.close()
        assert len(statements) == 1 + more
        statement, parameters = statements[0]
        return await self.explain(statement, parameters)

    async def explain(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[Plan]:
        """Return the plan of a statement; on PostgreSQL those of both kinds, for given values and for any."""
        async with self.database.read_engine.connect() as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            if self.database.dialect_name == "sqlite":
                rows = await raw.execute_fetchall(f"EXPLAIN QUERY PLAN {statement}", parameters)
                names = dict(await raw.execute_fetchall(NAMES_OF_AUTOMATIC_INDEXES))
                named = [(*row[:3], AUTOMATIC_INDEX.sub(lambda match: names[match[0]], row[3])) for row in rows]
                return [_plan_of_sqlite(named)]
            plans = []
            for mode in ("force_custom_plan", "force_generic_plan"):
                await raw.execute(f"SET plan_cache_mode = {mode}")
                plans.append(_plan_of_postgresql(await raw.fetch(f"EXPLAIN {statement}", *parameters)))
            await raw.execute("RESET plan_cache_mode")
            return plans

    def check(self, plans: list[Plan], index: str, *, nested: bool = False) -> None:
        """Assert that each plan uses the index, reads no table wholly, and sorts nothing but the rows of pages.

        The pages of several parents are put in order after they were read.
        """
        names = SQLITE_NAMES.get(index, {index}) if self.database.dialect_name == "sqlite" else {index}
        uses = re.compile(rf"(USING|using)( COVERING)?( INDEX)? ({'|'.join(sorted(names))})\b")
        assert plans
        for plan in plans:
            assert any(uses.search(step.text) for step in plan), plan
            assert not any(step.reads_all for step in plan), plan
            assert [step.depth for step in plan if step.sorts] == ([0] if nested else []), plan


def _plan_of_sqlite(rows: Iterable[Any]) -> Plan:
    depths: dict[int, int] = {0: -1}
    steps = []
    for id_, parent, _, text in rows:
        depths[id_] = depths[parent] + 1
        steps.append(Step(depths[id_], text))
    return tuple(steps)


def _plan_of_postgresql(rows: Iterable[Any]) -> Plan:
    lines = (re.fullmatch(r"( *)(?:->  )?(.*)", line) for (line,) in rows)
    return tuple(Step(len(line[1]), line[2]) for line in lines if line)


# SQLite gives the indexes of keys its own names, and takes either of two indexes that begin with `published_at`.
SQLITE_NAMES = {
    "ix_posts_public": {"ix_posts_public", "ix_posts_published_at_id"},
}


# An editor's list of all posts: without a filter it has what the public sees.
NOT_DELETED = Compare("deleted_at", Operator.IS_NULL, value=True)


def request(order: Any, after: tuple[Any, ...] | None = None, condition: Condition | None = None) -> PageRequest:
    return PageRequest(to_ordering([order]), Window(20, after=after), condition)


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
                    wanted = request(order, after, NOT_DELETED if viewer == "editor" else None)
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
                plans.check(await plans.of("posts", methodcaller(read, ids, wanted)), index, nested=True)

    async def test_use_the_index_of_all_posts_of_authors_for_an_editor(
        self, database: Database, rows: dict[str, list[dict[str, Any]]]
    ) -> None:
        plans, ids = Plans(database, VIEWERS["editor"]), [row["id"] for row in rows["users"][:20]]
        all_of_them = Compare("status", Operator.IN, tuple(PostStatus))
        wanted = request(PostOrder(field=PostOrderField.PUBLISHED_AT), condition=all_of_them)
        plan = await plans.of("posts", methodcaller("page_by_author_ids", ids, wanted))
        plans.check(plan, "ix_posts_author_id_published_at_id", nested=True)

    @pytest.mark.parametrize(
        ("repository", "order", "index"),
        [
            ("users", UserOrder(field=UserOrderField.POST_COUNT), "ix_posts_author_id_public"),
            ("tags", TagOrder(field=TagOrderField.POST_COUNT), "ix_post_tags_tag_id_visible_from_post_id"),
        ],
    )
    async def test_count_public_posts_by_their_index(
        self, database: Database, repository: str, order: UserOrder | TagOrder, index: str
    ) -> None:
        for plan in await Plans(database, VIEWERS["editor"]).of(repository, methodcaller("page", request(order))):
            assert any(re.search(rf"(INDEX|Scan using|Scan on) {index}\b", step.text) for step in plan), plan

    @pytest.mark.parametrize(
        ("read", "size", "index"),
        [
            ("previous_by_ids", (), "ix_posts_public"),
            ("next_by_ids", (), "ix_posts_public"),
            ("related_by_ids", (5,), "ix_post_tags_tag_id_visible_from_post_id"),
        ],
    )
    async def test_find_what_is_around_posts_by_an_index(
        self, database: Database, rows: dict[str, list[dict[str, Any]]], read: str, size: tuple[int, ...], index: str
    ) -> None:
        ids = [row["id"] for row in rows["posts"][1:20]]
        plans = await Plans(database, ANONYMOUS).of("neighbours", methodcaller(read, ids, *size), more=1)
        names = "|".join(SQLITE_NAMES.get(index, {index}))
        for plan in plans:
            assert any(re.search(rf"(INDEX|Scan using|Scan Backward using) ({names})\b", step.text) for step in plan), (
                plan
            )
            assert not any(step.reads_all for step in plan), plan

    async def test_use_the_index_of_each_ordering_of_users(self, database: Database) -> None:
        plans = Plans(database, ANONYMOUS)
        indexes = {
            "CREATED_AT": "pk_users",
            "USERNAME": "uq_users_username_key",
            "DISPLAY_NAME": "ix_users_display_name_key_id",
        }
        for (name, index), direction in product(indexes.items(), OrderDirection):
            wanted = request(UserOrder(field=UserOrderField[name], direction=direction))
            plans.check(await plans.of("users", methodcaller("page", wanted)), index)


class TestCheck:
    """A check of plans that passed them all would look the same."""

    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT id FROM posts ORDER BY title LIMIT 20",
            "SELECT id FROM posts WHERE id > '00000000-0000-0000-0000-000000000000' ORDER BY title, id LIMIT 20",
            "SELECT title FROM posts LIMIT 20",
        ],
    )
    async def test_fails_when_rows_are_sorted_or_all_are_read(self, database: Database, statement: str) -> None:
        plans = Plans(database, ANONYMOUS)
        with pytest.raises(AssertionError):
            plans.check(await plans.explain(statement), "pk_posts")

    async def test_fails_when_the_rows_of_each_parent_are_sorted(self, database: Database) -> None:
        plans = Plans(database, ANONYMOUS)
        statement = (
            "SELECT id, (SELECT p.id FROM posts p WHERE p.author_id = users.id ORDER BY p.title LIMIT 1) FROM users "
            "WHERE id = '00000000-0000-0000-0000-000000000000' ORDER BY display_name"
        )
        with pytest.raises(AssertionError):
            plans.check(await plans.explain(statement), "pk_users", nested=True)
