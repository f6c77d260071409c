"""Small models over gqlapi's tables, for the ordinary server."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

MOMENT = sa.DateTime(timezone=True)


def _now() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """The declarative base."""


class PostTagRow(Base):
    """A link of a post to a tag."""

    __tablename__ = "post_tags"
    post_id: Mapped[UUID] = mapped_column(sa.ForeignKey("posts.id"), primary_key=True)
    tag_id: Mapped[UUID] = mapped_column(sa.ForeignKey("tags.id"), primary_key=True)
    position: Mapped[int] = mapped_column(sa.SmallInteger)


class UserRow(Base):
    """A user."""

    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    display_name: Mapped[str]
    role: Mapped[str]
    deleted_at: Mapped[datetime | None] = mapped_column(MOMENT)


class TagRow(Base):
    """A tag."""

    __tablename__ = "tags"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]


class PostRow(Base):
    """A post."""

    __tablename__ = "posts"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(MOMENT, default=_now)
    updated_at: Mapped[datetime] = mapped_column(MOMENT, default=_now)
    author_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"))
    slug: Mapped[str]
    title: Mapped[str]
    title_key: Mapped[str]
    state: Mapped[str] = mapped_column(default="draft")
    published_at: Mapped[datetime | None] = mapped_column(MOMENT)
    deleted_at: Mapped[datetime | None] = mapped_column(MOMENT)
    reading_time_minutes: Mapped[int] = mapped_column(sa.SmallInteger, default=1)
    renderer: Mapped[int] = mapped_column(sa.SmallInteger, default=1)
    markdown: Mapped[str]
    html: Mapped[str] = mapped_column(default="", deferred=True)
    text: Mapped[str] = mapped_column(default="", deferred=True)

    author: Mapped[UserRow] = relationship()


NEWEST = (PostRow.published_at.desc(), PostRow.id.desc())


def is_public() -> sa.ColumnElement[bool]:
    """Condition for published posts whose time has come."""
    return sa.and_(PostRow.state == "published", PostRow.deleted_at.is_(None), PostRow.published_at <= sa.func.now())
