"""Reads of the names, titles and keys that are stored, as they are."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gqlapi.database.read_unit import ReadUnit
from gqlapi.database.unit import Database
from gqlapi.models import Post, Row, Tag, User

ROWS_AT_ONCE = 500

USER_TEXTS = (
    *("id", "username", "username_key", "username_skeleton", "display_name", "display_name_key"),
    *("email", "email_key", "avatar_url"),
)
TAG_TEXTS = ("id", "slug", "name", "name_key")
POST_TEXTS = ("id", "slug", "title", "title_key")


async def read_users(database: Database) -> AsyncIterator[Any]:
    """Yield the texts of all users who are not deleted, in the order of their ids."""
    async for row in _read(database, User, USER_TEXTS, User.deleted_at.is_(None)):
        yield row


async def read_tags(database: Database) -> AsyncIterator[Any]:
    """Yield the texts of all tags, in the order of their ids."""
    async for row in _read(database, Tag, TAG_TEXTS, sa.true()):
        yield row


async def read_posts(database: Database) -> AsyncIterator[Any]:
    """Yield the texts of all posts, deleted ones among them, in the order of their ids."""
    async for row in _read(database, Post, POST_TEXTS, sa.true()):
        yield row


async def count_look_alikes(unit: ReadUnit) -> int:
    """Count the users whose names look like those of others, from before such names were refused."""
    is_one = sa.and_(User.username_skeleton.is_(None), User.deleted_at.is_(None))
    ((count,),) = await unit.rows(sa.select(sa.func.count()).select_from(User).where(is_one))
    return int(count)


async def _read(
    database: Database, model: type[Row], names: tuple[str, ...], condition: sa.ColumnElement[bool]
) -> AsyncIterator[Any]:
    """Read 500 rows at a time, each page in its own unit, so that no transaction is long."""
    columns = [getattr(model, name) for name in names]
    last: UUID | None = None
    while True:
        follows = sa.true() if last is None else model.id > last
        statement = sa.select(*columns).where(condition, follows).order_by(model.id).limit(ROWS_AT_ONCE)
        unit = database.read()
        try:
            rows = await unit.rows(statement)
        finally:
            await unit.close()
        for row in rows:
            yield row
        if len(rows) < ROWS_AT_ONCE:
            return
        last = rows[-1].id
