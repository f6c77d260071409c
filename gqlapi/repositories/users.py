"""Reads of users."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa

from gqlapi.models import Post, User
from gqlapi.models.user import (
    MAX_DISPLAY_NAME_KEY_LENGTH,
    MAX_DISPLAY_NAME_LENGTH,
    MAX_USERNAME_KEY_LENGTH,
    MAX_USERNAME_LENGTH,
)
from gqlapi.repositories.base import Repository
from gqlapi.repositories.conditions import Compare, Filterable, Operator, TextKey
from gqlapi.repositories.publicity import is_public, public_posts_of_author
from gqlapi.repositories.records import UserRecord
from gqlapi.repositories.sources import NOW, Draft, Selection, Source, ViewerKind

USERS = User.__table__.c
WRITTEN = Post.__table__.alias("written")


def users_visible_to(viewer: ViewerKind, now: Any) -> sa.ColumnElement[bool]:
    """Condition for the users that a viewer may see: the rule that every statement about users passes through.

    Users with a public post, for everybody; oneself; all users for editors and admins. Deleted users appear only as the
    authors of their posts.
    """
    live = USERS.deleted_at.is_(None)
    if viewer.sees_everything:
        return live
    has_published = sa.exists().where(WRITTEN.c.author_id == USERS.id, is_public(WRITTEN.c, now))
    return sa.and_(live, has_published if viewer.id is None else sa.or_(USERS.id == viewer.id, has_published))


class UserSource(Source):
    """The statements about users."""

    record = UserRecord
    columns: ClassVar = {**USERS, "post_count": public_posts_of_author(USERS.id, NOW)}

    def visible(self) -> sa.ColumnElement[bool]:
        """Condition for users with a public post, oneself, and all users for editors; deleted users never."""
        return users_visible_to(self.viewer, NOW)

    def visible_as_author(self) -> sa.ColumnElement[bool]:
        """Condition for users who are the authors of visible posts: a deleted one is its blanked row."""
        return sa.true()

    @cached_property
    def filterable(self) -> Filterable:
        """What can be filtered."""
        texts = {
            "username": TextKey(USERS.username_key, MAX_USERNAME_LENGTH, MAX_USERNAME_KEY_LENGTH),
            "display_name": TextKey(USERS.display_name_key, MAX_DISPLAY_NAME_LENGTH, MAX_DISPLAY_NAME_KEY_LENGTH),
        }
        return Filterable(self.dialect_name, self.columns, texts=texts, special={"role": self._has_role})

    def _has_role(self, condition: Compare) -> sa.ColumnElement[bool]:
        """Condition for roles as the viewer sees them: those of others are null for all but editors and admins."""
        if condition.operator is not Operator.IN:
            raise TypeError(f"a role cannot be compared by {condition.operator}")
        has_role = sa.or_(sa.false(), *(USERS.role == role for role in condition.value))
        if self.viewer.sees_everything:
            return has_role
        return sa.false() if self.viewer.id is None else sa.and_(USERS.id == self.viewer.id, has_role)

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
