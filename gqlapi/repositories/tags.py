"""Reads of tags."""

from collections import defaultdict
from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from gqlapi.database.dialect import bind_ids, is_one_of
from gqlapi.models import PostTag, Tag
from gqlapi.models.tag import MAX_TAG_NAME_KEY_LENGTH, MAX_TAG_NAME_LENGTH, MAX_TAG_SLUG_LENGTH
from gqlapi.repositories.base import Repository
from gqlapi.repositories.conditions import Filterable, TextKey
from gqlapi.repositories.records import TagRecord

TAGS = Tag.__table__.c
LINKS = PostTag.__table__.c


class TagRepository(Repository[TagRecord]):
    """Reads of tags, which everybody may see."""

    record = TagRecord
    columns: ClassVar = {**TAGS}

    def visible(self) -> sa.ColumnElement[bool]:
        """Hold for every tag."""
        return sa.true()

    def filterable(self) -> Filterable:
        """Say what can be filtered; slugs are folded when they are written."""
        texts = {
            "slug": TextKey(TAGS.slug, MAX_TAG_SLUG_LENGTH, MAX_TAG_SLUG_LENGTH),
            "name": TextKey(TAGS.name_key, MAX_TAG_NAME_LENGTH, MAX_TAG_NAME_KEY_LENGTH),
        }
        return Filterable(self.scope.dialect_name, self.columns, texts=texts, keys=self.scope.folded_keys)

    async def list_by_post_ids(self, ids: Sequence[UUID]) -> list[list[TagRecord]]:
        """Read the tags of each post, in the author's order, in the order of `ids`."""
        columns = self._selected_columns()
        statement = (
            self._select(columns)
            .add_columns(LINKS.post_id)
            .join(PostTag.__table__, LINKS.tag_id == TAGS.id)
            .where(is_one_of(self.scope.dialect_name, LINKS.post_id), self.visible())
            .order_by(LINKS.post_id, LINKS.position, LINKS.tag_id)
        )
        by_post: dict[UUID, list[TagRecord]] = defaultdict(list)
        names = tuple(columns)
        for row in await self.scope.unit.rows(statement, bind_ids(self.scope.dialect_name, ids)):
            by_post[row[-1]].append(TagRecord.of(names, row[:-1]))
        return [by_post.get(id_, []) for id_ in ids]
