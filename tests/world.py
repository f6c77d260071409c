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

    @cached_property
    def visible(self) -> dict[str, list[Any]]:
        """What a viewer who is not signed in may list."""
        return {
            "User": [user for user in self.users if user.deleted_at is None and self.has_published(user)],
            "Tag": self.tags,
            "Post": [post for post in self.posts if self.is_public(post)],
        }


class Filters:
    """Tells which rows a filter holds for; it has no null."""

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
            case "postCount":
                return all(OPERATORS[operator](row.post_count, other) for operator, other in value.items())
            case "body":
                return value["contains"] in row.text
            case "slug" | "title" | "username" | "displayName" | "name":
                return _compares_text(row, name, value)
        return _compares_time(getattr(row, snake(name)), value)

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
    if own is None:  # meets only `isNull`
        return not rest
    return _compares(own, rest, datetime.fromisoformat)


def snake(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).lower()
