"""Keyset pagination: pages that stay right while rows come and go.

The rules that make it right on both databases: the last key is unique; NULL sorts as the largest value; where the
directions agree and no key can be NULL, one row-value comparison, which an index serves; else the expansion into OR,
with a redundant bound on the first key, which an index serves too; one extra row shows whether more follow.
https://use-the-index-luke.com/no-offset
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from gqlapi.database.kept import Slot, bind

# The names of a window's parameters; an ordering has a handful of keys.
LIMIT = "page_limit"
# Sizes in the text of a statement: PostgreSQL then knows how few rows are read, and keeps its plan. Else it
# plans each execution, which takes as long as running it. All other sizes share one text.
COMMON_SIZES = frozenset({5, 10, 20, 25, 50, 100})
AFTER = tuple(f"after_{place}" for place in range(10))
BEFORE = tuple(f"before_{place}" for place in range(10))


@dataclass(frozen=True, slots=True)
class Key:
    """One column of an ordering, selected under `name`."""

    name: str
    column: sa.ColumnElement[Any]
    descending: bool = False
    nullable: bool = False

    def order_by(self, *, backward: bool) -> sa.UnaryExpression[Any]:
        """Return the ORDER BY term; PostgreSQL's own place for NULL is stated, because SQLite's is the other."""
        descending = self.descending ^ backward
        term = self.column.desc() if descending else self.column.asc()
        if not self.nullable:
            return term
        return term.nulls_first() if descending else term.nulls_last()

    def is_beyond(self, value: Any, *, backward: bool) -> sa.ColumnElement[bool]:
        """Condition for rows strictly after `value` in this key's direction."""
        descending = self.descending ^ backward
        if value is None:
            return self.column.is_not(None) if descending else sa.false()
        if descending:
            return self.column < self._bind(value)
        beyond = self.column > self._bind(value)
        return sa.or_(beyond, self.column.is_(None)) if self.nullable else beyond

    def is_same(self, value: Any) -> sa.ColumnElement[bool]:
        """Condition for rows that have `value`."""
        return self.column.is_(None) if value is None else self.column == self._bind(value)

    def _bind(self, value: Any) -> sa.ColumnElement[Any]:
        return bind(value, self.column.type)


def seek(keys: Sequence[Key], values: Sequence[Any], *, backward: bool) -> sa.ColumnElement[bool]:
    """Condition for rows strictly after the row that has `values`, in the direction of travel."""
    one_direction = len({key.descending for key in keys}) == 1
    # A cursor may come from a viewer for whom a key could be NULL: no row value compares with one.
    if len(keys) > 1 and one_direction and not any(key.nullable for key in keys) and None not in values:
        row = sa.tuple_(*(key.column for key in keys))
        bound = sa.tuple_(*(bind(value, key.column.type) for key, value in zip(keys, values, strict=True)))
        return row < bound if keys[0].descending ^ backward else row > bound
    alternatives = [
        sa.and_(
            *(previous.is_same(value) for previous, value in zip(keys[:place], values, strict=False)),
            key.is_beyond(values[place], backward=backward),
        )
        for place, key in enumerate(keys)
    ]
    expansion = sa.or_(*alternatives)
    if len(keys) == 1 or values[0] is None:
        return expansion
    return sa.and_(_bound_first_key(keys[0], values[0], backward=backward), expansion)


def _bound_first_key(key: Key, value: Any, *, backward: bool) -> sa.ColumnElement[bool]:
    bound = bind(value, key.column.type)
    if key.descending ^ backward:
        return key.column <= bound
    return sa.or_(key.column >= bound, key.column.is_(None)) if key.nullable else key.column >= bound


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows of an ordering a page holds; `after` and `before` are the key values of rows left out."""

    size: int
    backward: bool = False
    after: tuple[Any, ...] | None = None
    before: tuple[Any, ...] | None = None

    @property
    def form(self) -> "Window":
        """What the text of a statement depends on: slots in the place of values."""
        size = self.size if self.size in COMMON_SIZES else 0
        return Window(size, self.backward, _slots(AFTER, self.after), _slots(BEFORE, self.before))

    @property
    def values(self) -> dict[str, Any]:
        """The values of the slots."""
        values: dict[str, Any] = {LIMIT: self.size + 1}
        if self.after is not None:
            values |= {AFTER[place]: value for place, value in enumerate(self.after)}
        if self.before is not None:
            values |= {BEFORE[place]: value for place, value in enumerate(self.before)}
        return values

    def apply(
        self, statement: sa.Select[*tuple[Any, ...]], keys: Sequence[Key], *, shows_size: bool = True
    ) -> sa.Select[*tuple[Any, ...]]:
        """Restrict, order and limit `statement` to the page and one row more; `shows_size`, if common, in its text."""
        if self.after is not None:
            statement = statement.where(seek(keys, self.after, backward=False))
        if self.before is not None:
            statement = statement.where(seek(keys, self.before, backward=True))
        ordered = statement.order_by(*(key.order_by(backward=self.backward) for key in keys))
        if shows_size and self.size in COMMON_SIZES:
            return ordered.limit(sa.literal_column(str(self.size + 1), sa.Integer))
        return ordered.limit(sa.bindparam(LIMIT, self.size + 1, sa.Integer))


def _slots(names: Sequence[str], values: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    # NULL is a part of the form: no comparison finds it.
    if values is None:
        return None
    return tuple(None if value is None else Slot(name) for name, value in zip(names, values, strict=False))


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page, in the order of the ordering, and whether more lie on either side."""

    rows: Sequence[Any]
    has_next: bool
    has_previous: bool


def cut_page(rows: Sequence[Any], window: Window) -> Page:
    """Create a page of the rows that `Window.apply` read.

    The side that was not travelled has more exactly when a cursor bounds it: its row was there when it was given.
    """
    more = len(rows) > window.size
    kept = rows[: window.size]
    return Page(
        rows=kept[::-1] if window.backward else kept,
        has_next=(more and not window.backward) or window.before is not None,
        has_previous=(more and window.backward) or window.after is not None,
    )
