"""What imports look up and exports read."""

from collections.abc import AsyncIterator
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload, undefer

from gqlapi.database.unit import ReadUnit
from gqlapi.models import Post, PostTag, Tag, User

PAGE_SIZE = 200


class ImportRepository:
    """Looks for rows that a file is about, deleted ones among them, and locks them."""

    def __init__(self, session: AsyncSession) -> None:
        """Work in a session's transaction."""
        self._session = session

    async def get_post_by_slug(self, slug: str) -> Post | None:
        """Load a post with its tags and its texts."""
        statement = (
            sa.select(Post)
            .where(Post.slug == slug)
            .options(selectinload(Post.post_tags), undefer(Post.markdown), undefer(Post.text))
            .with_for_update(of=Post)
        )
        return (await self._session.scalars(statement)).one_or_none()

    async def get_user_by_key(self, username_key: str) -> User | None:
        """Load a user by the folded name."""
        return (await self._session.scalars(sa.select(User).where(User.username_key == username_key))).one_or_none()

    async def get_tag_by_name_key(self, name_key: str) -> Tag | None:
        """Load a tag by the folded name."""
        return (await self._session.scalars(sa.select(Tag).where(Tag.name_key == name_key))).one_or_none()


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


async def read_tags(unit: ReadUnit) -> list[Tag]:
    """Read all tags in the order of their names."""
    return [*await unit.entities(sa.select(Tag).order_by(Tag.name_key))]
