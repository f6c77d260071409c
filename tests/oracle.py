"""The naive answer to a query: computed in Python over all rows, row by row and parent by parent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from gqlapi.models import GlobalId, Row, Tag
from gqlapi.words import fold
from tests.world import FOLDED, Filters, World, snake

MAX_REPR_LENGTH = 5_000
# By the names of the API: the attribute that an ordering reads, and whether it is unique.
ORDER_KEYS = {
    "CREATED_AT": ("id", True),
    "UPDATED_AT": ("updated_at", False),
    "PUBLISHED_AT": ("published_at", False),
    "TITLE": ("title_key", False),
    "USERNAME": ("username_key", True),
    "DISPLAY_NAME": ("display_name_key", False),
    "POST_COUNT": ("post_count", False),
    "NAME": ("name_key", True),
}
DEFAULT_ORDER = {"Post": [("PUBLISHED_AT", "DESC")], "User": [("CREATED_AT", "DESC")], "Tag": [("NAME", "ASC")]}

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

    def __repr__(self) -> str:
        arguments = f"({dict(self.arguments)})" if self.arguments else ""
        text = f"{self.key}{arguments}{list(self.selection) if self.selection else ''}"
        return text if len(text) < MAX_REPR_LENGTH else f"{text[:MAX_REPR_LENGTH]}…"

    @property
    def key(self) -> str:
        return self.alias or self.name

    @property
    def order(self) -> Order:
        """The ordering of a list whose rows have the type of the field."""
        given = [(term["field"], term.get("direction", "ASC")) for term in self.arguments.get("orderBy") or ()]
        return tuple(given or DEFAULT_ORDER[self.type])


def in_order(rows: Iterable[Any], order: Order) -> list[Any]:
    """Sort: NULL is the largest value, the id decides last, in the direction of the key before it."""
    terms = [(ORDER_KEYS[name][0], direction == "DESC") for name, direction in order]
    ordered = list(rows)
    for attribute, descending in reversed([*terms, ("id", terms[-1][1])]):
        ordered.sort(key=lambda row: ((value := getattr(row, attribute)) is None, value or 0), reverse=descending)
    return ordered


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

    def _field(self, row: Any, part: Field) -> Any:  # noqa: PLR0911 - one for each kind of field
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
            case "previous" | "next":
                beside = self.world.beside(row, is_next=part.name == "next")
                return None if beside is None else self.answer(beside, part.selection)
            case "related":
                related = self.world.related(row, part.arguments.get("first", 5))
                return [self.answer(post, part.selection) for post in related]
        return self._leaf(row, part)

    def _leaf(self, row: Any, part: Field) -> Any:  # noqa: PLR0911 - one for each field that is no attribute
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
                return None  # for those who are not signed in
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
                    cursors: list[str | None] = [*(self._cursor(part, row) for row in page)] or [None]
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


def to_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
