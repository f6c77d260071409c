"""What imports look up and exports read."""

from collections.abc import AsyncIterator
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload, undefer

from gqlapi.database.read_unit import ReadUnit
from gqlapi.models import Post, PostTag, Tag, User, UserRole
from gqlapi.repositories.locks import for_change

PAGE_SIZE = 200


class AuthorName(NamedTuple):
    """What somebody who may write posts is called."""

    username_key: str
    display_name: str


class ImportRepository:
    """Looks for the rows that a file is about, deleted ones among them."""

    def __init__(self, session: AsyncSession) -> None:
        """Work in a session's transaction."""
        self._session = session

    async def get_post_by_slug(self, slug: str) -> Post | None:
        """Load a post with its tags and its texts, and lock it."""
        statement = (
            sa.select(Post)
            .where(Post.slug == slug)
            .options(selectinload(Post.post_tags), undefer(Post.markdown), undefer(Post.text))
        )
        return (await self._session.scalars(for_change(statement, of=Post))).one_or_none()

    async def get_user_by_key(self, username_key: str) -> User | None:
        """Load a user by the folded name."""
        return (await self._session.scalars(sa.select(User).where(User.username_key == username_key))).one_or_none()

    async def list_author_names(self) -> list[AuthorName]:
        """Read what those are called who may write posts, the oldest account first."""
        statement = (
            sa.select(User.username_key, User.display_name)
            .where(User.deleted_at.is_(None), User.role != UserRole.READER)
            .order_by(User.id)
        )
        return [AuthorName(*row) for row in await self._session.execute(statement)]


async def read_posts(unit: ReadUnit) -> AsyncIterator[Post]:
    """Yield all posts that are not deleted, with authors and tags, in the order of their ids: 200 at a time."""
    last: UUID | None = None
    while True:
        statement = (
            sa.select(Post)
            .where(Post.deleted_at.is_(None), sa.true() if last is None else Post.id > last)
            .order_by(Post.id)
            .limit(PAGE_SIZE)
            .options(
                undefer(Post.markdown),
                selectinload(Post.author),
                selectinload(Post.post_tags).selectinload(PostTag.tag),
            )
        )
        posts = await unit.entities(statement)
        for post in posts:
            yield post
        if len(posts) < PAGE_SIZE:
            return
        last = posts[-1].id


async def count_posts(unit: ReadUnit) -> int:
    """Count the posts that are not deleted."""
    ((count,),) = await unit.rows(sa.select(sa.func.count()).select_from(Post).where(Post.deleted_at.is_(None)))
    return int(count)


async def read_authors(unit: ReadUnit) -> list[User]:
    """Read those who may write posts, and those who have written one, in the order of their names."""
    has_posts = User.id.in_(sa.select(Post.author_id).where(Post.deleted_at.is_(None)))
    may_write = sa.and_(User.deleted_at.is_(None), User.role != UserRole.READER)
    return [*await unit.entities(sa.select(User).where(sa.or_(may_write, has_posts)).order_by(User.username_key))]


async def read_tags(unit: ReadUnit) -> list[Tag]:
    """Read all tags in the order of their names."""
    return [*await unit.entities(sa.select(Tag).order_by(Tag.name_key))]
