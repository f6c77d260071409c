"""All rows of a database in Python, and which of them a filter holds for."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from gqlapi.models import Post, PostState, Tag, User
from gqlapi.words import fold

# By the names of the API: the attribute that is compared without regard to case.
FOLDED = {
    "slug": "slug",
    "title": "title_key",
    "username": "username_key",
    "displayName": "display_name_key",
    "name": "name_key",
}


@dataclass(repr=False)
class World:
    """All rows of a database."""

    users: list[User]
    tags: list[Tag]
    posts: list[Post]
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        """Count the public posts of users and tags, as an attribute of their rows."""
        public = [post for post in self.posts if self.is_public(post)]
        owners = [id_ for post in public for id_ in (post.author_id, *(link.tag_id for link in post.post_tags))]
        counts = Counter(owners)
        for row in (*self.users, *self.tags):
            vars(row)["post_count"] = counts[row.id]

    @cached_property
    def by_id(self) -> dict[UUID, Any]:
        return {row.id: row for row in (*self.users, *self.tags, *self.posts)}

    def status(self, post: Post) -> str:
        if post.state is PostState.PUBLISHED and post.published_at is not None and post.published_at > self.now:
            return "SCHEDULED"
        return post.state.name

    def is_public(self, post: Post) -> bool:
        return self.status(post) == "PUBLISHED" and post.deleted_at is None

    def has_published(self, user: User) -> bool:
        return any(post.author_id == user.id and self.is_public(post) for post in self.posts)

    def tags_of(self, post: Post) -> list[Tag]:
        return self._tags_by_post[post.id]

    @cached_property
    def _tags_by_post(self) -> dict[UUID, list[Tag]]:
        return {
            post.id: [self.by_id[link.tag_id] for link in sorted(post.post_tags, key=lambda link: link.position)]
            for post in self.posts
        }

    def beside(self, post: Post, *, is_next: bool) -> Post | None:
        """Return the public post that was published next to a post, None for the last and for drafts."""
        if post.published_at is None:
            return None
        own = post.published_at, post.id
        others = [other for other in self._newest_first if (_place(other) > own if is_next else _place(other) < own)]
        return (others[-1] if is_next else others[0]) if others else None

    def related(self, post: Post, size: int) -> list[Post]:
        """Return the posts that share most tags, of the newest 100 of each tag."""
        shared: Counter[UUID] = Counter()
        for tag in self.tags_of(post):
            of_tag = [other for other in self._newest_first if tag in self.tags_of(other)]
            shared.update(other.id for other in of_tag[:100] if other is not post)
        best = sorted(shared, key=lambda id_: (shared[id_], _place(self.by_id[id_])), reverse=True)
        return [self.by_id[id_] for id_ in best[:size]]

    @cached_property
    def _newest_first(self) -> list[Post]:
        return sorted((post for post in self.posts if self.is_public(post)), key=_place, reverse=True)

    @cached_property
    def visible(self) -> dict[str, list[Any]]:
        """What a viewer who is not signed in may list."""
        return {
            "User": [user for user in self.users if user.deleted_at is None and self.has_published(user)],
            "Tag": self.tags,
            "Post": [post for post in self.posts if self.is_public(post)],
        }


def _place(post: Post) -> tuple[Any, UUID]:
    return post.published_at, post.id


class Filters:
    """Selects the rows that a filter matches; it has no null."""

    def __init__(self, world: World) -> None:
        self.world = world

    def holds(self, row: Any, row_filter: Mapping[str, Any]) -> bool:
        return all(self._part(row, name, value) for name, value in row_filter.items())

    def _part(self, row: Any, name: str, value: Any) -> bool:  # noqa: PLR0911 - one for each field of a filter
        match name:
            case "and":
                return all(self.holds(row, part) for part in value)
            case "or":
                return any(self.holds(row, part) for part in value)
            case "not":
                return not self.holds(row, value)
            case "author":
                return self.holds(self.world.by_id[row.author_id], value)
            case "tags":
                return self._tags(row, **value)
            case "status":
                return self.world.status(row) in value
            case "role":
                return False  # roles are null to those who are not signed in
            case "id":
                return _compares(row.global_id, value)
        return _compares_attribute(row, name, value)

    def _tags(self, post: Post, some: Any = None, none: Any = None) -> bool:
        tags = self.world.tags_of(post)
        return (some is None or any(self.holds(tag, some) for tag in tags)) and (
            none is None or not any(self.holds(tag, none) for tag in tags)
        )


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda own, other: own == other,
    "ne": lambda own, other: own != other,
    "in": lambda own, other: own in other,
    "notIn": lambda own, other: own not in other,
    "lt": lambda own, other: own < other,
    "lte": lambda own, other: own <= other,
    "gt": lambda own, other: own > other,
    "gte": lambda own, other: own >= other,
    "startsWith": lambda own, other: own.startswith(other),
    "contains": lambda own, other: other in own,
}


def _compares(own: Any, operators: Mapping[str, Any], read: Callable[[Any], Any] = lambda value: value) -> bool:
    return all(
        OPERATORS[name](own, [*map(read, value)] if isinstance(value, list) else read(value))
        for name, value in operators.items()
    )


def _compares_attribute(row: Any, name: str, value: Mapping[str, Any]) -> bool:
    if name == "body":
        return value["contains"] in row.text
    if name == "postCount":
        return _compares(row.post_count, value)
    return _compares_text(row, name, value) if name in FOLDED else _compares_time(getattr(row, snake(name)), value)


def _compares_text(row: Any, name: str, operators: Mapping[str, Any]) -> bool:
    rest = {key: value for key, value in operators.items() if key != "caseInsensitive"}
    if operators.get("caseInsensitive", True):
        return _compares(getattr(row, FOLDED[name]), rest, fold)
    return _compares(getattr(row, snake(name)), rest)


def _compares_time(own: datetime | None, operators: Mapping[str, Any]) -> bool:
    rest = {name: value for name, value in operators.items() if name != "isNull"}
    is_null = operators.get("isNull")
    if is_null is not None and is_null != (own is None):
        return False
    if own is None:  # matches only `isNull`
        return not rest
    return _compares(own, rest, datetime.fromisoformat)


def snake(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).lower()
