"""Migrations over rows that are there: the search finds them, and keys are made anew without changing what is shown."""

from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database import migrations
from gqlapi.database.migrations import connect
from gqlapi.database.search import DOCUMENTS
from gqlapi.models import Post, Tag, User
from tests.api import serve, settings_for
from tests.factories import make_draft, make_post, make_tag, make_user, save

BEFORE_SEARCH, BEFORE_KEYS, BEFORE_NAMES = "4d1f6c0b7a25", "b3d90f5a6e17", "a5d0c93e7b14"
SEARCH = "query($query: String!) { search(query: $query, first: 100) { nodes { __typename } } }"


async def migrate(url: str, direction: str, revision: str) -> None:
    """Do what `alembic upgrade` and `alembic downgrade` do."""

    def run(connection: sa.Connection) -> None:
        config = migrations._config()
        config.attributes["connection"] = connection
        getattr(command, direction)(config, revision)

    async with connect(url) as connection:
        await connection.run_sync(run)


async def execute(url: str, statement: str, **values: Any) -> None:
    async with connect(url) as connection:
        await connection.execute(sa.text(statement), values)
        await connection.commit()


class TestSearch:
    async def test_finds_everything_after_down_and_up(self, database_url: str) -> None:
        async with serve(settings_for(database_url)) as api:
            ada, tag = make_user(username="ada", bio="quince"), make_tag(name="Quince")
            gone = make_user(username="gone", bio="quince")
            posts = [make_post(ada, tag, markdown="*quince*") for _ in range(60)]
            await save(api.database, [ada, gone, tag, *posts, make_draft(ada, markdown="quince")])
        await execute(database_url, "UPDATE users SET deleted_at = created_at WHERE username = 'gone'")
        await migrate(database_url, "downgrade", BEFORE_SEARCH)
        await migrate(database_url, "upgrade", "head")
        async with serve(settings_for(database_url)) as api:
            nodes = (await api.data(SEARCH, {"query": "quince"}))["search"]["nodes"]
            async with api.database.write() as session:
                documents = (await session.execute(sa.select(sa.func.count()).select_from(DOCUMENTS))).scalar_one()
        assert {node["__typename"] for node in nodes} == {"Post", "Tag", "User"}
        assert documents == 63


ROWS = """
query { tags { nodes { name slug } } posts { nodes { title slug } } }
"""


@pytest.fixture
async def old_url(database_url: str) -> str:
    """An old database, with rows that today's rules refuse."""
    async with serve(settings_for(database_url)) as api:
        users = [make_user(username=name) for name in ("admin", "bela", "cora")]
        tags = [make_tag(name=name) for name in ("heart", "ist", "web")]
        await save(api.database, [*users, *tags, make_post(users[0], *tags, title="T", slug="t")])
    await migrate(database_url, "downgrade", BEFORE_KEYS)
    changes = {
        "UPDATE users SET username = :x, username_key = :x WHERE username = 'bela'": "\u0430dmin",
        "UPDATE users SET username = :x, username_key = :x WHERE username = 'cora'": "admin\ufe0f",
        "UPDATE tags SET name = :x, name_key = :x WHERE name = 'heart'": "❤\ufe0f",
        "UPDATE tags SET name = 'İst', name_key = :x WHERE name = 'web'": "i\u0307st",
        "UPDATE posts SET title = 'İstanbul', title_key = :x": "i\u0307stanbul",
    }
    for statement, value in changes.items():
        await execute(database_url, statement, x=value)
    return database_url


class TestTextKeys:
    async def test_changes_nothing_that_is_shown(self, old_url: str) -> None:
        await migrate(old_url, "upgrade", "head")
        async with serve(settings_for(old_url)) as api:
            data = await api.data(ROWS)
        async with connect(old_url) as connection, AsyncSession(connection) as session:
            usernames = {*await session.scalars(sa.select(User.username))}
        assert usernames == {"admin", "\u0430dmin", "admin\ufe0f"}
        assert {tag["name"] for tag in data["tags"]["nodes"]} == {"❤\ufe0f", "ist", "İst"}
        assert data["posts"]["nodes"] == [{"title": "İstanbul", "slug": "t"}]

    async def test_makes_keys_anew_where_they_are_free(self, old_url: str) -> None:
        await migrate(old_url, "upgrade", "head")
        async with connect(old_url) as connection, AsyncSession(connection) as session:
            keys = {tag.name: tag.name_key for tag in await session.scalars(sa.select(Tag))}
            titles = {*await session.scalars(sa.select(Post.title_key))}
            users = {user.username: user for user in await session.scalars(sa.select(User))}
        assert keys == {"❤\ufe0f": "❤", "ist": "ist", "İst": "i\u0307st"}
        assert titles == {"istanbul"}
        assert {name: user.username_key for name, user in users.items()} == {name: name for name in users}
        assert {name: user.username_skeleton is not None for name, user in users.items()} == {
            "admin": True,
            "\u0430dmin": False,
            "admin\ufe0f": False,
        }

    async def test_finds_the_title_without_its_dot(self, old_url: str) -> None:
        await migrate(old_url, "upgrade", "head")
        async with serve(settings_for(old_url)) as api:
            for value in ("ist", "İst", "IST"):
                query = "query($x: String!) { posts(filter: {title: {contains: $x}}) { totalCount } }"
                assert (await api.data(query, {"x": value}))["posts"]["totalCount"] == 1


class TestDisplayNames:
    async def test_order_the_users_that_are_there(self, database_url: str) -> None:
        names = ["bela", "Ada", "ÇA", "ça", "\U0001f98a"]
        async with serve(settings_for(database_url)) as api:
            users = [make_user(display_name=name) for name in names]
            await save(api.database, [*users, *map(make_post, users)])
        await migrate(database_url, "downgrade", BEFORE_NAMES)
        await migrate(database_url, "upgrade", "head")
        async with serve(settings_for(database_url)) as api:
            data = await api.data("{ users(orderBy: [{ field: DISPLAY_NAME }]) { nodes { displayName } } }")
        assert [node["displayName"] for node in data["users"]["nodes"]] == ["Ada", "bela", "ÇA", "ça", "\U0001f98a"]

    async def test_of_an_older_server_are_written(self, database_url: str) -> None:
        async with serve(settings_for(database_url)) as api:
            await save(api.database, [user := make_user()])
        names = "id, version, created_at, updated_at, username, username_key, display_name, role"
        values = names.replace("id,", ":id,").replace("username, username_key", "'x', 'x'")
        statement = f"INSERT INTO users ({names}) SELECT {values} FROM users"  # noqa: S608 - names of columns
        other = make_user().id
        await execute(database_url, statement, id=other if "postgresql" in database_url else other.hex)
        async with connect(database_url) as connection, AsyncSession(connection) as session:
            keys = {found.username: found.display_name_key for found in await session.scalars(sa.select(User))}
        assert keys == {user.username: user.username, "x": ""}
