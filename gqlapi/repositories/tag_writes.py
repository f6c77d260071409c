"""Writes of tags."""

from collections.abc import Collection, Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSessionTransaction
from sqlalchemy.orm.attributes import flag_modified

from gqlapi.database.dialect import insert_for
from gqlapi.models import Post, PostTag, Tag, TagSlug
from gqlapi.repositories.locks import for_change, for_reference, for_removal
from gqlapi.repositories.records import TagRecord
from gqlapi.repositories.search import SearchIndex
from gqlapi.repositories.write_scope import WriteScope

LINKS = PostTag.__table__.c


class TagWriteRepository:
    """Writes of tags in a transaction; the search stays in step with them."""

    def __init__(self, scope: WriteScope) -> None:
        """Bind the repository to a transaction."""
        self._session = scope.session
        self._now = scope.now
        self._insert = insert_for(scope.dialect_name)

    async def list_for_update(self, ids: Collection[UUID]) -> list[Tag]:
        """Load tags and lock them, in the order of their ids."""
        return await self._list(for_change(sa.select(Tag).where(Tag.id.in_(ids)).order_by(Tag.id)))

    async def list_for_removal(self, ids: Collection[UUID]) -> list[Tag]:
        """Load tags and lock them before their deletion, in the order of their ids."""
        return await self._list(for_removal(sa.select(Tag).where(Tag.id.in_(ids)).order_by(Tag.id)))

    async def get_by_slug_for_update(self, slug: str) -> Tag | None:
        """Load a tag by its slug and lock it."""
        return (await self._session.scalars(for_change(sa.select(Tag).where(Tag.slug == slug)))).one_or_none()

    async def get_by_name_key(self, name_key: str) -> Tag | None:
        """Load a tag by its folded name."""
        return (await self._session.scalars(sa.select(Tag).where(Tag.name_key == name_key))).one_or_none()

    async def list_by_any_key(
        self, *, ids: Collection[UUID], slugs: Collection[str], name_keys: Collection[str]
    ) -> list[Tag]:
        """Load all tags that one of the keys names, in one statement, and keep them from being deleted."""
        by_slug = sa.select(TagSlug.tag_id).where(TagSlug.slug.in_(slugs))
        is_named = sa.or_(Tag.id.in_(ids), Tag.id.in_(by_slug), Tag.name_key.in_(name_keys))
        return await self._list(for_reference(sa.select(Tag).where(is_named).order_by(Tag.id)))

    async def ids_by_slug(self, slugs: Collection[str]) -> dict[str, UUID]:
        """Return the keys of the tags whose slugs these are, or were before a merge."""
        if not slugs:
            return {}
        rows = await self._session.execute(sa.select(TagSlug.slug, TagSlug.tag_id).where(TagSlug.slug.in_(slugs)))
        return {slug: id_ for slug, id_ in rows}  # noqa: C416 - rows are no pairs to a type checker

    async def get_id_by_old_slug(self, slug: str) -> UUID | None:
        """Return the key of the tag that another one with this slug was merged into."""
        is_old = sa.and_(TagSlug.slug == slug, Tag.slug != slug)
        statement = sa.select(TagSlug.tag_id).join(Tag, Tag.id == TagSlug.tag_id).where(is_old)
        return (await self._session.scalars(statement)).one_or_none()

    def savepoint(self) -> AsyncSessionTransaction:
        """Open a savepoint, which a failure inside goes back to; what was changed before it is written first."""
        return self._session.begin_nested()

    async def create(self, tag: Tag) -> None:
        """Insert a tag in a savepoint, so that the transaction survives when it is there already.

        Raises:
            IntegrityError: its slug or its name is taken.
        """
        async with self._session.begin_nested():
            self._session.add(tag)
        await SearchIndex(self._session).put([tag])

    async def create_missing(self, tags: Sequence[Tag]) -> None:
        """Insert tags, but those whose slug or name is taken at this moment, in a constant number of statements.

        The given objects stay outside the session: read what is there now.
        """
        columns = ("id", "slug", "name", "name_key", "created_at", "updated_at")
        rows = [{column: getattr(tag, column) for column in columns} for tag in tags]
        await self._session.execute(self._insert(Tag).on_conflict_do_nothing(), rows)
        written = sa.select(Tag).where(Tag.id.in_([tag.id for tag in tags]))
        await SearchIndex(self._session).put(await self._session.scalars(written))

    async def update(self, tag: Tag) -> None:
        """Write a changed tag as its next version.

        Raises:
            IntegrityError: its name is taken; a caller that changes the name does it in a `savepoint`.
        """
        tag.updated_at = self._now
        flag_modified(tag, "updated_at")
        await self._session.flush()
        await SearchIndex(self._session).put([tag])

    async def delete(self, tags: Sequence[Tag]) -> None:
        """Delete tags that are locked, and their links with them."""
        ids = [tag.id for tag in tags]
        await self._session.execute(sa.delete(Tag).where(Tag.id.in_(ids)))
        await SearchIndex(self._session).remove(ids)

    async def move_slugs(self, sources: Sequence[Tag], target: Tag) -> None:
        """Give the slugs of the sources, current and old, to the target."""
        is_source = TagSlug.tag_id.in_([tag.id for tag in sources])
        await self._session.execute(sa.update(TagSlug).where(is_source).values(tag_id=target.id))

    async def copy_links(self, sources: Sequence[Tag], target: Tag) -> None:
        """Give the target's link to all posts of the sources that lack it, at the first place of a source's.

        The posts are locked first: who publishes one of them at this moment would not know of its new link.
        """
        is_source = LINKS.tag_id.in_([tag.id for tag in sources])
        posts = sa.select(LINKS.post_id).where(is_source)
        await self._session.execute(for_change(sa.select(Post.id).where(Post.id.in_(posts)).order_by(Post.id)))
        copies = (
            sa.select(
                LINKS.post_id,
                sa.literal(target.id, sa.Uuid),
                sa.func.min(LINKS.position),
                sa.func.max(LINKS.visible_from),
            )
            .where(is_source)
            .group_by(LINKS.post_id)
        )
        names = ["post_id", "tag_id", "position", "visible_from"]
        await self._session.execute(self._insert(PostTag).from_select(names, copies).on_conflict_do_nothing())

    async def _list(self, statement: sa.Select[Tag]) -> list[Tag]:
        # What was read before the lock may be out of date.
        return [*(await self._session.scalars(statement.execution_options(populate_existing=True)))]


def record_of(tag: Tag) -> TagRecord:
    """Return the record of a tag that was written, with all attributes."""
    names = tuple(Tag.__table__.columns.keys())
    return TagRecord.of(names, [getattr(tag, name) for name in names])
