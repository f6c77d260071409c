"""The change feed: what happened to posts, in the order in which it happened."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from gqlapi.database.types import UtcDateTime, enum_column_type, utc_now
from gqlapi.models.base import Base


class ChangeKind(StrEnum):
    """What happened to a post."""

    CREATED = "created"
    UPDATED = "updated"
    PUBLISHED = "published"
    UNPUBLISHED = "unpublished"
    ARCHIVED = "archived"
    DELETED = "deleted"
    RESTORED = "restored"


class PostChange(Base):
    """One change of a post, written in the transaction that made it (a transactional outbox).

    `id` is taken inside the transaction: a change with a lower one may be committed later. `position` is given when the
    change is committed, in the order of `id` among those that are, and then nothing comes before it any more.
    """

    __tablename__ = "post_changes"
    # SQLite would give the number of a pruned row again.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy reads it as a plain attribute

    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True
    )
    kind: Mapped[ChangeKind] = mapped_column(enum_column_type(ChangeKind, "kind"))
    # No foreign keys: the feed refers to rows that may be deleted.
    post_id: Mapped[UUID] = mapped_column(sa.Uuid)
    author_id: Mapped[UUID] = mapped_column(sa.Uuid)
    version: Mapped[int] = mapped_column(sa.Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    position: Mapped[int | None] = mapped_column(sa.BigInteger, index=True, unique=True)
    # Whether the public could see the post just before the change, and so learns that it is gone.
    was_public: Mapped[bool] = mapped_column(sa.Boolean, default=False, server_default=sa.false())


class FeedState(Base):
    """The state of the change feed: one row, which those who give positions lock."""

    __tablename__ = "feed_state"

    id: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    # The highest position that was given.
    last_position: Mapped[int] = mapped_column(sa.BigInteger)
    # Scheduled posts that became public before have their change.
    published_until: Mapped[datetime] = mapped_column(UtcDateTime)
