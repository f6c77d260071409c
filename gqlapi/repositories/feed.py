"""The change feed: reads of it, and the positions that its changes get when they are committed."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.read_unit import ReadUnit
from gqlapi.models import ChangeKind, FeedState, Post, PostChange, PostState, PostTag
from gqlapi.repositories.locks import for_change
from gqlapi.repositories.post_rows import visible_from

BATCH_SIZE = 1_000
# Changes that get their positions in one transaction.
NUMBERED_AT_ONCE = 10_000
# A post may be scheduled by a server whose clock is behind, and its transaction be committed after its time.
OVERLAP = timedelta(seconds=60)
# Of LISTEN and NOTIFY.
CHANNEL = "gqlapi_feed"
# Kinds by which a post may have become public at once.
PUBLISHING = (ChangeKind.PUBLISHED, ChangeKind.CREATED, ChangeKind.RESTORED)


class Change(NamedTuple):
    """A change of a post at its position; `was_public`: the public could see the post just before."""

    position: int
    kind: ChangeKind
    post_id: UUID
    author_id: UUID
    version: int
    was_public: bool
    created_at: datetime


class FeedStatus(NamedTuple):
    """How far the positions go, and what is waiting for one."""

    last_position: int
    has_new: bool
    next_publication: datetime | None


class PostFacts(NamedTuple):
    """What decides who may see a post: its author, since when the public does, whether it is deleted, its tags."""

    author_id: UUID
    visible_from: datetime | None
    is_deleted: bool
    tag_ids: frozenset[UUID]


async def read_status(unit: ReadUnit) -> FeedStatus:
    """Read the state of the feed."""
    has_new = sa.exists().where(PostChange.position.is_(None))
    next_publication = sa.select(sa.func.min(Post.published_at)).where(
        Post.state == PostState.PUBLISHED, Post.deleted_at.is_(None), Post.published_at > FeedState.published_until
    )
    columns: list[Any] = [FeedState.last_position, has_new, next_publication.correlate(FeedState).scalar_subquery()]
    [(last_position, is_new, moment)] = await _rows(unit, columns)
    return FeedStatus(last_position, bool(is_new), moment)


async def list_changes(unit: ReadUnit, after: int) -> list[Change]:
    """Read up to 1,000 changes after a position, in the order of their positions."""
    statement = sa.select(*_columns(PostChange, Change._fields)).where(PostChange.position > after)
    rows = await unit.rows(statement.order_by(PostChange.position).limit(BATCH_SIZE))
    return [Change._make(row) for row in rows]


async def get_first_position(unit: ReadUnit) -> int | None:
    """Read the lowest position that has not been pruned."""
    [(position,)] = await _rows(unit, [sa.func.min(PostChange.position)])
    return None if position is None else int(position)


async def read_facts(unit: ReadUnit, ids: Collection[UUID]) -> dict[UUID, PostFacts]:
    """Read what decides who may see posts, in two statements; one that was purged is left out."""
    tags: dict[UUID, set[UUID]] = {}
    for post_id, tag_id in await _rows(unit, _columns(PostTag, ("post_id", "tag_id")), PostTag.post_id.in_(ids)):
        tags.setdefault(post_id, set()).add(tag_id)
    columns = _columns(Post, ("id", "author_id", "state", "published_at", "deleted_at"))
    return {
        id_: PostFacts(
            author_id,
            visible_from(state, published_at, deleted_at),
            deleted_at is not None,
            frozenset(tags.get(id_, ())),
        )
        for id_, author_id, state, published_at, deleted_at in await _rows(unit, columns, Post.id.in_(ids))
    }


def _columns(model: Any, names: Sequence[str]) -> list[Any]:
    return [getattr(model, name) for name in names]


async def _rows(unit: ReadUnit, columns: list[Any], *conditions: sa.ColumnElement[bool]) -> Sequence[Any]:
    return await unit.rows(sa.select(*columns).where(*conditions))


async def give_positions(session: AsyncSession, now: datetime, *, since: datetime) -> int:
    """Give positions to up to 10,000 changes that are committed and have none; return to how many.

    Posts whose scheduled time has passed after `since` get their change first: each one once, because the state is
    locked, and because a change that made the post public is looked for.
    """
    state = (await session.scalars(for_change(sa.select(FeedState), of=FeedState))).one()
    from_ = max(state.published_until - OVERLAP, since)
    if state.published_until < now:
        await session.execute(_publications(from_, now))
        state.published_until = now
    # In its own statement, which sees what was committed while this one waited for the lock.
    given: Any = await session.execute(_numbering(), {"last_position": state.last_position})
    state.last_position += given.rowcount
    await session.flush()
    return int(given.rowcount)


@cache
def _numbering() -> sa.Update:
    """Return the statement that gives positions in the order of the ids, without a gap."""
    table: Any = PostChange.__table__
    number = sa.func.row_number().over(order_by=table.c.id).label("number")
    new = sa.select(table.c.id, number).where(table.c.position.is_(None)).order_by(table.c.id).limit(NUMBERED_AT_ONCE)
    rows = new.subquery("new")
    place = sa.bindparam("last_position", type_=table.c.position.type) + rows.c.number
    return sa.update(table).where(table.c.id == rows.c.id).values(position=place)


async def notify(session: AsyncSession, sender: str) -> None:
    """Notify those who listen, on PostgreSQL, that there may be changes."""
    await session.execute(sa.select(sa.func.pg_notify(CHANNEL, sender)))


def _publications(from_: datetime, now: datetime) -> sa.Insert:
    """Return the statement that notes which scheduled posts have become public."""
    was_noted = sa.exists().where(
        PostChange.post_id == Post.id,
        PostChange.kind.in_(PUBLISHING),
        PostChange.created_at >= Post.published_at,
        PostChange.created_at >= from_,
    )
    values = (sa.literal(ChangeKind.PUBLISHED, PostChange.kind.type), Post.id, Post.author_id, Post.version)
    due = (
        sa.select(*values, sa.false(), sa.literal(now, PostChange.created_at.type))
        .where(Post.state == PostState.PUBLISHED, Post.deleted_at.is_(None))
        .where(Post.published_at > from_, Post.published_at <= now, ~was_noted)
        .order_by(Post.published_at, Post.id)
    )
    columns = ["kind", "post_id", "author_id", "version", "was_public", "created_at"]
    return sa.insert(PostChange).from_select(columns, due)
