"""The naive answer to a query: computed in Python over all rows, row by row and parent by parent."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from gqlapi.models import GlobalId, Post, PostState, Row, Tag, User
from gqlapi.words import fold

# By the names of the API: the attribute that an ordering reads, and whether it is unique.
ORDER_KEYS = {
    "CREATED_AT": ("id", True),
    "UPDATED_AT": ("updated_at", False),
    "PUBLISHED_AT": ("published_at", False),
    "TITLE": ("title_key", False),
    "USERNAME": ("username_key", True),
    "NAME": ("name_key", True),
}
DEFAULT_ORDER = {"Post": [("PUBLISHED_AT", "DESC")], "User": [("CREATED_AT", "DESC")], "Tag": [("NAME", "ASC")]}
FOLDED = {"slug": "slug", "title": "title_key", "username": "username_key", "name": "name_key"}

Order = tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Field:
    """A field of a query, or the spread of a fragment, whose name is `...`.

    In its arguments, `after` and `before` are ids of rows: the cursor depends on the ordering.
    """

    name: str
    type: str = ""
    alias: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    selection: tuple["Field", ...] = ()
    skipped: bool = False

    @property
    def key(self) -> str:
        return self.alias or self.name

    @property
    def order(self) -> Order:
        """The ordering of a list whose rows have the type of the field."""
        given = [(term["field"], term.get("direction", "ASC")) for term in self.arguments.get("orderBy") or ()]
        return tuple(given or DEFAULT_ORDER[self.type])


@dataclass
class World:
    """All rows of a database."""

    users: list[User]
    tags: list[Tag]
    posts: list[Post]
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @cached_property
    def by_id(self) -> dict[UUID, Any]:
        return {row.id: row for row in (*self.users, *self.tags, *self.posts)}

    def status(self, post: Post) -> str:
        if post.state is PostState.PUBLISHED and post.published_at is not None and post.published_at > self.now:
            return "SCHEDULED"
        return post.state.name

    def is_public(self, post: Post) -> bool:
        return self.status(post) == "PUBLISHED" and post.deleted_at is None

    def tags_of(self, post: Post) -> list[Tag]:
        return [self.by_id[link.tag_id] for link in sorted(post.post_tags, key=lambda link: link.position)]

    @property
    def visible(self) -> dict[str, list[Any]]:
        """What a viewer who is not signed in may list."""
        return {
            "User": [user for user in self.users if user.deleted_at is None],
            "Tag": self.tags,
            "Post": [post for post in self.posts if self.is_public(post)],
        }


def in_order(rows: Iterable[Any], order: Order) -> list[Any]:
    """Sort: NULL is the largest value, the id decides last, in the direction of the key before it."""
    terms = [(ORDER_KEYS[name][0], direction == "DESC") for name, direction in order]
    ordered = list(rows)
    for attribute, descending in reversed([*terms, ("id", terms[-1][1])]):
        ordered.sort(key=lambda row: ((value := getattr(row, attribute)) is None, value or 0), reverse=descending)
    return ordered


class Filters:
    """Tells which rows a filter holds for; null is the same as leaving a field out."""

    def __init__(self, world: World) -> None:
        self.world = world

    def holds(self, row: Any, row_filter: Mapping[str, Any]) -> bool:
        return all(self._part(row, name, value) for name, value in row_filter.items() if value is not None)

    def _part(self, row: Any, name: str, value: Any) -> bool:
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
                return row.role.name in value
            case "id":
                return _compares(row.global_id, value)
            case "slug" | "title" | "username" | "name":
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
    given = {name: value for name, value in operators.items() if value is not None}
    return all(
        OPERATORS[name](own, [*map(read, value)] if isinstance(value, list) else read(value))
        for name, value in given.items()
    )


def _compares_text(row: Any, name: str, operators: Mapping[str, Any]) -> bool:
    rest = {key: value for key, value in operators.items() if key != "caseInsensitive"}
    if operators.get("caseInsensitive", True):
        return _compares(getattr(row, FOLDED[name]), rest, fold)
    return _compares(getattr(row, name), rest)


def _compares_time(own: datetime | None, operators: Mapping[str, Any]) -> bool:
    rest = {name: value for name, value in operators.items() if name != "isNull"}
    is_null = operators.get("isNull")
    if is_null is not None and is_null != (own is None):
        return False
    if own is None:  # meets only `isNull`
        return all(value is None for value in rest.values())
    return _compares(own, rest, datetime.fromisoformat)


class Oracle:
    """Answers queries for a viewer who is not signed in; `cursors` holds the cursor of each row by ordering."""

    def __init__(self, world: World, cursors: Mapping[tuple[str, Order], Mapping[UUID, str]]) -> None:
        self.world = world
        self.visible = world.visible
        self.filters = Filters(world)
        self.cursors = cursors

    def answer(self, row: Any, selection: Sequence[Field]) -> dict[str, Any]:
        """Return the fields of one object; None is the root."""
        answered: dict[str, Any] = {}
        for part in selection:
            if part.skipped:
                continue
            if part.name == "...":
                answered |= self.answer(row, part.selection)
            else:
                answered[part.key] = self._field(row, part)
        return answered

    def _field(self, row: Any, part: Field) -> Any:
        match part.name:
            case "users" | "tags" | "posts" if row is None:
                return self._list(self.visible[part.type], part)
            case "user" | "tag" | "post":
                return self._by_key(part)
            case "posts" if isinstance(row, Tag):
                return self._list([post for post in self.visible["Post"] if row in self.world.tags_of(post)], part)
            case "posts":
                return self._list([post for post in self.visible["Post"] if post.author_id == row.id], part)
            case "author":
                return self.answer(self.world.by_id[row.author_id], part.selection)
            case "tags":
                return [self.answer(tag, part.selection) for tag in self.world.tags_of(row)]
            case "content":
                return self.answer(row, part.selection)
        return self._leaf(row, part)

    def _leaf(self, row: Any, part: Field) -> Any:
        match part.name:
            case "id":
                return GlobalId(row.typename, row.id).encode()
            case "__typename":
                return row.typename
            case "viewerCanUpdate" | "viewerCanDelete":
                return False
            case "email":
                return None
            case "status":
                return self.world.status(row)
            case "role":
                return row.role.name
            case "excerpt":
                return naive_excerpt(row.text, part.arguments.get("length", 250))
        value = getattr(row, snake(part.name))
        return to_text(value) if isinstance(value, datetime) else value

    def _by_key(self, part: Field) -> Any:
        ((name, value),) = part.arguments["by"].items()
        for row in self.visible[part.type]:
            if (row.global_id == value) if name == "id" else (getattr(row, FOLDED[name]) == fold(value)):
                return self.answer(row, part.selection)
        return None

    def _list(self, rows: Iterable[Any], part: Field) -> dict[str, Any]:
        given = part.arguments
        order = part.order
        matching = [row for row in rows if self.filters.holds(row, given.get("filter") or {})]
        page = in_order(matching, order)
        after, before = given.get("after"), given.get("before")
        if after is not None:
            page = self._beside(page, order, after)[1]
        if before is not None:
            page = self._beside(page, order, before)[0]
        backward = given.get("last") is not None
        size = given.get("last") or given.get("first") or 20
        more = len(page) > size
        page = page[-size:] if backward else page[:size]
        info = {
            "hasNextPage": (more and not backward) or before is not None,
            "hasPreviousPage": (more and backward) or after is not None,
        }
        return self._connection(part, page, len(matching), info)

    def _beside(self, rows: list[Any], order: Order, id_: UUID) -> tuple[list[Any], list[Any]]:
        """Return the rows on either side of a row, which need not be among them."""
        marker = self.world.by_id[id_]
        ordered = in_order({*rows, marker}, order)
        place = ordered.index(marker)
        return ordered[:place], ordered[place + 1 :]

    def _connection(self, part: Field, page: list[Any], total: int, info: dict[str, bool]) -> dict[str, Any]:
        answered: dict[str, Any] = {}
        for own in part.selection:
            if own.skipped:
                continue
            match own.name:
                case "totalCount":
                    answered[own.key] = total
                case "nodes":
                    answered[own.key] = [self.answer(row, own.selection) for row in page]
                case "edges":
                    answered[own.key] = [self._edge(part, own, row) for row in page]
                case "pageInfo":
                    cursors = [self._cursor(part, row) for row in page] or [None]
                    answered[own.key] = {**info, "startCursor": cursors[0], "endCursor": cursors[-1]}
        return answered

    def _edge(self, part: Field, edges: Field, row: Row) -> dict[str, Any]:
        inner = {own.name: own.selection for own in edges.selection}
        return {"cursor": self._cursor(part, row), "node": self.answer(row, inner["node"])}

    def _cursor(self, part: Field, row: Row) -> str:
        return self.cursors[part.type, part.order][row.id]


def naive_excerpt(text: str, length: int) -> str:
    """Add words until the next one does not fit; a word that does not fit alone is cut."""
    words = text.split()
    if len(" ".join(words)) <= length:
        return " ".join(words)
    fitting = max((count for count in range(1, len(words)) if len(" ".join(words[:count])) < length), default=0)
    return (" ".join(words[:fitting]) if fitting else words[0][: length - 1]) + "…"


def snake(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def to_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
