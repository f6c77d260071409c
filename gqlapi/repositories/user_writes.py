"""Writes of users."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm.attributes import flag_modified

from gqlapi.models import ApiToken, IdempotencyKey, Session, User, UserCredential, UserRole
from gqlapi.repositories.locks import for_change, for_removal
from gqlapi.repositories.search import SearchIndex
from gqlapi.repositories.write_scope import WriteScope


class UserWriteRepository:
    """Writes of users in a transaction; the search stays in step with them."""

    def __init__(self, scope: WriteScope) -> None:
        """Bind the repository to a transaction."""
        self._session = scope.session
        self._now = scope.now

    async def get_for_update(self, id_: UUID) -> User | None:
        """Load a user who is not deleted, and lock the row."""
        statement = sa.select(User).where(User.id == id_, User.deleted_at.is_(None))
        return (await self._session.scalars(for_change(statement))).one_or_none()

    async def list_for_update_with_admins(self, id_: UUID, *, removal: bool) -> list[User]:
        """Load a user and all admins, as far as they are not deleted, and lock the rows.

        What is read was true when the last of the locks was granted. `removal`: the user is going to be deleted.
        """
        is_asked_for = sa.or_(User.id == id_, User.role == UserRole.ADMIN)
        statement = sa.select(User).where(is_asked_for, User.deleted_at.is_(None)).order_by(User.id)
        locked = for_removal(statement) if removal else for_change(statement)
        # Behind the locks: an admin whose row was waited for may be none any more.
        return [*(await self._session.scalars(locked.execution_options(populate_existing=True)))]

    async def get_by_username_key(self, username_key: str) -> User | None:
        """Load a user who is not deleted by their folded name, and lock the row."""
        statement = sa.select(User).where(User.username_key == username_key, User.deleted_at.is_(None))
        return (await self._session.scalars(for_change(statement))).one_or_none()

    async def list_by_keys(self, user: User) -> list[User]:
        """Load the users who have the name of another one, or one that looks the same, or the address."""
        is_taken = sa.or_(
            User.username_key == user.username_key,
            User.username_skeleton == user.username_skeleton,
            User.email_key == user.email_key,
        )
        return [*(await self._session.scalars(sa.select(User).where(is_taken).order_by(User.id)))]

    async def create(self, user: User) -> None:
        """Insert a user in a savepoint, so that the transaction survives when the name is taken.

        Raises:
            IntegrityError: the name or the address is taken.
        """
        async with self._session.begin_nested():
            self._session.add(user)
        await SearchIndex(self._session).put([user])

    async def update(self, user: User) -> None:
        """Write a changed user as the next version."""
        user.updated_at = self._now
        # Written whether or not anything differs: each successful mutation is a version.
        flag_modified(user, "updated_at")
        await self._session.flush()
        await SearchIndex(self._session).put([user])

    async def blank(self, user: User) -> None:
        """Write a deleted user, and remove all that only they had."""
        await self.update(user)
        await SearchIndex(self._session).remove([user.id])
        for model in (UserCredential, Session, ApiToken, IdempotencyKey):
            await self._session.execute(sa.delete(model).where(model.user_id == user.id))
