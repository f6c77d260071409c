"""Which posts are public: the one rule, for statements about posts and about users, and how many there are."""

from typing import Any

import sqlalchemy as sa

from gqlapi.models import Post, PostState, PostTag

# A literal in the SQL: a bound value hides it from partial indexes.
PUBLISHED: sa.ColumnElement[str] = sa.literal_column(f"'{PostState.PUBLISHED}'")
COUNTED_POSTS = Post.__table__.alias("counted_posts")
COUNTED_LINKS = PostTag.__table__.alias("counted_links")


def is_public(posts: Any, now: Any) -> sa.ColumnElement[bool]:
    """Condition for published posts whose time has come; `posts` are the columns of the table or of an alias."""
    return sa.and_(posts.state == PUBLISHED, posts.deleted_at.is_(None), posts.published_at <= now)


def public_posts_of_author(user_id: sa.ColumnElement[Any], now: Any) -> sa.ScalarSelect[int]:
    """Count the public posts of a user: a range of an index that nothing but the index is read for."""
    posts = COUNTED_POSTS.c
    return _count(COUNTED_POSTS, user_id, posts.author_id == user_id, is_public(posts, now))


def public_posts_of_tag(tag_id: sa.ColumnElement[Any], now: Any) -> sa.ScalarSelect[int]:
    """Count the public posts of a tag: a range of an index that nothing but the index is read for."""
    links = COUNTED_LINKS.c
    return _count(COUNTED_LINKS, tag_id, links.tag_id == tag_id, links.visible_from <= now)


def _count(source: Any, key: Any, *conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    counted = sa.select(sa.func.count()).select_from(source).where(*conditions)
    return counted.correlate(key.table).scalar_subquery()
