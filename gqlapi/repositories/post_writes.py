"""Writes of posts."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import selectinload, undefer

from gqlapi.database.at_once import commit_at_once
from gqlapi.database.search import Indexed
from gqlapi.models import ChangeKind, Post
from gqlapi.repositories import post_statements as statements
from gqlapi.repositories.locks import for_change
from gqlapi.repositories.post_rows import COLUMNS, NARROW_COLUMNS, NewPostRow, PostChangeRow, record_of, values_of
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

    async def list_by_ids(
        self, ids: Collection[UUID], *, deleted: bool = False, locked: bool = False, with_tags: bool = False
    ) -> dict[UUID, Post]:
        """Load the posts that the viewer may see, and lock them in the order of their ids if asked for."""
        options = [selectinload(Post.post_tags)] * with_tags
        scope = self._scope
        is_visible = posts_visible_to(scope.viewer, scope.now, deleted=deleted)
        statement = sa.select(Post).where(Post.id.in_(ids), is_visible).order_by(Post.id).options(*options)
        # What was read before the lock may be out of date.
        statement = for_change(statement, of=Post).execution_options(populate_existing=True) if locked else statement
        return {post.id: post for post in await self._session.scalars(statement)}

    async def texts_of(self, ids: Collection[UUID]) -> dict[UUID, str]:
        """Read the texts of locked posts."""
        if not ids:
            return {}
        rows = await self._session.execute(sa.select(Post.id, Post.text).where(Post.id.in_(ids)))
        return {id_: text for id_, text in rows}  # noqa: C416 - rows are no pairs to a type checker

    def _visible(self, id_: UUID, *, deleted: bool) -> sa.Select[Post]:
        scope = self._scope
        return sa.select(Post).where(Post.id == id_, posts_visible_to(scope.viewer, scope.now, deleted=deleted))

    async def create(self, posts: Sequence[NewPostRow]) -> set[UUID]:
        """Insert posts, but those whose slug another post has or had, and return the keys of the inserted.

        One statement on PostgreSQL, a constant number of them on SQLite.

        Raises:
            IntegrityError: a tag or an author was deleted.
        """
        if not posts:
            return set()
        if self._is_postgresql:
            parameters = {**statements.creation_parameters(posts), "now": self._scope.now}
            return {row[0] for row in await statements.creation().rows(self._session, parameters)}
        return await self._create_on_sqlite(posts)

    async def create_at_once(self, post: NewPostRow) -> bool:
        """Insert a post in one statement that is its transaction; return whether it did.

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
        changes = [(ChangeKind.CREATED, False, row.id, row.author_id, row.version, self._scope.now) for row in rows]
        named = [dict(zip(statements.CHANGE_COLUMNS, change, strict=True)) for change in changes]
        await connection.execute(sa.insert(statements.CHANGES), named)
        return created

    async def update(
        self, post: Post, values: Mapping[str, Any], kind: ChangeKind, indexed: Indexed | None = None
    ) -> PostRecord:
        """Do for one post what `update_all` does."""
        (record,) = await self.update_all([PostChangeRow(post, values, kind, indexed)])
        return record

    async def update_all(self, changes: Sequence[PostChangeRow]) -> list[PostRecord]:
        """Write columns of locked posts as their next versions, and the words that they are found by if they change.

        Returns what is known of each post then: its narrow columns, and those that were written. Without a value it is
        a version all the same: each successful mutation is one. On PostgreSQL one statement for the posts of which the
        same columns change, on SQLite up to four.

        Raises:
            IntegrityError: a slug has been taken at this moment; the transaction is run again.
        """
        groups: dict[tuple[tuple[str, ...], bool], list[PostChangeRow]] = {}
        for change in changes:
            groups.setdefault((change.names, change.indexed is not None), []).append(change)
            # What the session knows of it is out of date.
            self._session.expunge(change.post)
        write = self._update_on_postgresql if self._is_postgresql else self._update_on_sqlite
        versions: dict[UUID, int] = {}
        for (names, _), group in groups.items():
            versions |= await write(names, group)
        return [self._record(change, versions[change.post.id]) for change in changes]

    def _record(self, change: PostChangeRow, version: int) -> PostRecord:
        columns = {name: getattr(change.post, name) for name in NARROW_COLUMNS} | dict(change.values)
        return record_of(columns | {"version": version, "updated_at": self._scope.now}, self._scope.now)

    async def _update_on_postgresql(self, names: tuple[str, ...], group: Sequence[PostChangeRow]) -> dict[UUID, int]:
        vectors = [change.indexed.to_tsvector() for change in group if change.indexed is not None]
        moves_links = any(change.moves_links for change in group)
        statement = statements.change(names, moves_links=moves_links, indexes=bool(vectors))
        parameters = statements.change_parameters(group, self._scope.now)
        rows = await statement.rows(self._session, {**parameters, "changed_vector": vectors})
        return {row[0]: row[1] for row in rows}

    async def _update_on_sqlite(self, names: tuple[str, ...], group: Sequence[PostChangeRow]) -> dict[UUID, int]:
        connection, now = await self._session.connection(), self._scope.now
        rows = [{**statements.row_parameters(change, now), "now": now} for change in group]
        await connection.execute(statements.sqlite_update(names), rows)
        if moved := [row for row, change in zip(rows, group, strict=True) if change.moves_links]:
            await connection.execute(statements.sqlite_move(), moved)
        versions = {change.post.id: change.post.version + 1 for change in group}
        noted = [
            (
                change.kind,
                row["was_public"],
                change.post.id,
                change.values.get("author_id", change.post.author_id),
                version,
                now,
            )
            for change, row, version in zip(group, rows, versions.values(), strict=True)
        ]
        named = [dict(zip(statements.CHANGE_COLUMNS, row, strict=True)) for row in noted]
        await connection.execute(sa.insert(statements.CHANGES), named)
        await self._index({change.post.id: change.indexed for change in group if change.indexed is not None})
        return versions

    async def replace_tags(self, post: Post, tag_ids: Sequence[UUID], public_from: datetime | None) -> None:
        """Do for one post what `replace_all_tags` does."""
        await self.replace_all_tags([(post, tag_ids, public_from)])

    async def replace_all_tags(self, wanted: Sequence[tuple[Post, Sequence[UUID], datetime | None]]) -> None:
        """Link locked posts, whose links are loaded, to these tags, in this order, and to no others.

        Existing links are not inserted again: that would lock their tags after the post. Three statements at most.
        """
        removed: list[dict[str, Any]] = []
        moved: list[dict[str, Any]] = []
        added: list[dict[str, Any]] = []
        for post, tag_ids, public_from in wanted:
            places = {id_: place for place, id_ in enumerate(tag_ids)}
            known = {link.tag_id: link.position for link in post.post_tags}
            removed += ({"post": post.id, "tag": id_} for id_ in known.keys() - places.keys())
            for id_, place in places.items():
                if id_ not in known:
                    link = {"post_id": post.id, "visible_from": public_from, "tag_id": id_, "position": place}
                    added.append(link)
                elif known[id_] != place:
                    moved.append({"post": post.id, "tag": id_, "place": place})
        await self._write_links(removed, moved, added)

    async def _write_links(
        self, removed: list[dict[str, Any]], moved: list[dict[str, Any]], added: list[dict[str, Any]]
    ) -> None:
        links, connection = statements.LINKS, await self._session.connection()
        is_link = (links.c.post_id == sa.bindparam("post")) & (links.c.tag_id == sa.bindparam("tag"))
        if removed:
            await connection.execute(sa.delete(links).where(is_link), removed)
        if moved:
            await connection.execute(sa.update(links).where(is_link).values(position=sa.bindparam("place")), moved)
        if added:
            await connection.execute(sa.insert(links), added)

    async def _index(self, documents: Mapping[UUID, Indexed]) -> None:
        async for _ in SearchIndex(self._session).put_all((id_, Kind.POST, doc) for id_, doc in documents.items()):
            pass
