"""Changing and deleting users."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import HttpUrl, TypeAdapter

from gqlapi.accounts.policy import Action, require
from gqlapi.accounts.registration import RESERVED_PREFIX, Registration, check_display_name, register
from gqlapi.checks import check_version, invalid, not_found, too_long
from gqlapi.lines import hidden_character
from gqlapi.models import AuditKind, GlobalId, User, UserRole
from gqlapi.names import normalize_nickname
from gqlapi.problems import ForbiddenProblem, Problem, Rejected, reject_if_any
from gqlapi.repositories import WriteScope
from gqlapi.repositories.audit import record
from gqlapi.repositories.user_writes import UserWriteRepository

MAX_BIO_LENGTH = 2_000
MAX_AVATAR_URL_LENGTH = 2_000
# What ends an attribute or a tag of HTML, or is not in the grammar of RFC 3986.
NOT_IN_URLS = frozenset("\"'<>\\^`{|} ")
# Knows what hosts and ports there can be; it repairs URLs that `urlsplit` refuses.
WEB_ADDRESS = TypeAdapter(HttpUrl)
DELETED_DISPLAY_NAME = "Deleted user"


@dataclass(frozen=True, slots=True)
class UserPatch:
    """The new values of a profile, by attribute; what is not there stays as it is."""

    values: dict[str, str | None]

    def check(self) -> None:
        """Check all values.

        Raises:
            Rejected: for all that is wrong.
        """
        reject_if_any(self._problems())

    def _problems(self) -> Iterator[Problem]:
        if "display_name" in self.values:
            yield from check_display_name(self.values["display_name"] or "", ("patch", "displayName"))
        if len(self.values.get("bio") or "") > MAX_BIO_LENGTH:
            yield too_long(("patch", "bio"), MAX_BIO_LENGTH)
        if (url := self.values.get("avatar_url")) is not None:
            yield from _check_url(url)


def _check_url(url: str) -> Iterator[Problem]:
    path = ("patch", "avatarUrl")
    if len(url) > MAX_AVATAR_URL_LENGTH:
        yield too_long(path, MAX_AVATAR_URL_LENGTH)
    elif not _is_web_address(url):
        yield invalid(path, "This is not an http or https URL without credentials, quotes, spaces and angle brackets.")


def _is_web_address(url: str) -> bool:
    """Whether a page can show what is at a URL, and put the URL into an attribute as it is."""
    if NOT_IN_URLS & {*url} or not url.isprintable() or hidden_character(url):
        return False
    try:
        parts = urlsplit(url)
        WEB_ADDRESS.validate_python(url)
        is_reachable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_reachable and "@" not in parts.netloc


async def create_user(scope: WriteScope, registration: Registration, password_hash: str, role: UserRole) -> UUID:
    """Create a user whose registration was checked, and return the key.

    Raises:
        Rejected: the name or the address is taken, or the viewer may not.
    """
    require(scope.viewer, Action.CREATE_USER)
    user = registration.to_user(role)
    await register(scope, user, password_hash)
    await record(scope, AuditKind.SIGNED_UP, user.id, role=role.value)
    return user.id


async def update_user(scope: WriteScope, id_: UUID, expected_version: int | None, patch: UserPatch) -> None:
    """Change a profile; an empty patch is checked, and writes nothing.

    Raises:
        Rejected: there is no such user, they have changed, or the viewer may not.
    """
    require(scope.viewer, Action.CHANGE_USER, id_)
    repository = UserWriteRepository(scope)
    user = await _load(repository, id_, expected_version)
    if not patch.values:
        return
    for name, value in patch.values.items():
        setattr(user, name, normalize_nickname(value) if name == "display_name" and value else value)
    await repository.update(user)


async def set_user_role(scope: WriteScope, id_: UUID, role: UserRole) -> None:
    """Change what a user may do.

    Raises:
        Rejected: there is no such user, the viewer may not, or there would be no admin.
    """
    require(scope.viewer, Action.SET_ROLE, id_)
    repository = UserWriteRepository(scope)
    user = await (_load_dispensable(repository, id_) if role is not UserRole.ADMIN else _load(repository, id_))
    if user.role is not role:
        await record(scope, AuditKind.ROLE_CHANGED, id_, before=user.role.value, after=role.value)
    user.role = role
    await repository.update(user)


async def delete_user(scope: WriteScope, id_: UUID, expected_version: int | None) -> None:
    """Delete a user: what is personal is blanked, name and address are free again, the posts stay.

    Raises:
        Rejected: there is no such user, they have changed, the viewer may not, or there would be no admin.
    """
    require(scope.viewer, Action.CHANGE_USER, id_)
    repository = UserWriteRepository(scope)
    user = await _load_dispensable(repository, id_, expected_version, removal=True)
    await record(scope, AuditKind.USER_DELETED, id_, role=user.role.value)
    user.username = user.username_key = f"{RESERVED_PREFIX}{user.id.hex}"
    user.username_skeleton = None
    user.display_name = DELETED_DISPLAY_NAME
    user.email = user.email_key = user.bio = user.avatar_url = None
    user.role = UserRole.READER
    user.deleted_at = scope.now
    await repository.blank(user)


async def _load(repository: UserWriteRepository, id_: UUID, expected_version: int | None = None) -> User:
    return _checked(await repository.get_for_update(id_), id_, expected_version)


async def _load_dispensable(
    repository: UserWriteRepository, id_: UUID, expected_version: int | None = None, *, removal: bool = False
) -> User:
    """Load and lock a user who is not the last admin, together with all admins: two cannot remove each other."""
    users = {user.id: user for user in await repository.list_for_update_with_admins(id_, removal=removal)}
    user = _checked(users.get(id_), id_, expected_version)
    if [other.id for other in users.values() if other.role is UserRole.ADMIN] == [id_]:
        raise Rejected(ForbiddenProblem(message="This is the only admin. Make another user an admin first."))
    return user


def _checked(user: User | None, id_: UUID, expected_version: int | None) -> User:
    if user is None:
        raise not_found("User", GlobalId("User", id_).encode())
    check_version(user, expected_version)
    return user
