"""Tags, and their links to posts."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gqlapi.database.types import SORT_KEY, UtcDateTime
from gqlapi.models.base import Base, Row

MAX_TAG_SLUG_LENGTH = 100
MAX_TAG_NAME_LENGTH = 100
# NFKC makes up to 18 characters of one; an index row of PostgreSQL holds 2,700 bytes.
MAX_TAG_NAME_KEY_LENGTH = 600


class Tag(Row):
    """A tag that posts carry."""

    __tablename__ = "tags"
    __table_args__ = (
        sa.CheckConstraint(f"length(slug) BETWEEN 1 AND {MAX_TAG_SLUG_LENGTH}", name="slug_length"),
        sa.CheckConstraint(f"length(name) BETWEEN 1 AND {MAX_TAG_NAME_LENGTH}", name="name_length"),
        sa.CheckConstraint("length(description) <= 2000", name="description_length"),
    )
    typename: ClassVar[str] = "Tag"

    slug: Mapped[str] = mapped_column(SORT_KEY, unique=True)
    name: Mapped[str] = mapped_column(sa.Text)
    name_key: Mapped[str] = mapped_column(SORT_KEY, unique=True)
    description: Mapped[str | None] = mapped_column(sa.Text)


class PostTag(Base):
    """One tag of one post, at its place in the author's order."""

    __tablename__ = "post_tags"
    __table_args__ = (
        # A tag's page in creation order, and its public page, are each one range of an index.
        sa.Index(None, "tag_id", "post_id"),
        sa.Index(None, "tag_id", "visible_from", "post_id"),
    )

    post_id: Mapped[UUID] = mapped_column(sa.ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    tag_id: Mapped[UUID] = mapped_column(sa.ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(sa.SmallInteger)
    # The post's published_at while it is published and live, else NULL; written in the same transaction as the post.
    visible_from: Mapped[datetime | None] = mapped_column(UtcDateTime)

    tag: Mapped[Tag] = relationship(lazy="raise_on_sql")
