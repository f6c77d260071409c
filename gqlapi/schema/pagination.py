"""Connections: https://relay.dev/graphql/connections.htm, with `nodes` and an exact `totalCount` besides."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import strawberry

from gqlapi.repositories.pages import Ordering, RecordPage
from gqlapi.schema.pricing import NESTED, ROOT
from gqlapi.schema.scalars import Cursor

Node = TypeVar("Node")


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    """Where a page lies in its list."""

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

    node: Node = strawberry.field(description="The row.")
    cursor: Cursor = strawberry.field(description="The place of the row, to be passed as `after` or `before`.")


def _total_count(root: Any) -> Awaitable[int]:
    counted: List = root
    return counted.count()


@strawberry.type(description="A page of a list.")
class Connection(Generic[Node]):
    """A page of a list."""

    edges: list[Edge[Node]] = strawberry.field(description="The rows with their cursors.")
    nodes: list[Node] = strawberry.field(description="The rows, for clients that need no cursor of each.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in its list.")
    total_count: int = strawberry.field(
        resolver=_total_count,
        description="The exact number of rows in the whole list. Counted only when selected; costs "
        f"{ROOT.count} points, {NESTED.count} in a nested list.",
    )


class List:
    """What a connection's fields are read from: a page, and how to count the whole list."""

    __slots__ = ("_cursor_of", "_page", "count")

    def __init__(self, page: RecordPage[Any] | None, ordering: Ordering, count: Callable[[], Awaitable[int]]) -> None:
        """Wrap a page; it is None where only the count was selected."""
        self._page = page or RecordPage((), has_next=False, has_previous=False)
        self._cursor_of = ordering.encode_cursor
        self.count = count

    @property
    def nodes(self) -> Sequence[Any]:
        """The records of the page."""
        return self._page.records

    @property
    def edges(self) -> list[Edge[Any]]:
        """The records with their cursors."""
        return [Edge(node=record, cursor=Cursor(self._cursor_of(record))) for record in self._page.records]

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
