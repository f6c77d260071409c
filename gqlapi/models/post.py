"""Posts: what users write."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, query_expression, relationship

from gqlapi.database.types import SORT_KEY, UtcDateTime, enum_column_type
from gqlapi.models.base import Row
from gqlapi.models.tag import PostTag, Tag
from gqlapi.models.user import User


class PostState(StrEnum):
    """What is stored about a post's publication."""

    DRAFT = "draft"
    PUBLISHED = "published"
    ARCHIVED = "archived"


class PostStatus(StrEnum):
    """The status in the API: a published post whose time is in the future is SCHEDULED, by the clock alone."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    ARCHIVED = "archived"


class SlugRule(StrEnum):
    """Where the slug of a post comes from, and whether it changes with the title.

    TITLE: made from the title, and made anew when the title changes. CHOSEN: given by a client. FIXED: the post was
    published under it, or is scheduled; its slugs are its own for good.
    """

    TITLE = "title"
    CHOSEN = "chosen"
    FIXED = "fixed"


MAX_TITLE_LENGTH = 300
# The key is longer than the title where NFKC expands a character; an index row of PostgreSQL holds 2,700 bytes.
MAX_TITLE_KEY_LENGTH = 600
MAX_POST_SLUG_LENGTH = 200

LIVE = sa.text("deleted_at IS NULL")
DELETED = sa.text("deleted_at IS NOT NULL")
PUBLISHED_AND_LIVE = sa.text("state = 'published' AND deleted_at IS NULL")


def _partial_index(*columns: str, where: sa.TextClause, name: str) -> sa.Index:
    return sa.Index(name, *columns, postgresql_where=where, sqlite_where=where)


class Post(Row):
    """A post.

    `html`, `text` and `reading_time_minutes` are made from `markdown` when it is written, by the renderer whose
    version is in `renderer`.
    """

    __tablename__ = "posts"
    __table_args__ = (
        sa.CheckConstraint(f"length(title) BETWEEN 1 AND {MAX_TITLE_LENGTH}", name="title_length"),
        sa.CheckConstraint(f"length(title_key) BETWEEN 1 AND {MAX_TITLE_KEY_LENGTH}", name="title_key_length"),
        sa.CheckConstraint(f"length(slug) BETWEEN 1 AND {MAX_POST_SLUG_LENGTH}", name="slug_length"),
        sa.CheckConstraint("state <> 'published' OR published_at IS NOT NULL", name="published_has_time"),
        _partial_index("published_at", "id", where=PUBLISHED_AND_LIVE, name="ix_posts_public"),
        _partial_index("published_at", "id", where=LIVE, name="ix_posts_published_at_id"),
        _partial_index("updated_at", "id", where=LIVE, name="ix_posts_updated_at_id"),
        _partial_index("title_key", "id", where=LIVE, name="ix_posts_title_key_id"),
        _partial_index("author_id", "published_at", "id", where=LIVE, name="ix_posts_author_id_published_at_id"),
        _partial_index("author_id", "id", where=LIVE, name="ix_posts_author_id_id"),
        # For `gqlapi prune`, which removes them after a time.
        _partial_index("deleted_at", "id", where=DELETED, name="ix_posts_deleted_at_id"),
        # The public posts of an author are counted and paged from it alone.
        _partial_index("author_id", "published_at", "id", where=PUBLISHED_AND_LIVE, name="ix_posts_author_id_public"),
    )
    typename: ClassVar[str] = "Post"

    author_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="RESTRICT"))
    slug: Mapped[str] = mapped_column(SORT_KEY, unique=True)
    title: Mapped[str] = mapped_column(sa.Text)
    title_key: Mapped[str] = mapped_column(SORT_KEY)
    state: Mapped[PostState] = mapped_column(enum_column_type(PostState, "state"), default=PostState.DRAFT)
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reading_time_minutes: Mapped[int] = mapped_column(sa.SmallInteger)
    renderer: Mapped[int] = mapped_column(sa.SmallInteger)
    # Wide columns are last and are read only when they are selected.
    markdown: Mapped[str] = mapped_column(sa.Text, deferred=True)
    html: Mapped[str] = mapped_column(sa.Text, deferred=True)
    text: Mapped[str] = mapped_column(sa.Text, deferred=True)
    # Rows of earlier versions keep their slugs.
    slug_rule: Mapped[SlugRule] = mapped_column(
        enum_column_type(SlugRule, "slug_rule"), default=SlugRule.FIXED, server_default=SlugRule.FIXED.value
    )

    # Not stored: a repository fills them in, because they depend on the clock and on what is asked for.
    status: Mapped[PostStatus | None] = query_expression()
    text_head: Mapped[str | None] = query_expression()

    author: Mapped[User] = relationship(lazy="raise_on_sql")
    post_tags: Mapped[list[PostTag]] = relationship(
        lazy="raise_on_sql", order_by=PostTag.position, cascade="all, delete-orphan", passive_deletes=True
    )

    @property
    def visible_from(self) -> datetime | None:
        """What `PostTag.visible_from` must hold."""
        is_public = self.state is PostState.PUBLISHED and self.deleted_at is None
        return self.published_at if is_public else None

    @property
    def tags(self) -> list[Tag]:
        """The tags in the author's order; `post_tags` must be loaded."""
        return [link.tag for link in self.post_tags]
