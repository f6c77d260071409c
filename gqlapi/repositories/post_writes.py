"""Writes of posts."""

from collections.abc import Collection, Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSessionTransaction
from sqlalchemy.orm import selectinload, undefer
from sqlalchemy.orm.attributes import flag_modified

from gqlapi.database.search import Indexed, PreparedText
from gqlapi.models import ChangeKind, Post, PostChange, PostTag
from gqlapi.repositories.locks import for_change
from gqlapi.repositories.posts import posts_visible_to
from gqlapi.repositories.search import Kind, SearchIndex
from gqlapi.repositories.slugs import free_slugs
from gqlapi.repositories.write_scope import WriteScope


class PostWriteRepository:
    """Writes of posts in a transaction; links, search and change feed stay in step with them."""

    def __init__(self, scope: WriteScope) -> None:
        """Bind the repository to a transaction."""
        self._scope = scope
        self._session = scope.session

    async def get(self, id_: UUID, *, deleted: bool = False) -> Post | None:
        """Load a post that the viewer may see, without a lock."""
        return (await self._session.scalars(self._visible(id_, deleted=deleted))).one_or_none()

    async def get_for_update(self, id_: UUID, *, deleted: bool = False) -> Post | None:
        """Load a post that the viewer may see, with its links and its text, and lock it."""
        statement = self._visible(id_, deleted=deleted).options(selectinload(Post.post_tags), undefer(Post.text))
        # What was read before the lock may be out of date.
        locked = for_change(statement, of=Post).execution_options(populate_existing=True)
        return (await self._session.scalars(locked)).one_or_none()

    def _visible(self, id_: UUID, *, deleted: bool) -> sa.Select[Post]:
        scope = self._scope
        return sa.select(Post).where(Post.id == id_, posts_visible_to(scope.viewer, scope.now, deleted=deleted))

    async def ids_by_slug(self, slugs: Collection[str]) -> dict[str, UUID]:
        """Return the keys of the posts with these slugs, visible or not."""
        if not slugs:
            return {}
        rows = await self._session.execute(sa.select(Post.slug, Post.id).where(Post.slug.in_(slugs)))
        return {slug: id_ for slug, id_ in rows}  # noqa: C416 - rows are no pairs to a type checker

    async def free_slugs(self, bases: Sequence[str], reserved: Collection[str]) -> list[str]:
        """Return a free slug for each base, in one statement."""
        return await free_slugs(self._session, Post.slug, bases, reserved) if bases else []

    def savepoint(self) -> AsyncSessionTransaction:
        """Open a savepoint, which a failure inside goes back to; what was changed before it is written first."""
        return self._session.begin_nested()

    async def create(self, posts: Sequence[Post], bodies: Sequence[PreparedText]) -> None:
        """Insert posts with their links in one savepoint, so that the transaction survives when one is refused.

        `bodies` are the words of the posts' texts, in the same order: preparing them takes too long for a transaction.

        Raises:
            IntegrityError: a slug is taken, or a tag is gone.
        """
        async with self._session.begin_nested():
            self._session.add_all(posts)
        await self._index(posts, bodies)
        await self._tell(posts, ChangeKind.CREATED)

    async def update(self, post: Post, kind: ChangeKind) -> None:
        """Write a changed post as its next version, and tell the change feed.

        Raises:
            IntegrityError: its slug is taken; whoever changed that does it in a `savepoint`.
        """
        post.updated_at = self._scope.now
        # Written whether or not anything differs: each successful mutation is a version.
        flag_modified(post, "updated_at")
        await self._session.flush()
        # Only those that change: PostgreSQL checks the foreign keys of a row that one transaction writes twice, and
        # would lock its tag after the post.
        is_stale = (PostTag.post_id == post.id) & PostTag.visible_from.is_distinct_from(post.visible_from)
        links = sa.update(PostTag).where(is_stale).values(visible_from=post.visible_from)
        await self._session.execute(links.execution_options(synchronize_session=False))
        await self._tell([post], kind)

    async def replace_tags(self, post: Post, tag_ids: Sequence[UUID]) -> None:
        """Link a locked post to these tags, in this order, and to no others.

        Existing links are not inserted again: that would lock their tags after the post.
        """
        places = {id_: place for place, id_ in enumerate(tag_ids)}
        known = {link.tag_id: link.position for link in post.post_tags}
        links, removed = PostTag.metadata.tables[PostTag.__tablename__], known.keys() - places.keys()
        if removed:
            is_removed = (links.c.post_id == post.id) & links.c.tag_id.in_(removed)
            await self._session.execute(sa.delete(links).where(is_removed))
        moved = [{"id": id_, "place": place} for id_, place in places.items() if known.get(id_, place) != place]
        if moved:
            is_moved = (links.c.post_id == post.id) & (links.c.tag_id == sa.bindparam("id"))
            await self._session.execute(sa.update(links).where(is_moved).values(position=sa.bindparam("place")), moved)
        added = [{"tag_id": id_, "position": place} for id_, place in places.items() if id_ not in known]
        if added:
            shared = {"post_id": post.id, "visible_from": post.visible_from}
            await self._session.execute(sa.insert(links), [{**shared, **row} for row in added])

    async def index(self, post: Post, body: PreparedText) -> None:
        """Index the title of a post again, and the words of its text."""
        await self._index([post], [body])

    async def _index(self, posts: Sequence[Post], bodies: Sequence[PreparedText]) -> None:
        documents = (
            (post.id, Kind.POST, Indexed(PreparedText(post.title), body))
            for post, body in zip(posts, bodies, strict=True)
        )
        async for _ in SearchIndex(self._session).put_all(documents):
            pass

    async def _tell(self, posts: Sequence[Post], kind: ChangeKind) -> None:
        """Write the change feed, in one statement: nobody here needs to know the positions."""
        rows = [
            {"kind": kind, "post_id": post.id, "author_id": post.author_id, "version": post.version} for post in posts
        ]
        if rows:
            await self._session.execute(sa.insert(PostChange), [{**row, "created_at": self._scope.now} for row in rows])
