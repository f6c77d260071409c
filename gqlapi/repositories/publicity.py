"""Which posts are public: the one rule, for statements about posts and about users."""

from typing import Any

import sqlalchemy as sa

from gqlapi.models import PostState

# A literal in the SQL: a bound value hides it from partial indexes.
PUBLISHED: sa.ColumnElement[str] = sa.literal_column(f"'{PostState.PUBLISHED}'")


def is_public(posts: Any, now: Any) -> sa.ColumnElement[bool]:
    """Condition for published posts whose time has come; `posts` are the columns of the table or of an alias."""
    return sa.and_(posts.state == PUBLISHED, posts.deleted_at.is_(None), posts.published_at <= now)
