"""What the statements of reads are made of, once for each kind of viewer: columns, visibility, filters, pages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from gqlapi.cache import BudgetedCache
from gqlapi.database.dialect import AnySelect, is_one_of, octet_length, page_per_parent
from gqlapi.database.kept import KeptStatement
from gqlapi.database.pagination import Key, Window
from gqlapi.database.types import UtcDateTime
from gqlapi.database.unions import OrderedPage, place_of, shown, union_of_pages
from gqlapi.models import Viewer
from gqlapi.repositories.conditions import Condition, Filterable, compares
from gqlapi.repositories.construction import Make, RecordShape, constructor
from gqlapi.repositories.pages import Ordering

# Parameters that every read supplies.
NOW = sa.bindparam("now", type_=UtcDateTime())
VIEWER_ID = sa.bindparam("viewer_id", type_=sa.Uuid())
BODY_BUDGET = sa.bindparam("body_budget", type_=sa.BigInteger)
SHARED = frozenset({NOW.key, VIEWER_ID.key, BODY_BUDGET.key})
MAX_BYTES = 5 * 1_048_576
NOTHING: frozenset[str] = frozenset()
DELETED_AT = frozenset({"deleted_at"})


@dataclass(frozen=True, slots=True)
class ViewerKind:
    """What of a viewer decides the text of statements; the id is a parameter."""

    is_signed_in: bool
    sees_everything: bool
    sees_own_drafts: bool

    @classmethod
    def of(cls, viewer: Viewer) -> "ViewerKind":
        """Return the kind of a viewer."""
        return cls(viewer.id is not None, viewer.sees_everything, viewer.sees_own_drafts)

    @property
    def id(self) -> sa.ColumnElement[UUID] | None:
        """The parameter that is the viewer's id; None for an anonymous viewer."""
        return VIEWER_ID if self.is_signed_in else None


PUBLIC = ViewerKind(is_signed_in=False, sees_everything=False, sees_own_drafts=False)


@dataclass(frozen=True, slots=True)
class ListForm:
    """What of a list decides the text of its statement: slots are in the place of values.

    `bounds_bodies`: there may be more rows with long texts than fit the budget.
    """

    condition: Condition | None = None
    ordering: Ordering | None = None
    window: Window | None = None
    bounds_bodies: bool = False

    @property
    def required_ordering(self) -> Ordering:
        """The ordering of a page."""
        if self.ordering is None:
            raise TypeError("a count has no ordering")
        return self.ordering

    @property
    def required_window(self) -> Window:
        """The window of a page."""
        if self.window is None:
            raise TypeError("a count has no window")
        return self.window


class Selection(NamedTuple):
    """The columns that a statement reads, sorted, and those of a record or of a list of records that ride along."""

    names: tuple[str, ...]
    joined_names: tuple[str, ...] = ()
    listed_names: tuple[str, ...] = ()


class Draft(NamedTuple):
    """A statement, and what its rows are; None where they are no records."""

    statement: AnySelect
    shape: RecordShape | None = None


class Reading(NamedTuple):
    """A kept statement, and the function that makes records of its rows."""

    statement: KeptStatement
    make: Make


Build = Callable[..., Draft]


class Source:
    """The statements about one table for one kind of viewer. Every statement passes through `visible`."""

    record: ClassVar[type[Any]]
    # Attribute name to column, for all attributes of the record that are stored.
    columns: ClassVar[Mapping[str, sa.ColumnElement[Any]]]
    # Attributes that are other records.
    relations: ClassVar[frozenset[str]] = frozenset()
    # Attributes that hold long texts: they are read up to a budget.
    bodies: ClassVar[frozenset[str]] = frozenset()
    readable: ClassVar[frozenset[str]]

    def __init_subclass__(cls) -> None:
        """Note which attributes the record has; the rest of a selection are relations."""
        cls.readable = frozenset(attribute.name for attribute in fields(cls.record)) - cls.relations

    def __init__(self, viewer: ViewerKind, dialect_name: str) -> None:
        """Create statements for a kind of viewer."""
        self.viewer = viewer
        self.dialect_name = dialect_name

    def selection(self, selected: Mapping[str, frozenset[str]], ordering: Ordering | None = None) -> Selection:
        """Return the columns to read for the attributes that an operation reads of each type."""
        return Selection(_names(self.readable, selected.get(self.record.typename, NOTHING), ordering))

    def page_selection(self, selected: Mapping[str, frozenset[str]], ordering: Ordering) -> Selection:
        """Return the columns to read of the rows of a page."""
        return self.selection(selected, ordering)

    def key_selection(self, selected: Mapping[str, frozenset[str]]) -> Selection:
        """Return the columns to read of a single row."""
        return self.selection(selected)

    def visible(self) -> sa.ColumnElement[bool]:
        """Condition for the rows that the viewer may see."""
        raise NotImplementedError

    def visible_with_deleted(self) -> sa.ColumnElement[bool]:
        """Condition for the rows that the viewer may see, and for those that could be seen if they were not deleted."""
        raise NotImplementedError

    @cached_property
    def filterable(self) -> Filterable:
        """What can be filtered."""
        raise NotImplementedError

    def column(self, attribute: str) -> sa.ColumnElement[Any]:
        """Return the column, or the expression, that an attribute is read from."""
        return self.columns[attribute]

    def keys(self, ordering: Ordering) -> list[Key]:
        """Return the columns of an ordering."""
        return [Key(t.attribute, self.columns[t.attribute], t.descending, t.nullable) for t in ordering.terms]

    def matching(self, condition: Condition | None) -> sa.ColumnElement[bool]:
        """Condition for the rows that the viewer may see and that meet the form of a condition.

        Deleted rows are among them only if the condition compares when they were deleted.
        """
        visible = self.visible_with_deleted() if compares(condition, DELETED_AT) else self.visible()
        return visible if condition is None else sa.and_(visible, self.filterable.clause(condition))

    def by_ids(self, selection: Selection, bounds_bodies: bool) -> Draft:  # noqa: FBT001 - a part of the shape
        """Select the visible rows whose ids are the parameter `ids`."""
        return self.by_ids_where(selection, self.visible(), bounds_bodies=bounds_bodies)

    def by_key(self, selection: Selection, attribute: str) -> Draft:
        """Select the visible row whose unique attribute is the parameter `key`."""
        return Draft(self._select(selection).where(self.visible(), self.has_key(attribute)), self._shape(selection))

    def has_key(self, attribute: str) -> sa.ColumnElement[bool]:
        """Condition for the row whose unique attribute is the parameter `key`."""
        column = self.columns[attribute]
        return column == sa.bindparam("key", type_=column.type)

    def page(self, selection: Selection, form: ListForm) -> Draft:
        """Select one page."""
        statement = self._page(selection, form)
        return Draft(self._bounded(statement, selection, form, bounds=form.bounds_bodies), self._shape(selection))

    def pages(self, selection: Selection, listings: tuple["Listing", ...], bounds_bodies: bool) -> Draft:  # noqa: FBT001 - a part of the shape
        """Select several pages, one after the other, each row after the number of its page."""
        rows = self._union(selection, listings, bounds_bodies=bounds_bodies)
        statement = sa.select(*shown(rows)).order_by(*place_of(rows))
        return Draft(statement, replace(self._shape(selection), has_parent=True))

    def ordered_page(self, selection: Selection, form: ListForm) -> OrderedPage:
        """Select one page as a part of a union."""
        return OrderedPage(
            self._page(selection, form), self.keys(form.required_ordering), form.required_window.backward
        )

    def count(self, form: ListForm) -> Draft:
        """Count all rows that the pages of a list go through."""
        matching = self.matching(form.condition)
        return Draft(sa.select(sa.func.count()).select_from(self.columns["id"].table).where(matching))

    def by_ids_where(self, selection: Selection, visible: sa.ColumnElement[bool], *, bounds_bodies: bool) -> Draft:
        """Select the rows whose ids are the parameter `ids` under another rule than `visible`."""
        is_asked_for = is_one_of(self.dialect_name, self.columns["id"])
        statement = self._select(selection).where(is_asked_for, visible)
        return Draft(self._bounded(statement, selection, bounds=bounds_bodies), self._shape(selection))

    def page_of_parents(
        self,
        selection: Selection,
        form: ListForm,
        children: AnySelect,
        link: sa.ColumnElement[UUID],
        keys: Sequence[Key],
    ) -> Draft:
        """Select the same page of the children of each parent in `ids`; `children` lacks its columns."""
        columns = self._columns(selection)
        children = children.with_only_columns(*_labelled(columns), maintain_column_froms=True)
        statement = page_per_parent(self.dialect_name, children, link, keys, form.required_window, columns)
        statement = self._bounded(statement, selection, form, bounds=form.bounds_bodies)
        return Draft(statement, RecordShape(self.record, selection.names, has_parent=True))

    def count_of_parents(self, children: AnySelect, link: sa.ColumnElement[UUID]) -> Draft:
        """Count the children of each parent in `ids`."""
        counted: AnySelect = children.with_only_columns(link, sa.func.count(), maintain_column_froms=True)
        return Draft(counted.where(is_one_of(self.dialect_name, link)).group_by(link))

    def _columns(self, selection: Selection) -> dict[str, sa.ColumnElement[Any]]:
        return {name: self.column(name) for name in selection.names}

    def _page(self, selection: Selection, form: ListForm) -> AnySelect:
        statement = self._select(selection).where(self.matching(form.condition))
        return form.required_window.apply(statement, self.keys(form.required_ordering))

    def _union(self, selection: Selection, listings: Sequence["Listing"], *, bounds_bodies: bool) -> sa.Subquery:
        union = union_of_pages([source.ordered_page(selection, form) for source, form in listings], SHARED)
        return self._bounded(union, selection, bounds=bounds_bodies).subquery("page")

    def _select(self, selection: Selection) -> AnySelect:
        return sa.select(*_labelled(self._columns(selection)))

    def _shape(self, selection: Selection) -> RecordShape:
        return RecordShape(self.record, selection.names)

    def _bounded(
        self, statement: AnySelect, selection: Selection, form: ListForm | None = None, *, bounds: bool
    ) -> AnySelect:
        """Read the bodies of a statement only if all of them together fit the parameter `body_budget`, else NULL.

        PostgreSQL knows their lengths without reading them, so that nothing is in memory before it is known to fit.
        `form` is that of a list, whose order is stated again.
        """
        bodies = self.bodies.intersection(selection.names)
        if not bounds or not bodies:
            return statement
        measured = statement.subquery("measured")
        lengths = (octet_length(self.dialect_name, measured.c[name]) for name in sorted(bodies))
        together = sa.func.sum(sum(lengths, start=sa.literal_column("0"))).over()
        fits = together <= BODY_BUDGET
        columns = [
            sa.case((fits, column)).label(column.key) if column.key in bodies else column for column in measured.c
        ]
        bounded: AnySelect = sa.select(*columns)
        if form is None:
            return bounded
        keys = (
            Key(key.name, measured.c[key.name], key.descending, key.nullable)
            for key in self.keys(form.required_ordering)
        )
        parent = [measured.c.parent_id] if "parent_id" in measured.c else []
        return bounded.order_by(*parent, *(key.order_by(backward=form.required_window.backward) for key in keys))


class Listing(NamedTuple):
    """One of several lists that are read together: whose rows it has, and its form."""

    source: Source
    form: ListForm


def _labelled(columns: Mapping[str, sa.ColumnElement[Any]]) -> list[sa.Label[Any]]:
    return [column.label(name) for name, column in columns.items()]


@lru_cache(maxsize=512)
def _names(readable: frozenset[str], selected: frozenset[str], ordering: Ordering | None) -> tuple[str, ...]:
    """Return the columns that are read: sorted, so that equal selections in any order are one statement."""
    keys = () if ordering is None else (term.attribute for term in ordering.terms)
    return tuple(sorted({"id", *(selected & readable), *keys}))


_readings: BudgetedCache[Any, Reading] = BudgetedCache(MAX_BYTES)


def reading(dialect_name: str, build: Build, *shape: Any) -> Reading:
    """Return the kept statement that `build` makes for a shape: a pure function of it, called once for each."""
    key = (dialect_name, build, shape)
    found = _readings.get(key)
    if found is None:
        draft = build(*shape)
        kept = KeptStatement(draft.statement, dialect_name)
        make = kept.processed if draft.shape is None else constructor(draft.shape, kept.processors)
        found = Reading(kept, make)
        _readings.put(key, found, kept.size)
    return found
