"""Finding the users whom a blog names, and creating those who are new."""

from collections.abc import Mapping
from contextlib import suppress
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from gqlapi.database.failures import constraint_of
from gqlapi.interchange.blog_data import AuthorEntry
from gqlapi.interchange.unreadable import Unreadable
from gqlapi.interchange.usernames import username_for
from gqlapi.models import User, UserRole, new_id
from gqlapi.names import normalize_nickname, skeleton
from gqlapi.repositories import WriteScope
from gqlapi.repositories.interchange import ImportRepository
from gqlapi.repositories.user_writes import UserWriteRepository
from gqlapi.words import fold

LOOKS_THE_SAME = "uq_users_username_skeleton"


class AuthorFinder:
    """Finds authors by their names without regard to case, in one transaction."""

    def __init__(self, scope: WriteScope, entries: Mapping[str, AuthorEntry]) -> None:
        """Find in a transaction; `entries` has what the folder knows of an author, by the folded user name."""
        self._scope = scope
        self._entries = entries
        self._users = ImportRepository(scope.session)
        self._shown: dict[str, AuthorEntry] | None = None

    async def find(self, name: str, owner_id: UUID | None) -> User:
        """Return the author: by user name, else by display name, else a new one who cannot sign in.

        Readers are not found by either name, except `owner_id`, who has the post already.

        Raises:
            Unreadable: a reader has the user name, and no other user the display name.
        """
        key = fold(name)
        user = await self._users.get_user_by_key(key)
        if user is not None and _can_have_written(user, owner_id):
            return user
        entry = self._entries.get(key) or await self._by_display_name(name)
        user = await self._users.get_user_by_key(fold(entry.username)) or await self._create(entry)
        if not _can_have_written(user, owner_id):
            raise Unreadable(f"its author {user.username} is a reader: make them an author, or name another one")
        return user

    async def create_described(self) -> None:
        """Create those whom the folder describes with a role and who are missing; existing users are never modified."""
        for entry in self._entries.values():
            if entry.role and await self._users.get_user_by_key(fold(entry.username)) is None:
                with suppress(Unreadable):  # reported for the posts that name them
                    await self._create(entry)

    async def _by_display_name(self, name: str) -> AuthorEntry:
        """Return who is shown by this name, in the database or in the folder, else somebody new."""
        if self._shown is None:
            known = await self._users.list_author_names()
            self._shown = {fold(entry.display_name): entry for entry in reversed([*self._entries.values()])}
            for username, shown in reversed(known):
                self._shown[fold(shown)] = AuthorEntry(username, shown)
        return self._shown.get(fold(name)) or AuthorEntry(username_for(name), normalize_nickname(name))

    async def _create(self, entry: AuthorEntry) -> User:
        user = User(
            id=new_id(),
            username=entry.username,
            username_key=fold(entry.username),
            username_skeleton=None if entry.is_deleted else skeleton(entry.username),
            display_name=entry.display_name,
            bio=entry.bio,
            avatar_url=entry.avatar_url,
            role=entry.role or UserRole.AUTHOR,
            deleted_at=self._scope.now if entry.is_deleted else None,
        )
        repository = UserWriteRepository(self._scope)
        try:
            await repository.create(user)
        except IntegrityError as error:
            if constraint_of(error) != LOOKS_THE_SAME:
                raise
            raise Unreadable(f"its author {user.username} looks like a user who has another name") from None
        if entry.is_deleted:
            await repository.blank(user)
        return user


def _can_have_written(user: User, owner_id: UUID | None) -> bool:
    """Return whether a post may be this user's: a reader takes any name that is free, and would be given the posts.

    Those without an address did not sign up: they are deleted, or an import of a blog made them readers.
    """
    return user.role is not UserRole.READER or user.email_key is None or user.id == owner_id
