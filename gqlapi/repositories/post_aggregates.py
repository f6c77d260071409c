"""Figures about posts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from gqlapi.database.dialect import AnySelect, utc_period
from gqlapi.models import Post, PostTag
from gqlapi.repositories.base import ReadScope
from gqlapi.repositories.conditions import Condition
from gqlapi.repositories.posts import PostRepository

POSTS = Post.__table__.c
LINKS = PostTag.__table__.c


class PostGroup(StrEnum):
    """What posts can be grouped by."""

    STATUS = "status"
    AUTHOR = "author"
    TAG = "tag"
    DAY = "day"
    MONTH = "month"


PERIODS = frozenset({PostGroup.DAY, PostGroup.MONTH})


@dataclass(frozen=True, slots=True)
class PostBucketRow:
    """The figures of one group; `key` is a status, an id, or a period in UTC."""

    key: Any
    count: int
    first_published_at: datetime | None
    last_published_at: datetime | None


class PostAggregateRepository:
    """Figures about the posts that the viewer may see; each method runs one statement."""

    def __init__(self, scope: ReadScope, posts: PostRepository) -> None:
        """Bind the repository to an operation."""
        self._scope = scope
        self._posts = posts

    async def summary(self, condition: Condition | None, *, with_length: bool) -> tuple[int, float | None]:
        """Return the number of posts, and the mean length of their texts, which reads every text."""
        length = sa.func.avg(sa.func.length(POSTS.text)) if with_length else sa.null()
        statement: AnySelect = sa.select(sa.func.count(), length).where(self._posts.matching(condition))
        rows: Sequence[Any] = await self._scope.unit.rows(statement.select_from(Post.__table__))
        count, mean = rows[0]
        return int(count), None if mean is None else float(mean)

    async def buckets(self, condition: Condition | None, group: PostGroup, top: int) -> Sequence[PostBucketRow]:
        """Return the largest groups, largest first; of days and months the latest, latest first."""
        key = self._keys()[group]
        source: sa.FromClause = Post.__table__
        if group is PostGroup.TAG:
            source = source.join(PostTag.__table__, LINKS.post_id == POSTS.id)
        count = sa.func.count()
        statement: AnySelect = (
            sa.select(key, count, sa.func.min(POSTS.published_at), sa.func.max(POSTS.published_at))
            .select_from(source)
            .where(self._posts.matching(condition))
            .group_by(key)
            .order_by(*([] if group in PERIODS else [count.desc()]), key.desc())
            .limit(top)
        )
        if group in PERIODS:
            statement = statement.where(POSTS.published_at.is_not(None))
        rows: Sequence[Any] = await self._scope.unit.rows(statement)
        return [PostBucketRow(*row) for row in rows]

    def _keys(self) -> Mapping[PostGroup, sa.ColumnElement[Any]]:
        dialect_name = self._scope.dialect_name
        return {
            PostGroup.STATUS: self._posts.column("status"),
            PostGroup.AUTHOR: POSTS.author_id,
            PostGroup.TAG: LINKS.tag_id,
            PostGroup.DAY: utc_period(dialect_name, POSTS.published_at, by_month=False),
            PostGroup.MONTH: utc_period(dialect_name, POSTS.published_at, by_month=True),
        }
