"""What a folder says about authors and tags in addition to its posts: `_data/authors.yml` and `_data/tags.yml`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gqlapi.accounts.registration import RESERVED_PREFIX, check_username
from gqlapi.accounts.users import UserPatch
from gqlapi.checks import invalid, too_long
from gqlapi.interchange.fields import is_true, text_of
from gqlapi.interchange.reading import MAX_SLUG_SOURCE_LENGTH, can_be_stored, read_text
from gqlapi.interchange.unreadable import Unreadable
from gqlapi.interchange.usernames import username_for
from gqlapi.interchange.yaml_texts import dump_yaml, load_yaml
from gqlapi.models import Tag, User, UserRole
from gqlapi.names import normalize_nickname
from gqlapi.problems import Rejected, reject_if_any
from gqlapi.publishing.checks import (
    MAX_DESCRIPTION_LENGTH,
    MAX_TAG_NAME_LENGTH,
    MAX_TAG_SLUG_LENGTH,
    check_tag_name,
)
from gqlapi.words import fold, slug_of

AUTHORS, TAGS = "_data/authors.yml", "_data/tags.yml"
MAX_QUOTED_LENGTH = 40
MAX_DATA_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class AuthorEntry:
    """A user as the folder describes them. Only our own files have a role; they alone create users without posts."""

    username: str
    display_name: str
    bio: str | None = None
    avatar_url: str | None = None
    role: UserRole | None = None
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class TagEntry:
    """A tag as the folder describes it."""

    name: str
    slug: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class BlogData:
    """Authors by their folded user names, tags in their order, and what could not be taken, by the file's name."""

    authors: dict[str, AuthorEntry] = field(default_factory=dict)
    tags: list[TagEntry] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


def read_blog_data(folder: Path) -> BlogData:
    """Read both files, if they are there; what has another form is somebody else's, and left alone."""
    data = BlogData()
    authors, tags = _load(folder, AUTHORS, data), _load(folder, TAGS, data)
    for name, values in authors.items() if isinstance(authors, dict) else ():
        if isinstance(values, dict):
            _take(data, AUTHORS, str(name), values, _keep_author)
    for values in tags if isinstance(tags, list) else ():
        if isinstance(values, dict) and text_of(values, "name"):
            _take(data, TAGS, text_of(values, "name"), values, _keep_tag)
    return data


def dump_authors(users: Iterable[User]) -> str:
    """Write users, with nothing of what only they and the admins may know."""
    entries: dict[str, dict[str, Any]] = {}
    for user in users:
        entry = {"name": user.display_name, "bio": user.bio, "avatar_url": user.avatar_url, "role": user.role.value}
        entries[user.username] = entry | ({"deleted": True} if user.deleted_at else {})
    return dump_yaml(entries)


def dump_tags(tags: Iterable[Tag]) -> str:
    """Write tags."""
    return dump_yaml([{"name": tag.name, "slug": tag.slug, "description": tag.description} for tag in tags])


def _load(folder: Path, name: str, data: BlogData) -> Any:
    path = folder / name
    if path.is_symlink() or path.parent.is_symlink():
        data.problems.append((name, "it is a link, or behind one"))
        return None
    try:
        return load_yaml(read_text(path, MAX_DATA_BYTES)) if path.is_file() else None
    except Unreadable as unreadable:
        data.problems.append((name, str(unreadable)))
        return None


Values = Mapping[str, Any]


def _take(data: BlogData, file: str, name: str, values: Values, keep: Callable[[BlogData, str, Values], None]) -> None:
    """Keep an entry, or the reason why it cannot be kept."""
    try:
        _check_characters(name, "name")
        # Before it is folded; user names are shorter.
        reject_if_any([too_long(("name",), MAX_TAG_NAME_LENGTH)] if len(name) > MAX_TAG_NAME_LENGTH else ())
        keep(data, name, values)
    except Rejected as rejected:
        data.problems.append((file, f"{name[:MAX_QUOTED_LENGTH]!r} is invalid: {rejected}"))


def _keep_author(data: BlogData, name: str, values: Values) -> None:
    role = next((role for role in UserRole if role == text_of(values, "role")), None)
    is_deleted = is_true(values, "deleted") and fold(name).startswith(RESERVED_PREFIX)
    entry = AuthorEntry(
        # What this program wrote is taken as it is; other programs know no user names.
        username=name if role else username_for(name),
        display_name=_text(values, "name") or name,
        bio=_text(values, "bio"),
        avatar_url=_text(values, "avatar_url"),
        role=role,
        is_deleted=is_deleted,
    )
    if not is_deleted:
        reject_if_any(check_username(entry.username, ("username",)))
    UserPatch({"display_name": entry.display_name, "bio": entry.bio, "avatar_url": entry.avatar_url}).check()
    shown = normalize_nickname(entry.display_name)
    data.authors.setdefault(fold(name), replace(entry, display_name=shown))


def _keep_tag(data: BlogData, name: str, values: Values) -> None:
    source = (text_of(values, "slug") or name)[:MAX_SLUG_SOURCE_LENGTH]
    slug, description = slug_of(source, MAX_TAG_SLUG_LENGTH), _text(values, "description")
    reject_if_any(check_tag_name(name, ("name",)))
    if len(description or "") > MAX_DESCRIPTION_LENGTH:
        raise Rejected(too_long(("description",), MAX_DESCRIPTION_LENGTH))
    data.tags.append(TagEntry(normalize_nickname(name), slug or "tag", description))


def _text(values: Values, name: str) -> str | None:
    value = values.get(name)
    if not isinstance(value, str):
        return None
    _check_characters(value, name)
    return value


def _check_characters(text: str, name: str) -> None:
    if not can_be_stored(text):
        raise Rejected(invalid((name,), "It holds a character that cannot be stored."))
