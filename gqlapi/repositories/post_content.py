"""What is made from a post's Markdown, and made again when the renderer changes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.dialect import AnySelect
from gqlapi.database.search import Indexed
from gqlapi.models import Post
from gqlapi.repositories.search import Kind, SearchIndex

POSTS = Post.__table__.c


class StalePost(NamedTuple):
    """A post to be rendered again."""

    id: UUID
    title: str
    markdown: str


class PostContentRepository:
    """Re-rendering, which is no edit: versions and times of change stay as they are."""

    def __init__(self, session: AsyncSession) -> None:
        """Work in a session's transaction."""
        self._session = session

    async def count_stale(self, renderer: int | None) -> int:
        """Count the posts that another renderer than this one made, or all posts."""
        statement = sa.select(sa.func.count()).select_from(Post.__table__).where(_is_stale(renderer))
        return (await self._session.execute(statement)).scalar_one()

    async def list_stale(self, renderer: int | None, *, after: UUID | None, limit: int) -> list[StalePost]:
        """Read the next stale posts in the order of their ids, deleted ones among them."""
        statement: AnySelect = sa.select(POSTS.id, POSTS.title, POSTS.markdown).where(_is_stale(renderer))
        if after is not None:
            statement = statement.where(POSTS.id > after)
        rows: Sequence[Any] = (await self._session.execute(statement.order_by(POSTS.id).limit(limit))).all()
        return [StalePost(*row) for row in rows]

    async def replace(self, contents: Sequence[tuple[StalePost, Mapping[str, Any]]]) -> None:
        """Write columns made from the posts' Markdown, and index the posts again."""
        made: dict[str, Any] = {
            name: sa.bindparam(name) for name in ("html", "text", "reading_time_minutes", "renderer")
        }
        update = sa.update(Post).where(POSTS.id == sa.bindparam("post_id")).values(made)
        connection = await self._session.connection()
        # Stated, or the column's onupdate would take this for an edit.
        statement = update.values(updated_at=POSTS.updated_at)
        await connection.execute(statement, [{"post_id": post.id, **columns} for post, columns in contents])
        index = SearchIndex(self._session)
        documents = [(post.id, Kind.POST, Indexed.of(post.title, columns["text"])) for post, columns in contents]
        async for _ in index.put_all(documents):
            pass


def _is_stale(renderer: int | None) -> sa.ColumnElement[bool]:
    return sa.true() if renderer is None else POSTS.renderer != renderer
