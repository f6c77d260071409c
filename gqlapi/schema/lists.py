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
from gqlapi.schema.filters import RowFilter, search_cost, to_condition
from gqlapi.schema.ordering import OrderKey, to_ordering
from gqlapi.schema.pagination import List
from gqlapi.schema.scalars import Cursor

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 100
# An ordering that no index serves reads and sorts all rows of the list, whatever the size of the page.
UNINDEXED_FACTOR = 5
FILTER = "Which rows; all that the viewer may see when left out."
ROW_FIELDS = frozenset({"edges", "nodes", "pageInfo"})

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


@dataclass(frozen=True, slots=True)
class ListRequest:
    """A prepared list field: what to read, how many rows are charged a parent, and the points besides."""

    page: PageRequest
    charged_rows: int
    surcharge: int


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
        request: PageRequest = prepared.value.page
        source = repository(context.repositories)
        page = await source.page(request) if reads_rows(prepared) else None
        return List(page, request.ordering, lambda: source.count(request))

    rules = FieldRules(
        prepare=_preparer(kind, kind.indexed), factor=_charged_rows, surcharge=_surcharge, resolve=resolve
    )
    return prepared_field([*_list_arguments(kind), *arguments], rules, description)


def nested_list(kind: ListKind, page: PageByParents, count: CountByParents, *, description: str) -> Any:
    """Declare a list of each object of a type: one statement for the pages of all, one for their counts."""
    relation = Relation(_list_loader(page, count), key="id")
    rules = FieldRules(
        needs=frozenset({"id"}),
        prepare=_preparer(kind, kind.nested_indexed),
        factor=_charged_rows,
        surcharge=_surcharge,
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
        async def load(ids: list[UUID]) -> list[int]:
            return [*await count(context.repositories, ids, context.prepared(nodes).value)]

        return context.loaders.with_arguments(("count", *map(id, nodes)), load)

    relation = Relation(loader, key="id")
    rules = FieldRules(
        needs=frozenset({"id"}),
        prepare=prepare,
        surcharge=lambda prepared: 1 + search_cost(prepared.value.condition),
        relation=relation,
        resolve=relation.resolve,
    )
    return prepared_field([argument("filter", kind.filter | None, FILTER)], rules, description)


def _list_arguments(kind: ListKind) -> list[StrawberryArgument]:
    sizes = f"1 to {MAX_PAGE_SIZE}"
    order = f"The keys of the ordering, most important first. Default: {kind.default_order_text}."
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
        request: PageRequest = prepared.value.page
        repositories, key = context.repositories, tuple(map(id, nodes))

        async def load_counts(ids: list[UUID]) -> list[int]:
            return [*await count(repositories, ids, request)]

        async def load_lists(ids: list[UUID]) -> list[List]:
            counts = context.loaders.with_arguments(("count", *key), load_counts)
            pages = await page(repositories, ids, request) if reads_rows(prepared) else [None] * len(ids)
            return [
                List(page_, request.ordering, lambda id_=id_: counts.load(id_))  # type: ignore[misc] # binds this round's id
                for id_, page_ in zip(ids, pages, strict=True)
            ]

        return context.loaders.with_arguments(("list", *key), load_lists)

    return loader


def _preparer(kind: ListKind, indexed: frozenset[str]) -> Callable[..., ListRequest]:
    default_ordering = to_ordering(kind.default_order)

    def prepare(
        *,
        filter: RowFilter | None = None,  # noqa: A002 - the argument's name in the API
        order_by: Sequence[OrderKey] | None = None,
        include_deleted: bool = False,
        **window: Any,
    ) -> ListRequest:
        ordering = to_ordering(order_by) if order_by else default_ordering
        page = PageRequest(
            ordering=ordering,
            window=to_window(ordering, **window),
            condition=None if filter is None else to_condition(filter),
            include_deleted=include_deleted,
        )
        factor = 1 if _is_indexed(ordering, indexed) else UNINDEXED_FACTOR
        return ListRequest(page, factor * page.window.size, search_cost(page.condition))

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


def _is_indexed(ordering: Ordering, indexed: frozenset[str]) -> bool:
    first, *rest = ordering.terms
    one_direction = all(term.descending == first.descending for term in rest)
    return first.attribute in indexed and one_direction and all(term.attribute == "id" for term in rest)


def _charged_rows(prepared: Prepared) -> int:
    request: ListRequest = prepared.value
    return request.charged_rows


def _surcharge(prepared: Prepared) -> int:
    request: ListRequest = prepared.value
    return request.surcharge


def reads_rows(prepared: Prepared) -> bool:
    """Tell whether rows are wanted at all, and not only their count."""
    return not ROW_FIELDS.isdisjoint(prepared.selection)
