"""Aggregate statistics about posts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from gqlapi.database.dialect import AnySelect, utc_period
from gqlapi.models import Post, PostTag
from gqlapi.repositories.base import ReadScope
from gqlapi.repositories.conditions import Condition, Separation
from gqlapi.repositories.posts import PostRepository, PostSource
from gqlapi.repositories.sources import Build, Draft, reading

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
    """Aggregate statistics about the posts of a list with the same filter; each method runs one statement."""

    def __init__(self, scope: ReadScope, posts: PostRepository) -> None:
        """Bind the repository to an operation."""
        self._scope = scope
        self._posts = posts

    async def summary(self, condition: Condition | None, *, with_length: bool) -> tuple[int, float | None]:
        """Return the number of posts, and the mean length of their texts, which reads every text."""
        ((count, mean),) = await self._read(condition, _summary, with_length)
        return int(count), None if mean is None else float(mean)

    async def buckets(self, condition: Condition | None, group: PostGroup, top: int) -> Sequence[PostBucketRow]:
        """Return the largest groups, largest first; days and months are sorted newest first."""
        rows = await self._read(condition, _buckets, group, top=top)
        return [PostBucketRow(*row) for row in rows]

    async def _read(self, condition: Condition | None, build: Build, option: Any, **values: Any) -> Sequence[Any]:
        posts = self._posts.listing(condition)
        separation = Separation(condition, posts.filterable, self._scope.folded_keys)
        values |= self._scope.values | separation.values
        if separation.is_kept:
            kept, make = reading(self._scope.dialect_name, build, posts, separation.form, option)
            rows: Sequence[Any] = make(await self._scope.unit.fetch(kept, values))
            return rows
        return await self._scope.unit.rows(build(posts, separation.form, option).statement, values)


def _summary(posts: PostSource, form: Condition | None, with_length: bool) -> Draft:  # noqa: FBT001 - a part of the shape
    length = sa.func.avg(sa.func.length(POSTS.text)) if with_length else sa.null()
    statement: AnySelect = sa.select(sa.func.count(), length).where(posts.matching(form))
    return Draft(statement.select_from(Post.__table__))


def _buckets(posts: PostSource, form: Condition | None, group: PostGroup) -> Draft:
    key = _keys(posts)[group]
    source: sa.FromClause = Post.__table__
    if group is PostGroup.TAG:
        source = source.join(PostTag.__table__, LINKS.post_id == POSTS.id)
    count = sa.func.count()
    statement: AnySelect = (
        sa.select(key, count, sa.func.min(POSTS.published_at), sa.func.max(POSTS.published_at))
        .select_from(source)
        .where(posts.matching(form))
        .group_by(key)
        .order_by(*([] if group in PERIODS else [count.desc()]), key.desc())
        .limit(sa.bindparam("top", type_=sa.Integer()))
    )
    return Draft(statement.where(POSTS.published_at.is_not(None)) if group in PERIODS else statement)


def _keys(posts: PostSource) -> Mapping[PostGroup, sa.ColumnElement[Any]]:
    return {
        PostGroup.STATUS: posts.column("status"),
        PostGroup.AUTHOR: POSTS.author_id,
        PostGroup.TAG: LINKS.tag_id,
        PostGroup.DAY: utc_period(posts.dialect_name, POSTS.published_at, by_month=False),
        PostGroup.MONTH: utc_period(posts.dialect_name, POSTS.published_at, by_month=True),
    }
