"""Changing and deleting users."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import HttpUrl, TypeAdapter

from gqlapi.accounts.policy import Action, require
from gqlapi.accounts.registration import RESERVED_PREFIX, check_display_name
from gqlapi.checks import check_version, invalid, not_found, too_long
from gqlapi.lines import hidden_character
from gqlapi.models import GlobalId, User, UserRole
from gqlapi.names import normalize_nickname
from gqlapi.problems import Problem, reject_if_any
from gqlapi.repositories import WriteScope
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


async def update_user(scope: WriteScope, id_: UUID, expected_version: int | None, patch: UserPatch) -> None:
    """Change a profile; an empty patch is checked, and writes nothing.

    Raises:
        Rejected: there is no such user, they have changed, or the viewer may not.
    """
    repository, user = await _load(scope, Action.CHANGE_USER, id_, expected_version)
    if not patch.values:
        return
    for name, value in patch.values.items():
        setattr(user, name, normalize_nickname(value) if name == "display_name" and value else value)
    await repository.update(user)


async def set_user_role(scope: WriteScope, id_: UUID, role: UserRole) -> None:
    """Change what a user may do.

    Raises:
        Rejected: there is no such user, or the viewer may not.
    """
    repository, user = await _load(scope, Action.SET_ROLE, id_)
    user.role = role
    await repository.update(user)


async def delete_user(scope: WriteScope, id_: UUID, expected_version: int | None) -> None:
    """Delete a user: what is personal is blanked, name and address are free again, the posts stay.

    Raises:
        Rejected: there is no such user, they have changed, or the viewer may not.
    """
    repository, user = await _load(scope, Action.CHANGE_USER, id_, expected_version, removal=True)
    user.username = user.username_key = f"{RESERVED_PREFIX}{user.id.hex}"
    user.username_skeleton = None
    user.display_name = DELETED_DISPLAY_NAME
    user.email = user.email_key = user.bio = user.avatar_url = None
    user.role = UserRole.READER
    user.deleted_at = scope.now
    await repository.blank(user)


async def _load(
    scope: WriteScope, action: Action, id_: UUID, expected_version: int | None = None, *, removal: bool = False
) -> tuple[UserWriteRepository, User]:
    require(scope.viewer, action, id_)
    repository = UserWriteRepository(scope)
    user = await repository.get_for_update(id_, removal=removal)
    if user is None:
        raise not_found("User", GlobalId("User", id_).encode())
    check_version(user, expected_version)
    return repository, user
