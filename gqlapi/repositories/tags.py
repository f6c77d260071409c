"""Reads of tags."""

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from gqlapi.database.dialect import AnySelect, bind_ids, is_one_of
from gqlapi.database.unions import shown
from gqlapi.models import PostTag, Tag, TagSlug
from gqlapi.models.tag import MAX_TAG_NAME_KEY_LENGTH, MAX_TAG_NAME_LENGTH, MAX_TAG_SLUG_LENGTH
from gqlapi.repositories.base import Repository
from gqlapi.repositories.conditions import Filterable, TextKey
from gqlapi.repositories.construction import RecordShape
from gqlapi.repositories.publicity import public_posts_of_tag
from gqlapi.repositories.records import TagRecord
from gqlapi.repositories.sources import NOW, Draft, Selection, Source

TAGS = Tag.__table__.c
LINKS = PostTag.__table__.c


class TagSource(Source):
    """The statements about tags, which everybody may see."""

    record = TagRecord
    columns: ClassVar = {**TAGS, "post_count": public_posts_of_tag(TAGS.id, NOW)}

    def visible(self) -> sa.ColumnElement[bool]:
        """Condition for every tag."""
        return sa.true()

    @cached_property
    def filterable(self) -> Filterable:
        """What can be filtered; slugs are folded when they are written."""
        texts = {
            "slug": TextKey(TAGS.slug, MAX_TAG_SLUG_LENGTH, MAX_TAG_SLUG_LENGTH),
            "name": TextKey(TAGS.name_key, MAX_TAG_NAME_LENGTH, MAX_TAG_NAME_KEY_LENGTH),
        }
        return Filterable(self.dialect_name, self.columns, texts=texts)

    def has_key(self, attribute: str) -> sa.ColumnElement[bool]:
        """Condition for the row with a key; an old slug is one as well."""
        if attribute != "slug":
            return super().has_key(attribute)
        slugs = TagSlug.__table__.c
        return TAGS.id == sa.select(slugs.tag_id).where(slugs.slug == sa.bindparam("key")).scalar_subquery()

    def of_posts(self, selection: Selection) -> Draft:
        """Select the tags of each post in `ids`, in the author's order."""
        columns = [self.column(name).label(name) for name in selection.names]
        statement = (
            sa.select(LINKS.post_id, *columns)
            .join_from(PostTag.__table__, Tag.__table__, LINKS.tag_id == TAGS.id)
            .where(is_one_of(self.dialect_name, LINKS.post_id), self.visible())
            .order_by(LINKS.post_id, LINKS.position, LINKS.tag_id)
        )
        return Draft(statement, RecordShape(TagRecord, selection.names, has_parent=True))

    def arrays_of(self, post_id: sa.ColumnElement[UUID], names: Sequence[str]) -> AnySelect:
        """Select the tags of a post in the author's order: for PostgreSQL, an array of each column."""
        order = (LINKS.position, LINKS.tag_id)
        arrays = (sa.func.array_agg(aggregate_order_by(self.column(name), *order)).label(name) for name in names)
        return (
            sa.select(*arrays)
            .join_from(PostTag.__table__, Tag.__table__, LINKS.tag_id == TAGS.id)
            .where(LINKS.post_id == post_id, self.visible())
        )

    def beside(self, posts: sa.Subquery, names: Sequence[str]) -> AnySelect:
        """Select all columns of posts and those of their tags, a row for each tag, one for a post without tags."""
        tags = [self.column(name).label(f"tag_{name}") for name in names]
        return (
            sa.select(*shown(posts), *tags)
            .join_from(posts, PostTag.__table__, LINKS.post_id == posts.c.id, isouter=True)
            .join(Tag.__table__, sa.and_(LINKS.tag_id == TAGS.id, self.visible()), isouter=True)
        )


class TagRepository(Repository[TagRecord]):
    """Reads of tags."""

    source: TagSource

    async def list_by_post_ids(self, ids: Sequence[UUID]) -> list[list[TagRecord]]:
        """Read the tags of each post in `ids`, in the author's order."""
        values = bind_ids(self.scope.dialect_name, ids)
        found = await self._read(self.source.of_posts, self._selection(), values=values)
        return [found.get(id_, []) for id_ in ids]
