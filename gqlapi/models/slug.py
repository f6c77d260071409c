"""Slugs of posts and tags, current and old: each belongs to one row."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from gqlapi.database import slugs
from gqlapi.database.types import SORT_KEY
from gqlapi.models.base import Base
from gqlapi.models.post import MAX_POST_SLUG_LENGTH
from gqlapi.models.tag import MAX_TAG_SLUG_LENGTH


class PostSlug(Base):
    """A slug that a post has, or had when it was public; triggers write those that posts have."""

    __tablename__ = slugs.POST_SLUGS.name
    __table_args__ = (sa.CheckConstraint(f"length(slug) BETWEEN 1 AND {MAX_POST_SLUG_LENGTH}", name="slug_length"),)

    post_id: Mapped[UUID] = mapped_column(sa.ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    slug: Mapped[str] = mapped_column(SORT_KEY, primary_key=True, unique=True)


class TagSlug(Base):
    """A slug that a tag has, or that a tag had which was merged into it; triggers write those that tags have."""

    __tablename__ = slugs.TAG_SLUGS.name
    __table_args__ = (sa.CheckConstraint(f"length(slug) BETWEEN 1 AND {MAX_TAG_SLUG_LENGTH}", name="slug_length"),)

    tag_id: Mapped[UUID] = mapped_column(sa.ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True)
    slug: Mapped[str] = mapped_column(SORT_KEY, primary_key=True, unique=True)


@sa.event.listens_for(PostSlug.__table__, "after_create")
def _create_post_triggers(_table: sa.Table, connection: sa.Connection, **_: object) -> None:
    slugs.create_on(connection, slugs.POST_SLUGS)


@sa.event.listens_for(TagSlug.__table__, "after_create")
def _create_tag_triggers(_table: sa.Table, connection: sa.Connection, **_: object) -> None:
    slugs.create_on(connection, slugs.TAG_SLUGS)
