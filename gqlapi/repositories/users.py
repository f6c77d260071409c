"""Reads of users."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from gqlapi.models import User
from gqlapi.models.user import MAX_USERNAME_KEY_LENGTH, MAX_USERNAME_LENGTH
from gqlapi.repositories.base import Repository
from gqlapi.repositories.conditions import Filterable, TextKey
from gqlapi.repositories.records import UserRecord

USERS = User.__table__.c


class UserRepository(Repository[UserRecord]):
    """Reads of users; deleted ones appear only as the authors of their posts."""

    record = UserRecord
    columns: ClassVar = {**USERS}

    def visible(self) -> sa.ColumnElement[bool]:
        """Hold for users that are not deleted."""
        return USERS.deleted_at.is_(None)

    def filterable(self) -> Filterable:
        """Say what can be filtered."""
        texts = {"username": TextKey(USERS.username_key, MAX_USERNAME_LENGTH, MAX_USERNAME_KEY_LENGTH)}
        return Filterable(self.scope.dialect_name, self.columns, texts=texts, keys=self.scope.folded_keys)

    async def list_authors_by_ids(self, ids: Sequence[UUID]) -> list[UserRecord | None]:
        """Read the authors of visible posts, in the order of `ids`: a deleted one is its blanked row."""
        return await self._by_ids(ids, sa.true())

    async def exist(self) -> bool:
        """Tell whether there is any user, deleted or not."""
        return bool(await self.scope.unit.rows(sa.select(USERS.id).limit(1)))
