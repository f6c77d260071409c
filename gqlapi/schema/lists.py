"""List fields: their arguments, what these are checked for, and how all parents are answered at once."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from strawberry.types.arguments import StrawberryArgument

from gqlapi.context import Context
from gqlapi.database.pagination import Window
from gqlapi.errors import BadUserInput
from gqlapi.execution.declarations import FieldRules, Prepared, Relation
from gqlapi.repositories import Repositories
from gqlapi.repositories.base import Repository
from gqlapi.repositories.pages import Ordering, PageRequest, RecordPage
from gqlapi.schema.fields import argument, prepared_field
from gqlapi.schema.filters import RowFilter, to_condition
from gqlapi.schema.ordering import OrderKey, to_ordering
from gqlapi.schema.pagination import Counter, List, count_once
from gqlapi.schema.pricing import NESTED, ROOT, ListPrices, count_cost, list_cost, reads_rows
from gqlapi.schema.scalars import Cursor

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 100
FILTER = (
    "Which rows; all of the list when left out. A filter without an index costs "
    f"{ROOT.scan:,} points, {NESTED.scan} in a nested list."
)

PageByParents = Callable[[Repositories, Sequence[UUID], PageRequest], Awaitable[Sequence[RecordPage[Any]]]]
CountByParents = Callable[[Repositories, Sequence[UUID], PageRequest], Awaitable[Sequence[int]]]


Along = Callable[[Mapping[str, frozenset[str]]], tuple[Relation, ...]]


def no_others(_selected: Mapping[str, frozenset[str]]) -> tuple[Relation, ...]:
    """Return no relations: a statement reads none but its own."""
    return ()


@dataclass(frozen=True, slots=True)
class ListKind:
    """What the lists of one type have in common; `indexed` are the attributes whose ordering an index serves."""

    filter: type[Any]
    order: type[Any]
    default_order: tuple[OrderKey, ...]
    default_order_text: str
    indexed: frozenset[str]
    nested_indexed: frozenset[str] = frozenset()


def root_list(
    kind: ListKind,
    repository: Callable[[Repositories], Repository[Any]],
    *,
    description: str,
    along: Along = no_others,
) -> Any:
    """Declare a list at the root: one statement for all pages and the relations `along`, one for each count."""

    async def load(context: Context, keys: list[Prepared], _prepared: Prepared) -> list[List | Exception]:
        source = repository(context.repositories)
        wanted = [key.value for key in keys if reads_rows(key.selection)]
        pages = iter(await source.pages(wanted))
        return [
            _root_list_of(repository, source, key.value, next(pages) if reads_rows(key.selection) else None)
            for key in keys
        ]

    rules = FieldRules(
        prepare=_preparer(kind),
        rows=_page_size,
        surcharge=_surcharge(ROOT, kind.indexed),
        relation=Relation(load, by_argument=True, reads_together=True, along=along),
    )
    return prepared_field(_list_arguments(kind), rules, description)


def _root_list_of(
    repository: Callable[[Repositories], Repository[Any]],
    source: Repository[Any],
    request: PageRequest,
    page: RecordPage[Any] | Exception | None,
) -> List | Exception:
    """Return a list at the root, or why its page could not be read."""
    if isinstance(page, Exception):
        return page

    async def count(context: Context, keys: list[Any]) -> list[int]:
        return [await repository(context.repositories).count(request) for _ in keys]

    counter = Counter((source.record.typename, request.condition), count)
    return List(page, request.ordering, counter)


def nested_list(kind: ListKind, page: PageByParents, count: CountByParents, *, description: str) -> Any:
    """Declare a list of each object of a type: one statement for the pages of all, one for their counts."""

    async def load(context: Context, ids: list[UUID], prepared: Prepared) -> list[List]:
        request: PageRequest = prepared.value
        reads = reads_rows(prepared.selection)
        pages = await page(context.repositories, ids, request) if reads else [None] * len(ids)
        counter = _counter(count, request)
        return [List(page_, request.ordering, counter, id_) for id_, page_ in zip(ids, pages, strict=True)]

    rules = FieldRules(
        needs=frozenset({"id"}),
        prepare=_preparer(kind),
        rows=_page_size,
        surcharge=_surcharge(NESTED, kind.nested_indexed),
        relation=Relation(load, key="id"),
    )
    return prepared_field(_list_arguments(kind), rules, description)


def nested_count(kind: ListKind, count: CountByParents, *, description: str) -> Any:
    """Declare a count of the rows of each object of a type: one statement for all objects."""

    def prepare(*, filter: RowFilter | None = None) -> PageRequest:  # noqa: A002
        condition = None if filter is None else to_condition(filter)
        return PageRequest(to_ordering(kind.default_order), Window(size=1), condition)

    async def load(context: Context, ids: list[UUID], prepared: Prepared) -> Sequence[int]:
        return await count_once(context, _counter(count, prepared.value), ids)

    rules = FieldRules(
        needs=frozenset({"id"}),
        prepare=prepare,
        surcharge=lambda prepared: count_cost(NESTED, prepared.value.condition),
        relation=Relation(load, key="id"),
    )
    return prepared_field([argument("filter", kind.filter | None, FILTER)], rules, description)


def _counter(count: CountByParents, request: PageRequest) -> Counter:
    def load(context: Context, ids: list[UUID]) -> Awaitable[Sequence[int]]:
        return count(context.repositories, ids, request)

    return Counter((count, request.condition), load)


def _list_arguments(kind: ListKind) -> list[StrawberryArgument]:
    order = (
        f"The keys of the ordering, most important first. Default: {kind.default_order_text}. An ordering without an "
        "index costs as much as such a filter."
    )
    return [
        argument("filter", kind.filter | None, FILTER),
        argument("order_by", list[kind.order] | None, order),  # type: ignore[name-defined] # a type made at run time
        *window_arguments("rows"),
    ]


def window_arguments(rows: str) -> list[StrawberryArgument]:
    """Return the arguments of `to_window`, for a list of `rows`."""
    sizes = f"1 to {MAX_PAGE_SIZE}"
    return [
        argument("first", int | None, f"Size of the page, from the start: {sizes}; {DEFAULT_PAGE_SIZE} by default."),
        argument("after", Cursor | None, f"Only {rows} after this cursor."),
        argument("last", int | None, f"Size of the page, from the end: {sizes}; not together with `first`."),
        argument("before", Cursor | None, f"Only {rows} before this cursor."),
    ]


def _preparer(kind: ListKind) -> Callable[..., PageRequest]:
    default_ordering = to_ordering(kind.default_order)

    def prepare(
        *,
        filter: RowFilter | None = None,  # noqa: A002 - the argument's name in the API
        order_by: Sequence[OrderKey] | None = None,
        **window: Any,
    ) -> PageRequest:
        ordering = to_ordering(order_by) if order_by else default_ordering
        return PageRequest(
            ordering=ordering,
            window=to_window(ordering, **window),
            condition=None if filter is None else to_condition(filter),
        )

    return prepare


def to_window(
    ordering: Ordering,
    first: int | None = None,
    after: Cursor | None = None,
    last: int | None = None,
    before: Cursor | None = None,
) -> Window:
    """Check the arguments of a page, which is never silently clamped.

    Raises:
        BadUserInput: `first` and `last` are both given, or out of range, or a cursor is not of this ordering.
    """
    if first is not None and last is not None:
        raise BadUserInput("`first` and `last` cannot be combined.")
    return Window(
        size=check_size("first", first) or check_size("last", last) or DEFAULT_PAGE_SIZE,
        backward=last is not None,
        after=None if after is None else ordering.decode_cursor(after),
        before=None if before is None else ordering.decode_cursor(before),
    )


def check_size(name: str, size: int | None, maximum: int = MAX_PAGE_SIZE) -> int | None:
    """Return a size, if it is given.

    Raises:
        BadUserInput: it is out of range.
    """
    if size is not None and not 1 <= size <= maximum:
        raise BadUserInput(f"`{name}` must be between 1 and {maximum}.")
    return size


def _page_size(prepared: Prepared) -> int:
    request: PageRequest = prepared.value
    return request.window.size


def _surcharge(prices: ListPrices, indexed: frozenset[str]) -> Callable[[Prepared], int]:
    return lambda prepared: list_cost(prices, prepared.value, prepared.selection, indexed)
