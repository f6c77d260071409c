"""Reads of users."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa

from gqlapi.models import User
from gqlapi.models.user import MAX_USERNAME_KEY_LENGTH, MAX_USERNAME_LENGTH
from gqlapi.repositories.base import Repository
from gqlapi.repositories.conditions import Filterable, TextKey
from gqlapi.repositories.records import UserRecord
from gqlapi.repositories.sources import Draft, Selection, Source

USERS = User.__table__.c


class UserSource(Source):
    """The statements about users; deleted ones appear only as the authors of their posts."""

    record = UserRecord
    columns: ClassVar = {**USERS}

    def visible(self) -> sa.ColumnElement[bool]:
        """Condition for users that are not deleted."""
        return USERS.deleted_at.is_(None)

    def visible_as_author(self) -> sa.ColumnElement[bool]:
        """Condition for users who are the authors of visible posts: a deleted one is its blanked row."""
        return sa.true()

    @cached_property
    def filterable(self) -> Filterable:
        """What can be filtered."""
        texts = {"username": TextKey(USERS.username_key, MAX_USERNAME_LENGTH, MAX_USERNAME_KEY_LENGTH)}
        return Filterable(self.dialect_name, self.columns, texts=texts)

    def authors(self, selection: Selection, bounds_bodies: bool) -> Draft:  # noqa: FBT001 - a part of the shape
        """Select the authors whose ids are the parameter `ids`."""
        return self.by_ids_where(selection, self.visible_as_author(), bounds_bodies=bounds_bodies)

    def any(self) -> Draft:
        """Select any user, deleted or not."""
        return Draft(sa.select(USERS.id).limit(1))


class UserRepository(Repository[UserRecord]):
    """Reads of users."""

    source: UserSource

    async def list_authors_by_ids(self, ids: Sequence[UUID]) -> list[UserRecord | None]:
        """Read the authors of visible posts, in the order of `ids`."""
        return await self._by_ids(self.source.authors, ids)

    async def exist(self) -> bool:
        """Whether there is any user, deleted or not."""
        rows: Sequence[Any] = await self._read(self.source.any, values={})
        return bool(rows)
