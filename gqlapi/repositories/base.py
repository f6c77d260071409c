"""What all repositories share: they read through one unit, for one viewer, at one moment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from gqlapi.database.dialect import bind_ids
from gqlapi.database.kept import Values
from gqlapi.database.pagination import cut_page
from gqlapi.database.read_unit import ReadUnit
from gqlapi.database.types import utc_now
from gqlapi.database.unions import numbered_values
from gqlapi.errors import ApiError
from gqlapi.models import ANONYMOUS, Viewer
from gqlapi.repositories.conditions import Condition, FoldedKeys, Separation
from gqlapi.repositories.construction import constructor
from gqlapi.repositories.pages import Ordering, PageRequest, RecordPage
from gqlapi.repositories.records import Record
from gqlapi.repositories.sources import Build, ListForm, Listing, Selection, Source, reading

R = TypeVar("R", bound=Record)
# A body is up to 1.3 million characters: so many rows of them may be in memory before they are counted.
ROWS_WITH_BODIES = 10
# From so many on, pages are read together.
MANY_PAGES = 2


@dataclass(frozen=True, slots=True)
class ReadScope:
    """Where, for whom and when an operation reads; `selected` are the attributes it reads of each type."""

    unit: ReadUnit
    dialect_name: str
    viewer: Viewer = ANONYMOUS
    now: datetime = field(default_factory=utc_now)
    selected: Mapping[str, frozenset[str]] = field(default_factory=dict)
    folded_keys: FoldedKeys = field(default_factory=FoldedKeys, compare=False)

    @property
    def values(self) -> dict[str, Any]:
        """The values of the parameters that all statements share."""
        return {"now": self.now, "viewer_id": self.viewer.id}


class _Listed(NamedTuple):
    """A page that is to be read: its form, the values of the slots, and whether the statement can be kept."""

    request: PageRequest
    form: ListForm
    values: dict[str, Any]
    is_kept: bool


class Repository(Generic[R]):
    """Reads of one table; each public method runs at most one statement."""

    def __init__(self, scope: ReadScope, source: Source) -> None:
        """Bind the repository to an operation, and to the statements for its kind of viewer."""
        self.scope = scope
        self.source = source

    @property
    def record(self) -> type[Any]:
        """The class of the records."""
        return self.source.record

    async def list_by_ids(self, ids: Sequence[UUID]) -> list[R | None]:
        """Read visible rows in the order of `ids`, None for each that is missing."""
        return await self._by_ids(self.source.by_ids, ids)

    def listing(self, condition: Condition | None) -> Source:
        """Return the statements of a list whose filter is this condition."""
        return self.source

    async def get_by(self, attribute: str, value: Any) -> R | None:
        """Read the one visible row whose unique attribute has this value."""
        selection = self.source.key_selection(self.scope.selected)
        records = await self._read(self.source.by_key, selection, attribute, values={"key": value})
        self._count_bodies(records, selection)
        return records[0] if records else None

    async def page(self, request: PageRequest) -> RecordPage[R]:
        """Read one page."""
        form, values, is_kept = self._form(request)
        selection = self.source.page_selection(self.scope.selected, request.ordering)
        build = self.listing(request.condition).page
        records = await self._read(build, selection, form, values=values, is_kept=is_kept)
        self._count_bodies(records, selection)
        return _cut(records, request)

    async def pages(self, requests: Sequence[PageRequest]) -> list[RecordPage[R] | ApiError]:
        """Read several pages by one statement; a request that is refused has its error in its place."""
        if len(requests) < MANY_PAGES:
            return [await self.page(request) for request in requests]
        listed = [self._listed(request) for request in requests]
        read = [one for one in listed if not isinstance(one, ApiError)]
        by_number = await self._read_pages(read)
        pages = (_cut(by_number.get(number, ()), one.request) for number, one in enumerate(read))
        return [one if isinstance(one, ApiError) else next(pages) for one in listed]

    async def count(self, request: PageRequest) -> int:
        """Count all rows that the pages of a list go through."""
        form, values, is_kept = self._count_form(request)
        ((total,),) = await self._read(self.listing(request.condition).count, form, values=values, is_kept=is_kept)
        return int(total)

    def _listed(self, request: PageRequest) -> "_Listed | ApiError":
        """Return how a page is read, or why it is not."""
        try:
            return _Listed(request, *self._form(request))
        except ApiError as error:
            return error

    async def _read_pages(self, listed: Sequence["_Listed"]) -> dict[int, list[R]]:
        """Read the pages that are listed; return the records of those that have any, by the number of their page."""
        if not listed:
            return {}
        selections = [self.source.page_selection(self.scope.selected, one.request.ordering) for one in listed]
        names = {name for selection in selections for name in selection.names}
        selection = selections[0]._replace(names=tuple(sorted(names)))
        values: dict[str, Any] = {}
        for number, one in enumerate(listed):
            values |= numbered_values(number, one.values)
        is_kept = all(one.is_kept for one in listed)
        bounds = self._bounds_bodies(sum(one.request.window.size for one in listed))
        listings = tuple(
            Listing(self.listing(one.request.condition), replace(one.form, bounds_bodies=False)) for one in listed
        )
        found: dict[int, list[R]] = await self._read(
            self.source.pages, selection, listings, bounds, values=values, is_kept=is_kept
        )
        self._count_bodies(chain.from_iterable(found.values()), selection)
        return found

    async def _by_ids(self, build: Build, ids: Sequence[UUID]) -> list[R | None]:
        selection, values = self._selection(), bind_ids(self.scope.dialect_name, ids)
        records = await self._read(build, selection, len(ids) > ROWS_WITH_BODIES, values=values)
        self._count_bodies(records, selection)
        by_id = {record.id: record for record in records}
        return [by_id.get(id_) for id_ in ids]

    async def _pages_of_parents(self, build: Build, ids: Sequence[UUID], request: PageRequest) -> list[RecordPage[R]]:
        """Read the same page of each parent's children, in the order of `ids`."""
        form, values, is_kept = self._form(request, parents=len(ids))
        values |= bind_ids(self.scope.dialect_name, ids)
        selection = Selection(self._selection(request.ordering).names)
        by_parent = await self._read(build, selection, form, values=values, is_kept=is_kept)
        self._count_bodies(chain.from_iterable(by_parent.values()), selection)
        return [_cut(by_parent.get(id_, ()), request) for id_ in ids]

    async def _counts_of_parents(self, build: Build, ids: Sequence[UUID], request: PageRequest) -> list[int]:
        """Count each parent's children, in the order of `ids`."""
        form, values, is_kept = self._count_form(request)
        values |= bind_ids(self.scope.dialect_name, ids)
        counts = {row[0]: row[1] for row in await self._read(build, form, values=values, is_kept=is_kept)}
        return [counts.get(id_, 0) for id_ in ids]

    async def _read(self, build: Build, *shape: Any, values: Values, is_kept: bool = True) -> Any:
        """Execute the statement of a shape, kept if it can be, and return what is made of its rows."""
        unit = self.scope.unit
        values = {**self.scope.values, **values, "body_budget": unit.body_budget}
        if is_kept:
            kept, make = reading(self.scope.dialect_name, build, *shape)
            made = make(await unit.fetch(kept, values))
        else:
            draft = build(*shape)
            rows: Sequence[Any] = await unit.rows(draft.statement, values)
            made = rows if draft.shape is None else constructor(draft.shape)(rows)
        return made

    def _selection(self, ordering: Ordering | None = None) -> Selection:
        return self.source.selection(self.scope.selected, ordering)

    def _form(self, request: PageRequest, parents: int = 1) -> tuple[ListForm, dict[str, Any], bool]:
        """Return the form of a list, the values of its slots, and whether its statement can be kept."""
        counted, values, is_kept = self._count_form(request)
        form = ListForm(
            counted.condition,
            request.ordering,
            request.window.form,
            bounds_bodies=self._bounds_bodies(request.window.size * parents),
        )
        return form, values | request.window.values, is_kept

    def _bounds_bodies(self, rows: int) -> bool:
        has_bodies = not self.source.bodies.isdisjoint(self.scope.selected.get(self.source.record.typename, ()))
        return has_bodies and rows >= ROWS_WITH_BODIES

    def _count_form(self, request: PageRequest) -> tuple[ListForm, dict[str, Any], bool]:
        if request.condition is None:
            return ListForm(), {}, True
        separation = Separation(request.condition, self.source.filterable, self.scope.folded_keys)
        return ListForm(separation.form), separation.values, separation.is_kept

    def _count_bodies(self, records: Iterable[R], selection: Selection) -> None:
        """Count the long texts that were read; one that is missing did not fit the budget.

        Raises:
            LimitExceeded: they are more than allowed.
        """
        bodies = self.source.bodies
        if bodies.isdisjoint(selection.names):
            return
        records = list(records)
        for name in bodies.intersection(selection.names):
            self.scope.unit.count_bodies([getattr(record, name) for record in records])


def _cut(records: Sequence[Any], request: PageRequest) -> RecordPage[Any]:
    page = cut_page(records, request.window)
    return RecordPage(page.rows, page.has_next, page.has_previous)
