"""Random nested queries, drawn by hypothesis, and their text."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import hypothesis.strategies as st

from gqlapi.models import PostStatus, UserRole
from tests.documents import Name
from tests.oracle import Field, to_text
from tests.world import World, snake

T = TypeVar("T")
Names = tuple[str, ...]

ROW_LEAVES = ("id", "version", "createdAt", "updatedAt", "viewerCanUpdate", "viewerCanDelete", "__typename")
LEAVES = {
    "User": (*ROW_LEAVES, "username", "displayName", "bio", "avatarUrl", "email", "role"),
    "Tag": (*ROW_LEAVES, "slug", "name", "description"),
    "Post": (
        *(*ROW_LEAVES, "slug", "title", "excerpt", "content", "status", "readingTimeMinutes"),
        *("publishedAt", "deletedAt"),
    ),
}
ORDER_FIELDS = {
    "User": ("CREATED_AT", "USERNAME", "DISPLAY_NAME", "POST_COUNT"),
    "Tag": ("CREATED_AT", "NAME", "POST_COUNT"),
    "Post": ("CREATED_AT", "UPDATED_AT", "PUBLISHED_AT", "TITLE"),
}
FLAT_FILTERS = {
    "User": ("id", "username", "displayName", "role", "createdAt", "postCount"),
    "Tag": ("id", "slug", "name", "postCount"),
    "Post": ("id", "slug", "title", "body", "status", "createdAt", "publishedAt", "updatedAt"),
}
DEEP_FILTERS = {
    "User": ("and", "or", "not"),
    "Tag": ("and", "or", "not"),
    "Post": ("and", "or", "not", "author", "tags"),
}
RELATIONS = {
    "User": [("posts", "Post")],
    "Tag": [("posts", "Post")],
    "Post": [("author", "User"), ("tags", "Tag"), ("previous", "Post"), ("next", "Post"), ("related", "Post")],
}
LISTS = [("users", "User", None), ("tags", "Tag", None), ("posts", "Post", None)]
ROOT = [*LISTS, ("user", "User", "username"), ("tag", "Tag", "slug"), ("post", "Post", "slug")]
PAGE_INFO = tuple(Field(name) for name in ("hasNextPage", "hasPreviousPage", "startCursor", "endCursor"))


class RandomQuery:
    """One query about the rows of a world, drawn choice by choice."""

    def __init__(self, draw: st.DrawFn, world: World) -> None:
        self._draw = draw
        self._rows: dict[str, list[Any]] = {"User": world.users, "Tag": world.tags, "Post": world.posts}
        self._visible = world.visible

    def fields(self) -> tuple[Field, ...]:
        """Draw one to three root fields, each up to four levels of objects deep."""
        return _aliased([self._root() for _ in range(self._number(1, 3))])

    def filtered_list(self) -> tuple[Field, ...]:
        """Draw one list at the root that shows what its filter does."""
        name, kind, _ = self._one_of(LISTS)
        selection = (Field("totalCount"), Field("nodes", selection=(Field("id"),)))
        row_filter = {name: self._condition(kind, name, 2) for name in self._some(filters_of(kind, 2), 2, least=1)}
        return (Field(name, kind, arguments={"filter": row_filter, "first": 100}, selection=selection),)

    def _root(self) -> Field:
        name, kind, attribute = self._one_of(ROOT)
        if attribute is None:
            return self._list(name, kind, depth=3, max_size=100)
        row = self._one_of(self._rows[kind])
        by = {attribute: getattr(row, attribute).upper()} if self._chance() else {"id": row.global_id}
        return Field(name, kind, arguments={"by": by}, selection=self._object(kind, 3))

    def _object(self, kind: str, depth: int) -> tuple[Field, ...]:
        leaves = [self._leaf(name) for name in self._some(LEAVES[kind], 3) or ["id"]]
        relations = self._some(RELATIONS[kind] * 2, 2) if depth else []
        fields = _aliased([*leaves, *(self._relation(*relation, depth - 1) for relation in relations)])
        match self._one_of(("plain", "plain", "fragments", "skip")):
            case "fragments":
                return (*fields[1:], Field("...", selection=fields[:1]), Field("...", selection=fields[-1:]))
            case "skip":
                return (replace(fields[-1], alias="skipped", skipped=True), *fields)
        return fields

    def _leaf(self, name: str) -> Field:
        if name == "content":
            return Field(name, selection=tuple(Field(form) for form in ("markdown", "html", "text")))
        if name == "excerpt" and self._chance():
            return Field(name, arguments={"length": self._number(1, 2000)})
        return Field(name)

    def _relation(self, name: str, kind: str, depth: int) -> Field:
        if name == "posts":
            return self._list(name, kind, depth=depth, max_size=4)
        if name == "related" and self._chance():
            return Field(
                name, kind, arguments={"first": self._number(1, 20)}, selection=self._object(kind, min(depth, 1))
            )
        return Field(name, kind, selection=self._object(kind, depth))

    def _list(self, name: str, kind: str, *, depth: int, max_size: int) -> Field:
        arguments: dict[str, Any] = {}
        if self._chance():
            arguments["filter"] = None if self._number(0, 9) == 9 else self._filter(kind, 2)
        if self._chance():
            arguments["orderBy"] = [self._order(name) for name in self._some(ORDER_FIELDS[kind], 3)]
        if (size := self._one_of(("first", "last", None))) is not None:
            arguments[size] = self._number(1, max_size)
        for side in self._some(("after", "before"), 2) if self._chance() else ():
            arguments[side] = self._one_of(self._visible[kind]).id
        selection = self._some([Field("totalCount"), Field("pageInfo", selection=PAGE_INFO)], 2)
        match self._one_of(("nodes", "edges", "neither")):
            case "nodes":
                selection.append(Field("nodes", selection=self._object(kind, depth)))
            case "edges":
                node = Field("node", selection=self._object(kind, depth))
                selection.append(Field("edges", selection=(Field("cursor"), node)))
        return Field(name, kind, arguments=arguments, selection=tuple(selection) or (Field("totalCount"),))

    def _order(self, name: str) -> dict[str, str]:
        direction = self._one_of((Name("ASC"), Name("DESC"), None))
        return {"field": Name(name)} if direction is None else {"field": Name(name), "direction": direction}

    def _filter(self, kind: str, depth: int) -> dict[str, Any]:
        return {name: self._condition(kind, name, depth) for name in self._some(filters_of(kind, depth), 2)}

    def _condition(self, kind: str, name: str, depth: int) -> Any:  # noqa: PLR0911 - one for each field of a filter
        match name:
            case "and" | "or":
                return [self._filter(kind, depth - 1) for _ in range(self._number(0, 3))]
            case "not":
                return self._filter(kind, depth - 1)
            case "author":
                return self._filter("User", depth - 1)
            case "tags":
                return {quantifier: self._filter("Tag", depth - 1) for quantifier in self._some(("some", "none"), 2)}
            case "role" | "status":
                names = [choice.name for choice in (UserRole if name == "role" else PostStatus)]
                return [Name(choice) for choice in self._some(names, 3)]
            case "id":
                return self._operators(("eq", "ne"), ("in", "notIn"), lambda: self._one_of(self._rows[kind]).global_id)
            case "postCount":
                counts = ("eq", "ne", "lt", "lte", "gt", "gte")
                return self._operators(counts, (), lambda: self._one_of(self._rows[kind]).post_count)
            case "body":
                text, start = self._one_of(self._rows[kind]).text, self._number(0, 30)
                part = text[start : start + self._number(0, 8)]
                return {"contains": self._one_of((part, part.upper()))}
            case "createdAt" | "updatedAt" | "publishedAt":
                nulls = {"isNull": self._chance()} if self._chance() else {}
                times = ("eq", "lt", "lte", "gt", "gte")
                return {**nulls, **self._operators(times, (), lambda: self._time(kind, snake(name)))}
        sensitivity = {"caseInsensitive": self._chance()} if self._chance() else {}
        texts = ("eq", "ne", "startsWith", "contains")
        return {**sensitivity, **self._operators(texts, ("in", "notIn"), lambda: self._text(kind, name))}

    def _operators(self, single: Names, several: Names, value: Callable[[], Any]) -> dict[str, Any]:
        return {
            name: [value() for _ in range(self._number(0, 3))] if name in several else value()
            for name in self._some((*single, *several), 2, least=1)
        }

    def _text(self, kind: str, name: str) -> str:
        text: str = getattr(self._one_of(self._rows[kind]), snake(name))
        if self._chance():
            start = self._number(0, 6)
            text = text[start : start + self._number(0, 3)]
        elif self._chance():
            text = self._one_of(("", "%", "_", "\\", "'", "e"))
        return self._one_of((text, text.upper(), text.lower(), text.swapcase()))

    def _time(self, kind: str, attribute: str) -> str:
        moment = getattr(self._one_of(self._rows[kind]), attribute) or datetime(2021, 3, 2, tzinfo=UTC)
        moment += timedelta(milliseconds=self._number(-1, 1))
        if self._chance():
            return to_text(moment)
        return to_text(moment + timedelta(hours=5, minutes=30)).replace("Z", "+05:30")

    def _number(self, least: int, most: int) -> int:
        return self._draw(st.integers(least, most))

    def _chance(self) -> bool:
        return self._draw(st.booleans())

    def _one_of(self, choices: Sequence[T]) -> T:
        return choices[self._draw(st.integers(0, len(choices) - 1))]

    def _some(self, choices: Sequence[T], most: int, least: int = 0) -> list[T]:
        """Draw different choices."""
        places = st.lists(st.integers(0, len(choices) - 1), unique=True, min_size=least, max_size=most)
        return [choices[place] for place in self._draw(places)]


@st.composite
def queries(draw: st.DrawFn, world: World) -> tuple[Field, ...]:
    return RandomQuery(draw, world).fields()


@st.composite
def filtered_lists(draw: st.DrawFn, world: World) -> tuple[Field, ...]:
    return RandomQuery(draw, world).filtered_list()


def filters_of(kind: str, depth: int) -> Names:
    return FLAT_FILTERS[kind] + (DEEP_FILTERS[kind] if depth else ())


def _aliased(fields: list[Field] | tuple[Field, ...]) -> tuple[Field, ...]:
    """Give an alias to each field whose name was there before."""
    seen: set[str] = set()
    renamed: list[Field] = []
    for number, own in enumerate(fields):
        alias = f"{own.name.strip('_')}{number}" if own.name in seen else None
        renamed.append(replace(own, alias=alias))
        seen.add(own.name)
    return tuple(renamed)
