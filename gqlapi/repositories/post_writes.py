"""Writes of posts."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import selectinload, undefer

from gqlapi.database.at_once import commit_at_once
from gqlapi.database.search import Indexed
from gqlapi.models import ChangeKind, Post, PostTag
from gqlapi.repositories import post_statements as statements
from gqlapi.repositories.locks import for_change
from gqlapi.repositories.post_rows import COLUMNS, NARROW_COLUMNS, NewPostRow, record_of, values_of, visible_from
from gqlapi.repositories.posts import posts_visible_to
from gqlapi.repositories.records import PostRecord
from gqlapi.repositories.search import Kind, SearchIndex
from gqlapi.repositories.slugs import PostSlugRepository
from gqlapi.repositories.viewers import rights_of
from gqlapi.repositories.write_scope import WriteScope


class PostWriteRepository:
    """Writes of posts in a transaction; links, search and change feed stay in step with them.

    Posts are loaded as entities, which nothing changes: what is written goes through one statement on PostgreSQL,
    through one for each table on SQLite.
    """

    def __init__(self, scope: WriteScope) -> None:
        """Bind the repository to a transaction."""
        self._scope = scope
        self._session = scope.session
        self._is_postgresql = scope.dialect_name == "postgresql"

    async def get(self, id_: UUID, *, deleted: bool = False) -> Post | None:
        """Load a post that the viewer may see, without a lock."""
        return (await self._session.scalars(self._visible(id_, deleted=deleted))).one_or_none()

    async def get_for_update(
        self, id_: UUID, *, deleted: bool = False, with_tags: bool = False, with_text: bool = False
    ) -> Post | None:
        """Load a post that the viewer may see, and lock it; with its links to tags, and its text, if asked for."""
        options = [selectinload(Post.post_tags)] * with_tags + [undefer(Post.text)] * with_text
        statement = self._visible(id_, deleted=deleted).options(*options)
        # What was read before the lock may be out of date.
        locked = for_change(statement, of=Post).execution_options(populate_existing=True)
        return (await self._session.scalars(locked)).one_or_none()

    def _visible(self, id_: UUID, *, deleted: bool) -> sa.Select[Post]:
        scope = self._scope
        return sa.select(Post).where(Post.id == id_, posts_visible_to(scope.viewer, scope.now, deleted=deleted))

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Open a savepoint, which a failure inside goes back to; what was changed before it is written first."""
        async with self._session.begin_nested():
            # The session opens it when it asks for its connection, which kept statements do not.
            await self._session.connection()
            yield

    async def create(self, posts: Sequence[NewPostRow]) -> set[UUID]:
        """Insert posts, but those whose slug another post has or had, and return the keys of the inserted.

        One statement on PostgreSQL, a constant number of them on SQLite.

        Raises:
            IntegrityError: a tag or an author is gone.
        """
        if not posts:
            return set()
        if self._is_postgresql:
            parameters = {**statements.creation_parameters(posts), "now": self._scope.now}
            return {row[0] for row in await statements.creation().rows(self._session, parameters)}
        return await self._create_on_sqlite(posts)

    async def create_at_once(self, post: NewPostRow) -> bool:
        """Insert a post in one statement that is its transaction, and tell whether it did.

        False, and nothing is written, when its slug is taken, when the viewer's rights are no longer those of the
        scope, and where the database or the connection needs a transaction for it.
        """
        viewer = self._scope.viewer
        if not self._is_postgresql:
            return False
        statement = statements.creation_at_once(
            has_session=viewer.session_id is not None, has_token=viewer.token_id is not None
        )
        parameters = {**statements.creation_parameters([post]), **rights_of(viewer), "now": self._scope.now}
        return bool(await commit_at_once(self._session, statement, parameters))

    async def _create_on_sqlite(self, posts: Sequence[NewPostRow]) -> set[UUID]:
        connection = await self._session.connection()
        owners = await PostSlugRepository(self._scope).owners([post.row.slug for post in posts])
        columns = [dict(zip(COLUMNS, values_of(post.row), strict=True)) for post in posts]
        free = [row for row in columns if row["slug"] not in owners]
        if not free:
            return set()
        created = {*(await connection.execute(statements.SQLITE_CREATION, free)).scalars()}
        inserted = [post for post in posts if post.row.id in created]
        if not inserted:
            return created
        if links := [link for post in inserted for link in statements.links_of(post)]:
            await connection.execute(sa.insert(statements.LINKS), links)
        await self._index({post.row.id: post.indexed for post in inserted})
        rows = [post.row for post in inserted]
        changes = [(ChangeKind.CREATED, row.id, row.author_id, row.version, self._scope.now) for row in rows]
        named = [dict(zip(statements.CHANGE_COLUMNS, change, strict=True)) for change in changes]
        await connection.execute(sa.insert(statements.CHANGES), named)
        return created

    async def update(
        self, post: Post, values: Mapping[str, Any], kind: ChangeKind, indexed: Indexed | None = None
    ) -> PostRecord:
        """Write columns of a locked post as its next version, and the words that it is found by if they change.

        Returns what is known of the post then: its narrow columns, and those that were written. Without a value it is
        a version all the same: each successful mutation is one.

        Raises:
            IntegrityError: its slug is taken; a transaction that can go on changes it in a `savepoint`.
        """
        columns = {name: getattr(post, name) for name in NARROW_COLUMNS} | dict(values)
        parameters = statements.change_parameters(post, values, kind, self._scope.now)
        moves_links = parameters["visible_from"] != visible_from(post.state, post.published_at, post.deleted_at)
        # What the session knows of it is out of date.
        self._session.expunge(post)
        names = tuple(sorted(values))
        if self._is_postgresql:
            words = {} if indexed is None else {"vector": indexed.to_tsvector()}
            statement = statements.change(names, moves_links=moves_links, indexes=indexed is not None)
            [(version,)] = await statement.rows(self._session, parameters | words)
        else:
            version = post.version + 1
            await self._update_on_sqlite(post, names, parameters, indexed, moves_links=moves_links)
        return record_of(columns | {"version": version, "updated_at": self._scope.now}, self._scope.now)

    async def _update_on_sqlite(
        self,
        post: Post,
        names: tuple[str, ...],
        parameters: dict[str, Any],
        indexed: Indexed | None,
        *,
        moves_links: bool,
    ) -> None:
        connection = await self._session.connection()
        await connection.execute(statements.update(names), parameters)
        if moves_links:
            await connection.execute(statements.move_links(), parameters)
        author_id = parameters.get("new_author_id", post.author_id)
        change = (parameters["change_kind"], post.id, author_id, post.version + 1, self._scope.now)
        await connection.execute(
            sa.insert(statements.CHANGES), dict(zip(statements.CHANGE_COLUMNS, change, strict=True))
        )
        if indexed is not None:
            await self._index({post.id: indexed})

    async def replace_tags(self, post: Post, tag_ids: Sequence[UUID], public_from: datetime | None) -> None:
        """Link a locked post, whose links are loaded, to these tags, in this order, and to no others.

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
            shared = {"post_id": post.id, "visible_from": public_from}
            await self._session.execute(sa.insert(links), [{**shared, **row} for row in added])

    async def _index(self, documents: Mapping[UUID, Indexed]) -> None:
        async for _ in SearchIndex(self._session).put_all((id_, Kind.POST, doc) for id_, doc in documents.items()):
            pass
