"""List fields: their arguments, what these are checked for, and how all parents are answered at once."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiodataloader import DataLoader
from graphql import FieldNode, GraphQLResolveInfo
from strawberry.types.arguments import StrawberryArgument

from gqlapi.context import Context, Prepared
from gqlapi.database.pagination import Window
from gqlapi.errors import BadUserInput
from gqlapi.execution.relation import Relation
from gqlapi.repositories import Repositories
from gqlapi.repositories.base import Repository
from gqlapi.repositories.pages import Ordering, PageRequest, RecordPage
from gqlapi.schema.fields import FieldRules, argument, prepared_field
from gqlapi.schema.filters import RowFilter, to_condition
from gqlapi.schema.ordering import OrderKey, to_ordering
from gqlapi.schema.pagination import List
from gqlapi.schema.pricing import NESTED, ROOT, ListPrices, count_cost, list_cost, reads_rows
from gqlapi.schema.scalars import Cursor

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 100
FILTER = (
    "Which rows; all that the viewer may see when left out. A filter without an index costs "
    f"{ROOT.scan:,} points, {NESTED.scan} in a nested list."
)

PageByParents = Callable[[Repositories, Sequence[UUID], PageRequest], Awaitable[Sequence[RecordPage[Any]]]]
CountByParents = Callable[[Repositories, Sequence[UUID], PageRequest], Awaitable[Sequence[int]]]


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
    arguments: Sequence[StrawberryArgument] = (),
) -> Any:
    """Declare a list at the root: one statement for the page, one for the count."""

    async def resolve(_root: object, info: GraphQLResolveInfo[Any], **_arguments: Any) -> List:
        context: Context = info.context
        prepared = context.prepared(info.field_nodes)
        request: PageRequest = prepared.value
        source = repository(context.repositories)
        page = await source.page(request) if reads_rows(prepared.selection) else None
        return List(page, request.ordering, lambda: _count_once(context, source, request))

    rules = FieldRules(
        prepare=_preparer(kind), rows=_page_size, surcharge=_surcharge(ROOT, kind.indexed), resolve=resolve
    )
    return prepared_field([*_list_arguments(kind), *arguments], rules, description)


def nested_list(kind: ListKind, page: PageByParents, count: CountByParents, *, description: str) -> Any:
    """Declare a list of each object of a type: one statement for the pages of all, one for their counts."""
    relation = Relation(_list_loader(page, count), key="id")
    rules = FieldRules(
        needs=frozenset({"id"}),
        prepare=_preparer(kind),
        rows=_page_size,
        surcharge=_surcharge(NESTED, kind.nested_indexed),
        relation=relation,
        resolve=relation.resolve,
    )
    return prepared_field(_list_arguments(kind), rules, description)


def nested_count(kind: ListKind, count: CountByParents, *, description: str) -> Any:
    """Declare a count of the rows of each object of a type: one statement for all objects."""

    def prepare(*, filter: RowFilter | None = None) -> PageRequest:  # noqa: A002
        condition = None if filter is None else to_condition(filter)
        return PageRequest(to_ordering(kind.default_order), Window(size=1), condition)

    def loader(context: Context, nodes: Sequence[FieldNode]) -> DataLoader[UUID, int]:
        return _count_loader(context, count, context.prepared(nodes).value)

    relation = Relation(loader, key="id")
    rules = FieldRules(
        needs=frozenset({"id"}),
        prepare=prepare,
        surcharge=lambda prepared: count_cost(NESTED, prepared.value.condition),
        relation=relation,
        resolve=relation.resolve,
    )
    return prepared_field([argument("filter", kind.filter | None, FILTER)], rules, description)


def _list_arguments(kind: ListKind) -> list[StrawberryArgument]:
    sizes = f"1 to {MAX_PAGE_SIZE}"
    order = (
        f"The keys of the ordering, most important first. Default: {kind.default_order_text}. An ordering without an "
        "index costs as much as such a filter."
    )
    return [
        argument("filter", kind.filter | None, FILTER),
        argument("order_by", list[kind.order] | None, order),  # type: ignore[name-defined] # a type made at run time
        argument("first", int | None, f"Size of the page, from the start: {sizes}; {DEFAULT_PAGE_SIZE} by default."),
        argument("after", Cursor | None, "Only rows after this cursor."),
        argument("last", int | None, f"Size of the page, from the end: {sizes}; not together with `first`."),
        argument("before", Cursor | None, "Only rows before this cursor."),
    ]


def _list_loader(
    page: PageByParents, count: CountByParents
) -> Callable[[Context, Sequence[FieldNode]], DataLoader[Any, Any]]:
    def loader(context: Context, nodes: Sequence[FieldNode]) -> DataLoader[UUID, List]:
        prepared = context.prepared(nodes)
        request: PageRequest = prepared.value
        repositories = context.repositories
        reads = reads_rows(prepared.selection)

        async def load_lists(ids: list[UUID]) -> list[List]:
            counts = _count_loader(context, count, request)
            pages = await page(repositories, ids, request) if reads else [None] * len(ids)
            return [
                List(page_, request.ordering, lambda id_=id_: counts.load(id_))  # type: ignore[misc] # binds this round's id
                for id_, page_ in zip(ids, pages, strict=True)
            ]

        return context.loaders.with_arguments(("list", *map(id, nodes)), load_lists)

    return loader


def _count_loader(context: Context, count: CountByParents, request: PageRequest) -> DataLoader[UUID, int]:
    """Return the loader of a count, the same for equal filters: the same count twice in one operation runs once."""

    async def load(ids: list[UUID]) -> list[int]:
        return [*await count(context.repositories, ids, request)]

    return context.loaders.with_arguments(("count", count, request.condition), load)


def _count_once(context: Context, source: Repository[Any], request: PageRequest) -> Awaitable[int]:
    """Count all rows of a list at the root; equal counts of one operation share one statement."""

    async def load(keys: list[str]) -> list[int]:
        return [await source.count(request) for _ in keys]

    key = ("count", source.record.typename, request.condition, request.include_deleted)
    return context.loaders.with_arguments(key, load).load("all")


def _preparer(kind: ListKind) -> Callable[..., PageRequest]:
    default_ordering = to_ordering(kind.default_order)

    def prepare(
        *,
        filter: RowFilter | None = None,  # noqa: A002 - the argument's name in the API
        order_by: Sequence[OrderKey] | None = None,
        include_deleted: bool = False,
        **window: Any,
    ) -> PageRequest:
        ordering = to_ordering(order_by) if order_by else default_ordering
        return PageRequest(
            ordering=ordering,
            window=to_window(ordering, **window),
            condition=None if filter is None else to_condition(filter),
            include_deleted=include_deleted,
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


def check_size(name: str, size: int | None) -> int | None:
    """Return the size of a page, if it is one.

    Raises:
        BadUserInput: it is out of range.
    """
    if size is not None and not 1 <= size <= MAX_PAGE_SIZE:
        raise BadUserInput(f"`{name}` must be between 1 and {MAX_PAGE_SIZE}.")
    return size


def _page_size(prepared: Prepared) -> int:
    request: PageRequest = prepared.value
    return request.window.size


def _surcharge(prices: ListPrices, indexed: frozenset[str]) -> Callable[[Prepared], int]:
    return lambda prepared: list_cost(prices, prepared.value, prepared.selection, indexed)
