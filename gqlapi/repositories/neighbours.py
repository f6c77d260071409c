"""Reads of the posts around a post: before and after it in publication order, and those that share its tags.

All of them are public, whoever reads. Each read takes two statements: one finds the keys, the other one the posts.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gqlapi.database.dialect import bind_ids, is_one_of
from gqlapi.database.types import UtcDateTime
from gqlapi.models import Post, PostTag
from gqlapi.models.base import EPOCH
from gqlapi.repositories.base import ReadScope
from gqlapi.repositories.posts import PostRepository
from gqlapi.repositories.publicity import is_public
from gqlapi.repositories.records import PostRecord
from gqlapi.repositories.sources import NOW, Draft, reading

OWN = Post.__table__.alias("own")
OTHERS = Post.__table__.alias("others")
OWN_LINKS = PostTag.__table__.alias("own_links")
LINKS = PostTag.__table__.alias("links")
COUNTED = PostTag.__table__.alias("counted")
# Of each tag: a tag may have any number of posts.
MAX_CANDIDATES = 100


class NeighbourRepository:
    """Reads of the public posts around posts, which may be of any kind."""

    def __init__(self, scope: ReadScope, posts: PostRepository) -> None:
        """Bind the repository to an operation."""
        self._scope = scope
        self._posts = posts

    async def previous_by_ids(self, ids: Sequence[UUID]) -> list[PostRecord | None]:
        """Read the newest post that was published before each post, None where there is none."""
        return await self._beside(ids, is_next=False)

    async def next_by_ids(self, ids: Sequence[UUID]) -> list[PostRecord | None]:
        """Read the oldest post that was published after each post, None where there is none."""
        return await self._beside(ids, is_next=True)

    async def related_by_ids(self, ids: Sequence[UUID], size: int) -> list[list[PostRecord]]:
        """Read the posts that share most tags with each post, the newest first of those that share as many.

        Of each tag, the newest 100 posts are compared.
        """
        rows = await self._read(ids, _related, size=size)
        posts = await self._by_ids([other for _, other in rows])
        found: dict[UUID, list[PostRecord]] = {}
        for id_, other in rows:
            if other in posts:
                found.setdefault(id_, []).append(posts[other])
        return [found.get(id_, []) for id_ in ids]

    async def _beside(self, ids: Sequence[UUID], *, is_next: bool) -> list[PostRecord | None]:
        found = dict(await self._read(ids, _next if is_next else _previous))
        posts = await self._by_ids([other for other in found.values() if other is not None])
        return [posts.get(found.get(id_)) for id_ in ids]

    async def _by_ids(self, ids: Sequence[UUID]) -> dict[UUID | None, PostRecord]:
        if not ids:
            return {}
        records = await self._posts.list_by_ids([*dict.fromkeys(ids)])
        return {record.id: record for record in records if record is not None}

    async def _read(self, ids: Sequence[UUID], build: Any, **values: Any) -> Sequence[Any]:
        dialect_name = self._scope.dialect_name
        kept, make = reading(dialect_name, build, dialect_name)
        values |= {**self._scope.values, **bind_ids(dialect_name, ids)}
        rows: Sequence[Any] = make(await self._scope.unit.fetch(kept, values))
        return [(row[0], row[1]) for row in rows]


def _previous(dialect_name: str) -> Draft:
    return _beside(dialect_name, is_next=False)


def _next(dialect_name: str) -> Draft:
    return _beside(dialect_name, is_next=True)


def _beside(dialect_name: str, *, is_next: bool) -> Draft:
    """Select the key of the neighbour of each post: the first entry of a range of an index."""
    own, others = OWN.c, OTHERS.c
    place, other_place = sa.tuple_(own.published_at, own.id), sa.tuple_(others.published_at, others.id)
    is_beside = other_place > place if is_next else other_place < place
    order = [others.published_at, others.id]
    neighbour = (
        sa.select(others.id)
        .where(is_public(others, NOW), is_beside)
        .order_by(*(order if is_next else [column.desc() for column in order]))
        .limit(sa.literal_column("1", sa.Integer))
        .correlate(OWN)
        .scalar_subquery()
    )
    return Draft(sa.select(own.id, neighbour).where(is_one_of(dialect_name, own.id)))


def _related(dialect_name: str) -> Draft:
    """Select the keys of the posts that share tags with each post, best first: as many as the parameter `size`."""
    own, links = _own_links(dialect_name).c, LINKS.c
    is_candidate = sa.and_(
        links.tag_id == own.tag_id,
        links.visible_from <= NOW,
        # The range of an index; what has the time of the last candidate is compared by its key.
        links.visible_from >= sa.func.coalesce(own.last_time, sa.bindparam("epoch", EPOCH, UtcDateTime)),
        sa.or_(own.last_time.is_(None), links.visible_from > own.last_time, links.post_id >= own.last_id),
    )
    shared = (
        sa.select(own.id, links.post_id.label("other"))
        .add_columns(sa.func.count().label("tags"), sa.func.max(links.visible_from).label("since"))
        .where(is_candidate, links.post_id != own.id)
        .group_by(own.id, links.post_id)
        .subquery("shared")
    )
    best_first = (shared.c.tags.desc(), shared.c.since.desc(), shared.c.other.desc())
    place = sa.func.row_number().over(partition_by=shared.c.id, order_by=best_first).label("place")
    ranked = sa.select(shared.c.id, shared.c.other, place).subquery("ranked")
    fits = ranked.c.place <= sa.bindparam("size", type_=sa.Integer)
    return Draft(sa.select(ranked.c.id, ranked.c.other).where(fits).order_by(ranked.c.id, ranked.c.place))


def _own_links(dialect_name: str) -> sa.CTE:
    """Select the tags of each post with time and key of the last candidate among the posts of each tag, if it has one.

    Materialized: else SQLite would join from the tags, and find their posts again for each post. Measured 290 against
    87 ms for 100 posts of 100,000.
    """
    own, counted = OWN_LINKS.c, COUNTED.c
    last = (
        sa.select(counted.visible_from, counted.post_id)
        .where(counted.tag_id == own.tag_id, counted.visible_from <= NOW)
        .order_by(counted.visible_from.desc(), counted.post_id.desc())
        .limit(sa.literal_column("1", sa.Integer))
        .offset(sa.literal_column(str(MAX_CANDIDATES - 1), sa.Integer))
        .correlate(OWN_LINKS)
    )
    time, key = (last.with_only_columns(column).scalar_subquery() for column in (counted.visible_from, counted.post_id))
    statement = sa.select(own.post_id.label("id"), own.tag_id, time.label("last_time"), key.label("last_id"))
    return statement.where(is_one_of(dialect_name, own.post_id)).cte("own").prefix_with("MATERIALIZED")
