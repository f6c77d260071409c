"""Rows that are no longer needed."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.models import ApiToken, AuditEvent, FieldUsage, IdempotencyKey, Post, PostChange, RefreshToken, Session
from gqlapi.repositories.locks import skip_locked
from gqlapi.repositories.search import SearchIndex

BATCH_SIZE = 1_000
# With their texts, links and search entries: a batch holds up no writer for long.
POSTS_AT_ONCE = 50
IDEMPOTENCY_KEPT_FOR = timedelta(hours=24)
USAGE_KEPT_FOR = timedelta(days=365)


class Prunable(StrEnum):
    """What can be pruned."""

    SESSIONS = "expired sessions"
    REFRESH_TOKENS = "expired refresh tokens"
    API_TOKENS = "expired API tokens"
    IDEMPOTENCY_KEYS = "old idempotency keys"
    POST_CHANGES = "old changes of posts"
    AUDIT_EVENTS = "old events of the audit trail"
    FIELD_USAGE = "fields that a client has not used for a year"
    DELETED_POSTS = "deleted posts"


class Ages(NamedTuple):
    """The times before which rows are no longer needed; None keeps deleted posts for good."""

    now: datetime
    changes_before: datetime
    events_before: datetime
    posts_before: datetime | None


async def prune_batch(session: AsyncSession, kind: Prunable, ages: Ages) -> int:
    """Delete up to 1,000 rows of a kind (50 posts), oldest first, and return how many."""
    if kind is Prunable.DELETED_POSTS:
        return await _purge_posts(session, ages.posts_before)
    now = ages.now
    keys, expired = {
        Prunable.SESSIONS: ((Session.id,), Session.expires_at < now),
        Prunable.REFRESH_TOKENS: ((RefreshToken.hash,), RefreshToken.expires_at < now),
        Prunable.API_TOKENS: ((ApiToken.id,), ApiToken.expires_at < now),
        Prunable.IDEMPOTENCY_KEYS: (
            (IdempotencyKey.user_id, IdempotencyKey.key),
            IdempotencyKey.created_at < now - IDEMPOTENCY_KEPT_FOR,
        ),
        # Those with a position only: by a gap in the positions a subscriber knows that it has missed some.
        Prunable.POST_CHANGES: (
            (PostChange.id,),
            (PostChange.created_at < ages.changes_before) & PostChange.position.is_not(None),
        ),
        Prunable.AUDIT_EVENTS: ((AuditEvent.id,), AuditEvent.created_at < ages.events_before),
        Prunable.FIELD_USAGE: (
            (FieldUsage.coordinate, FieldUsage.client),
            FieldUsage.last_used_at < now - USAGE_KEPT_FOR,
        ),
    }[kind]
    columns: tuple[Any, ...] = keys
    # Rows that a server is deleting at this moment are left to it.
    few = skip_locked(sa.select(*columns).where(expired).order_by(*columns).limit(BATCH_SIZE))
    target: Any = sa.tuple_(*columns) if len(columns) > 1 else columns[0]
    statement = sa.delete(columns[0].class_).where(target.in_(few)).returning(columns[0])
    return len((await session.execute(statement)).all())


async def _purge_posts(session: AsyncSession, before: datetime | None) -> int:
    """Delete posts that can no longer be restored; their links, slugs and search entries go with them."""
    if before is None:
        return 0
    expired = sa.select(Post.id).where(Post.deleted_at < before).order_by(Post.deleted_at, Post.id)
    # A post that is being restored at this moment is left alone.
    few = [*await session.scalars(skip_locked(expired.limit(POSTS_AT_ONCE)))]
    if few:
        await SearchIndex(session).remove(few)
        await session.execute(sa.delete(Post).where(Post.id.in_(few)))
    return len(few)
