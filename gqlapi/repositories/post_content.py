"""What is made from a post's Markdown, and made again when the renderer changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.content import RENDERER_VERSION, Checkpoint, RenderedContent, no_checkpoint, render
from gqlapi.database.dialect import AnySelect
from gqlapi.database.search import Indexed, PreparedText
from gqlapi.models import Post
from gqlapi.repositories.search import Kind, SearchIndex

POSTS = Post.__table__.c
RENDERED_COLUMNS = ("html", "text", "reading_time_minutes", "renderer")


@dataclass(frozen=True, slots=True)
class PostContent:
    """What is stored of a post beside its Markdown: what readers see, and the words that it is found by."""

    rendered: RenderedContent
    body: PreparedText

    @classmethod
    def of(cls, markdown: str, checkpoint: Checkpoint = no_checkpoint) -> "PostContent":
        """Render Markdown and prepare its words, which takes up to a second for 100,000 characters.

        Raises:
            Unrenderable: it would take too long, or become too long.
        """
        rendered = render(markdown, checkpoint)
        return cls(rendered, PreparedText(rendered.text, checkpoint))

    def columns(self) -> dict[str, Any]:
        """Return the columns of the post that are made from its Markdown."""
        content = self.rendered
        values = (content.html, content.text, content.reading_time_minutes, RENDERER_VERSION)
        return dict(zip(RENDERED_COLUMNS, values, strict=True))


class StalePost(NamedTuple):
    """A post to be rendered again."""

    id: UUID
    version: int
    slug: str
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

    async def list_stale(
        self, renderer: int | None, *, after: UUID | None, limit: int, max_length: int
    ) -> list[StalePost]:
        """Read the next stale posts in the order of their ids, deleted ones among them.

        At most `limit`, and at most `max_length` characters of Markdown, but at least one. Two statements.
        """
        lengths: AnySelect = sa.select(POSTS.id, sa.func.length(POSTS.markdown)).where(_is_stale(renderer))
        if after is not None:
            lengths = lengths.where(POSTS.id > after)
        found: Sequence[Any] = (await self._session.execute(lengths.order_by(POSTS.id).limit(limit))).all()
        total = [*accumulate(row[1] for row in found)]
        ids = [row[0] for row, length in zip(found, total, strict=True) if length <= max_length or length == total[0]]
        columns = (POSTS[name] for name in StalePost._fields)
        rows: Sequence[Any] = (
            await self._session.execute(sa.select(*columns).where(POSTS.id.in_(ids)).order_by(POSTS.id))
        ).all()
        return [StalePost(*row) for row in rows]

    async def replace(self, contents: Sequence[tuple[StalePost, PostContent]]) -> int:
        """Write what was made from the posts' Markdown, and index the posts again; return how many.

        Posts that have changed since they were read stay as they are.
        """
        ids = [post.id for post, _ in contents]
        current = sa.select(POSTS.id, POSTS.version).where(POSTS.id.in_(ids)).order_by(POSTS.id)
        locked: Sequence[Any] = (await self._session.execute(current.with_for_update(key_share=True))).all()
        versions = {row[0]: row[1] for row in locked}
        unchanged = [(post, content) for post, content in contents if versions.get(post.id) == post.version]
        if unchanged:
            await self._update(unchanged)
        return len(unchanged)

    async def _update(self, contents: Sequence[tuple[StalePost, PostContent]]) -> None:
        made: dict[str, Any] = {name: sa.bindparam(name) for name in RENDERED_COLUMNS}
        update = sa.update(Post).where(POSTS.id == sa.bindparam("post_id")).values(made)
        connection = await self._session.connection()
        # Stated, or the column's onupdate would take this for an edit.
        statement = update.values(updated_at=POSTS.updated_at)
        await connection.execute(statement, [{"post_id": post.id, **content.columns()} for post, content in contents])
        documents = (
            (post.id, Kind.POST, Indexed(PreparedText(post.title), content.body)) for post, content in contents
        )
        async for _ in SearchIndex(self._session).put_all(documents):
            pass


def _is_stale(renderer: int | None) -> sa.ColumnElement[bool]:
    return sa.true() if renderer is None else POSTS.renderer != renderer
