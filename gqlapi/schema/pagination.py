"""Connections: https://relay.dev/graphql/connections.htm, with `nodes` and an exact `totalCount`."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID

import strawberry

from gqlapi.context import Context
from gqlapi.execution.declarations import Prepared, Relation
from gqlapi.repositories.pages import Ordering, RecordPage
from gqlapi.schema.fields import relation, trusted
from gqlapi.schema.pricing import NESTED, ROOT
from gqlapi.schema.scalars import Cursor

Node = TypeVar("Node")


@strawberry.type(description="Pagination information.")
class PageInfo:
    """Pagination information."""

    has_next_page: bool = strawberry.field(description="Whether rows follow this page.")
    has_previous_page: bool = strawberry.field(
        description="Whether rows precede this page. Going forward, this is true exactly when `after` was given."
    )
    start_cursor: Cursor | None = strawberry.field(description="The cursor of the first row; null for an empty page.")
    end_cursor: Cursor | None = strawberry.field(
        description="The cursor of the last row, to be passed as `after`; null for an empty page."
    )


@strawberry.type(description="A row of a list, with its place in it.")
class Edge(Generic[Node]):
    """A row of a list, with its place in it."""

    node: Node = strawberry.field(description="The row.", metadata=trusted())
    cursor: Cursor = strawberry.field(description="The place of the row, to be passed as `after` or `before`.")


@dataclass(frozen=True, slots=True)
class Counter:
    """How the rows of lists are counted: `load` counts for several keys at once, `key` is equal for equal counts."""

    key: Hashable
    load: Callable[[Context, list[Any]], Awaitable[Sequence[int]]] = field(compare=False)


async def count_once(context: Context, counter: Counter, keys: list[Any]) -> list[int]:
    """Count for each key, equal counts of one operation once: at most one statement."""
    loaders = context.loaders
    async with loaders.counting:  # the second of two finds what the first one has counted
        counted = loaders.counts.setdefault(counter.key, {})
        missing = [key for key in dict.fromkeys(keys) if key not in counted]
        if missing:
            counted.update(zip(missing, await counter.load(context, missing), strict=True))
    return [counted[key] for key in keys]


async def _total_counts(context: Context, lists: list["List"], _prepared: Prepared) -> list[int]:
    """Count lists: one statement for each kind of list and filter."""
    counters: dict[Hashable, tuple[Counter, list[List]]] = {}
    for list_ in lists:
        counters.setdefault(list_.counter.key, (list_.counter, []))[1].append(list_)
    counts: dict[List, int] = {}
    for counter, counted in counters.values():
        counts.update(zip(counted, await count_once(context, counter, [list_.key for list_ in counted]), strict=True))
    return [counts[list_] for list_ in lists]


@strawberry.type(description="A page of a list.")
class Connection(Generic[Node]):
    """A page of a list."""

    edges: list[Edge[Node]] = strawberry.field(description="The rows with their cursors.", metadata=trusted())
    nodes: list[Node] = strawberry.field(description="The nodes, without cursors.", metadata=trusted())
    page_info: PageInfo = strawberry.field(description="Pagination information.", metadata=trusted())
    total_count: int = relation(
        Relation(_total_counts),
        description="The exact number of rows in the whole list. Counted only when selected; costs "
        f"{ROOT.count} points, {NESTED.count} in a nested list.",
    )


class Placed:
    """What an edge is read from: a record, whose cursor is made when it is selected."""

    __slots__ = ("_cursor_of", "node")

    def __init__(self, node: Any, cursor_of: Callable[[Any], str]) -> None:
        """Place a record."""
        self.node = node
        self._cursor_of = cursor_of

    @property
    def cursor(self) -> str:
        """The place of the record."""
        return self._cursor_of(self.node)


class List:
    """What a connection's fields are read from: a page, and how to count the whole list."""

    __slots__ = ("_cursor_of", "_page", "counter", "key", "nodes")

    def __init__(
        self, page: RecordPage[Any] | None, ordering: Ordering, counter: Counter, key: UUID | None = None
    ) -> None:
        """Wrap a page, None where only the count was selected; `counter` counts the whole list under `key`."""
        self._page = page or RecordPage((), has_next=False, has_previous=False)
        self._cursor_of = ordering.encode_cursor
        self.counter = counter
        self.key = key
        self.nodes = self._page.records

    @property
    def edges(self) -> list["Placed"]:
        """The records with their cursors."""
        return [Placed(record, self._cursor_of) for record in self.nodes]

    @property
    def page_info(self) -> PageInfo:
        """Where the page lies."""
        page, records = self._page, self._page.records
        return PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=Cursor(self._cursor_of(records[0])) if records else None,
            end_cursor=Cursor(self._cursor_of(records[-1])) if records else None,
        )
