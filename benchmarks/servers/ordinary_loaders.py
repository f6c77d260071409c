"""The loaders of the ordinary server, one set for each request."""

import asyncio
from collections import defaultdict
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from aiodataloader import DataLoader
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from benchmarks.servers.ordinary_models import NEWEST, PostRow, PostTagRow, TagRow, UserRow, is_public


class Loaders:
    """Loaders over the session of a request, under a lock: a session allows one statement at a time."""

    def __init__(self, session: AsyncSession) -> None:
        """Load by a session."""
        self._session = session
        self.lock = asyncio.Lock()
        self.users: DataLoader[UUID, UserRow] = DataLoader(self._load_users)
        self.tags: DataLoader[UUID, list[TagRow]] = DataLoader(self._load_tags)
        self.posts: DataLoader[tuple[UUID, int], list[PostRow]] = DataLoader(self._load_posts)
        self.post_counts: DataLoader[UUID, int] = DataLoader(self._count_posts)

    async def _load_users(self, ids: list[UUID]) -> list[UserRow]:
        statement = sa.select(UserRow).where(UserRow.id.in_(ids))
        async with self.lock:
            users = {user.id: user for user in await self._session.scalars(statement)}
        return [users[id_] for id_ in ids]

    async def _load_tags(self, ids: list[UUID]) -> list[list[TagRow]]:
        statement = (
            sa.select(PostTagRow.post_id, TagRow)
            .join(TagRow, TagRow.id == PostTagRow.tag_id)
            .where(PostTagRow.post_id.in_(ids))
            .order_by(PostTagRow.post_id, PostTagRow.position)
        )
        groups: dict[UUID, list[TagRow]] = defaultdict(list)
        async with self.lock:
            for post_id, tag in await self._session.execute(statement):
                groups[post_id].append(tag)
        return [groups[id_] for id_ in ids]

    async def _load_posts(self, keys: list[tuple[UUID, int]]) -> list[list[PostRow]]:
        number = sa.func.row_number().over(partition_by=PostRow.author_id, order_by=NEWEST).label("number")
        numbered = sa.select(PostRow, number).where(PostRow.author_id.in_([key[0] for key in keys]), is_public())
        subquery = numbered.subquery()
        post = aliased(PostRow, subquery)
        most = max(first for _, first in keys)
        statement = sa.select(post).where(subquery.c.number <= most).order_by(subquery.c.author_id, subquery.c.number)
        groups: dict[UUID, list[PostRow]] = defaultdict(list)
        async with self.lock:
            for row in await self._session.scalars(statement):
                groups[row.author_id].append(row)
        return [groups[id_][:first] for id_, first in keys]

    async def _count_posts(self, ids: list[UUID]) -> list[int]:
        statement = sa.select(PostRow.author_id, sa.func.count()).where(PostRow.author_id.in_(ids), is_public())
        async with self.lock:
            rows: Any = await self._session.execute(statement.group_by(PostRow.author_id))
            counts = {row[0]: row[1] for row in rows}
        return [counts.get(id_, 0) for id_ in ids]
