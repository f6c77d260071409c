"""What all repositories share: they read through one unit, for one viewer, at one moment."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

import sqlalchemy as sa

from gqlapi.database.dialect import AnySelect, bind_ids, is_one_of, page_per_parent
from gqlapi.database.pagination import Key, cut_page
from gqlapi.database.read_unit import ReadUnit
from gqlapi.database.types import utc_now
from gqlapi.errors import Forbidden
from gqlapi.models import ANONYMOUS, Viewer
from gqlapi.repositories.conditions import Condition, Filterable, FoldedKeys
from gqlapi.repositories.pages import Ordering, PageRequest, RecordPage
from gqlapi.repositories.records import Record

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class ReadScope:
    """Where, for whom and when an operation reads; `selected` are the attributes it reads of each type."""

    unit: ReadUnit
    dialect_name: str
    viewer: Viewer = ANONYMOUS
    now: datetime = field(default_factory=utc_now)
    selected: Mapping[str, frozenset[str]] = field(default_factory=dict)
    folded_keys: FoldedKeys = field(default_factory=FoldedKeys, compare=False)


class Repository(Generic[R]):
    """Reads of one table. Every statement passes through `visible`; each public method runs at most one."""

    record: ClassVar[type[Any]]
    # Attribute name to column, for all attributes of the record that are stored.
    columns: ClassVar[Mapping[str, sa.ColumnElement[Any]]]

    readable: ClassVar[frozenset[str]]
    # Attributes that hold long texts: rows with them are read a few at a time.
    bodies: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        """Note which attributes the record has; the rest of a selection are relations."""
        cls.readable = frozenset(attribute.name for attribute in fields(cls.record))

    def __init__(self, scope: ReadScope) -> None:
        """Bind the repository to an operation."""
        self.scope = scope

    def visible(self) -> sa.ColumnElement[bool]:
        """Hold for the rows that the viewer may see."""
        raise NotImplementedError

    def visible_with_deleted(self) -> sa.ColumnElement[bool]:
        """Hold for the rows that the viewer may see, deleted ones among them.

        Raises:
            ApiError: the viewer may see no deleted rows.
        """
        raise Forbidden("Deleted rows of this kind cannot be listed.")

    def filterable(self) -> Filterable:
        """Say what can be filtered."""
        raise NotImplementedError

    def column(self, attribute: str) -> sa.ColumnElement[Any]:
        """Return the column, or the expression, that an attribute is read from."""
        return self.columns[attribute]

    async def list_by_ids(self, ids: Sequence[UUID]) -> list[R | None]:
        """Read visible rows in the order of `ids`, None for each that is missing."""
        return await self._by_ids(ids, self.visible())

    async def get_by(self, attribute: str, value: Any) -> R | None:
        """Read the one visible row whose unique attribute has this value."""
        columns = self._selected_columns()
        statement = self._select(columns).where(self.visible(), self.columns[attribute] == value)
        rows = await self._rows(columns, statement)
        return self._records(columns, rows)[0] if rows else None

    async def page(self, request: PageRequest) -> RecordPage[R]:
        """Read one page."""
        columns = self._selected_columns(request.ordering)
        statement = self._select(columns).where(self._matches(request))
        statement = request.window.apply(statement, self._keys(request.ordering))
        return self._cut(columns, await self._rows(columns, statement), request)

    async def count(self, request: PageRequest) -> int:
        """Count all rows that the pages of a list go through."""
        identity = self.columns["id"]
        statement: AnySelect = sa.select(sa.func.count()).select_from(identity.table).where(self._matches(request))
        ((total,),) = await self.scope.unit.rows(statement)
        return int(total)

    async def _rows(
        self, columns: Collection[str], statement: AnySelect, parameters: dict[str, Any] | None = None
    ) -> Sequence[Any]:
        has_bodies = not self.bodies.isdisjoint(columns)
        return await self.scope.unit.rows(statement, parameters, has_bodies=has_bodies)

    async def _by_ids(self, ids: Sequence[UUID], visible: sa.ColumnElement[bool]) -> list[R | None]:
        columns = self._selected_columns()
        statement = self._select(columns).where(is_one_of(self.scope.dialect_name, self.columns["id"]), visible)
        rows = await self._rows(columns, statement, bind_ids(self.scope.dialect_name, ids))
        by_id = {record.id: record for record in self._records(columns, rows)}
        return [by_id.get(id_) for id_ in ids]

    async def _page_by_parents(
        self,
        ids: Sequence[UUID],
        request: PageRequest,
        children: AnySelect,
        link: sa.ColumnElement[UUID],
        keys: Sequence[Key],
    ) -> list[RecordPage[R]]:
        """Read the same page of each parent's children, in the order of `ids`; `children` lacks its columns."""
        dialect_name, columns = self.scope.dialect_name, self._selected_columns(request.ordering)
        children = children.with_only_columns(*_labelled(columns), maintain_column_froms=True)
        statement = page_per_parent(dialect_name, children, link, keys, request.window, columns)
        by_parent: dict[UUID, list[Sequence[Any]]] = defaultdict(list)
        for row in await self._rows(columns, statement, bind_ids(dialect_name, ids)):
            by_parent[row[0]].append(row[1:])
        return [self._cut(columns, by_parent.get(id_, ()), request) for id_ in ids]

    async def _count_by_parents(
        self, ids: Sequence[UUID], children: AnySelect, link: sa.ColumnElement[UUID]
    ) -> list[int]:
        """Count each parent's children, in the order of `ids`."""
        counted: AnySelect = children.with_only_columns(link, sa.func.count(), maintain_column_froms=True)
        statement = counted.where(is_one_of(self.scope.dialect_name, link)).group_by(link)
        rows: Sequence[Any] = await self.scope.unit.rows(statement, bind_ids(self.scope.dialect_name, ids))
        counts = {row[0]: row[1] for row in rows}
        return [counts.get(id_, 0) for id_ in ids]

    def matching(self, condition: Condition | None, *, include_deleted: bool = False) -> sa.ColumnElement[bool]:
        """Hold for the rows that the viewer may see and that meet a condition."""
        visible = self.visible_with_deleted() if include_deleted else self.visible()
        return visible if condition is None else sa.and_(visible, self.filterable().clause(condition))

    def _matches(self, request: PageRequest) -> sa.ColumnElement[bool]:
        return self.matching(request.condition, include_deleted=request.include_deleted)

    def _select(self, columns: Mapping[str, sa.ColumnElement[Any]]) -> AnySelect:
        return sa.select(*_labelled(columns))

    def _selected_columns(self, ordering: Ordering | None = None) -> dict[str, sa.ColumnElement[Any]]:
        selected = self.scope.selected.get(self.record.typename, frozenset())
        names = {"id", *(selected & self.readable)}
        if ordering is not None:
            names.update(term.attribute for term in ordering.terms)
        # Sorted, so that equal selections are one statement text, whatever the order in the document.
        return {name: self.column(name) for name in sorted(names)}

    def _keys(self, ordering: Ordering) -> list[Key]:
        return [Key(t.attribute, self.columns[t.attribute], t.descending, t.nullable) for t in ordering.terms]

    def _records(self, columns: Iterable[str], rows: Iterable[Sequence[Any]]) -> list[R]:
        names = tuple(columns)
        return [self.record.of(names, row) for row in rows]

    def _cut(self, columns: Iterable[str], rows: Sequence[Sequence[Any]], request: PageRequest) -> RecordPage[R]:
        page = cut_page(rows, request.window)
        return RecordPage(self._records(columns, page.rows), page.has_next, page.has_previous)


def _labelled(columns: Mapping[str, sa.ColumnElement[Any]]) -> list[sa.Label[Any]]:
    return [column.label(name) for name, column in columns.items()]
