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
    """One change of a post, written in the transaction that made it (a transactional outbox)."""

    __tablename__ = "post_changes"
    # SQLite would give the number of a pruned row again.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy reads it as a plain attribute

    position: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True
    )
    kind: Mapped[ChangeKind] = mapped_column(enum_column_type(ChangeKind, "kind"))
    # No foreign keys: the feed refers to rows that may be deleted.
    post_id: Mapped[UUID] = mapped_column(sa.Uuid)
    author_id: Mapped[UUID] = mapped_column(sa.Uuid)
    version: Mapped[int] = mapped_column(sa.Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
