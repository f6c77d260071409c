"""The statement shapes that differ between SQLite and PostgreSQL.

Each takes any number of keys as one parameter, `ids`, so that one prepared statement serves batches of every size.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY

from gqlapi.database.pagination import Key, Window

AnySelect = sa.Select[*tuple[Any, ...]]


def bind_ids(dialect_name: str, ids: Iterable[UUID]) -> dict[str, Any]:
    """Return the value of the parameter `ids`: an array for PostgreSQL, JSON for SQLite."""
    return {"ids": bind_array(dialect_name, ids)}


def bind_array(dialect_name: str, values: Iterable[UUID | str]) -> Any:
    """Return the value of a parameter that is any number of ids or texts: an array for PostgreSQL, JSON for SQLite."""
    if dialect_name == "postgresql":
        return list(values)
    return orjson.dumps([value.hex if isinstance(value, UUID) else value for value in values]).decode()


def insert_for(dialect_name: str) -> Callable[[Any], Any]:
    """Return the `insert` that knows ON CONFLICT, which both databases have and the standard lacks."""
    return postgresql.insert if dialect_name == "postgresql" else sqlite.insert


def is_one_of(dialect_name: str, column: sa.ColumnElement[UUID]) -> sa.ColumnElement[bool]:
    """Condition for rows whose `column` is among the ids."""
    if dialect_name == "postgresql":
        return column == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Uuid)))
    return column.in_(sa.select(_json_ids().c.value))


def is_among(dialect_name: str, column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
    """Condition for rows whose `column`, ids or texts, is in the array that is the parameter `name`."""
    type_ = sa.Uuid() if isinstance(column.type, sa.Uuid) else sa.Text()
    if dialect_name == "postgresql":
        return column == sa.any_(sa.bindparam(name, type_=ARRAY(type_)))
    values = sa.func.json_each(sa.bindparam(name, type_=sa.Text)).table_valued(sa.column("value", type_))
    return column.in_(sa.select(values.c.value))


def octet_length(dialect_name: str, column: sa.ColumnElement[str]) -> sa.ColumnElement[int]:
    """Return the bytes of a text, which PostgreSQL knows without reading it."""
    if dialect_name == "postgresql":
        return sa.func.octet_length(column)
    return sa.func.length(sa.cast(column, sa.BLOB))


def contains_text(dialect_name: str, column: sa.ColumnElement[str], text: Any) -> sa.ColumnElement[bool]:
    """Condition for rows whose `column` contains `text` literally: LIKE interprets % and _; SQLite's folds ASCII."""
    position = sa.func.strpos if dialect_name == "postgresql" else sa.func.instr
    return position(column, text) > 0


def page_per_parent(
    dialect_name: str,
    children: AnySelect,
    link: sa.ColumnElement[UUID],
    keys: Sequence[Key],
    window: Window,
    columns: Mapping[str, sa.ColumnElement[Any]],
) -> AnySelect:
    """Build one statement that reads the same page of the children of every parent, one parent after the other.

    The parent's id is the first column.
    `children` selects the labelled `columns`, `link` is its column that refers to the parent, `columns` must hold
    `id` and every key. Bounded by the page, whereas a window function reads every child of every parent: measured
    0.75 against 36 ms on PostgreSQL, 1.05 against 128 ms on SQLite (20 parents of 2,500 rows).
    """
    shape = _lateral_page if dialect_name == "postgresql" else _correlated_page
    return shape(children, link, keys, window, columns)


def _lateral_page(
    children: AnySelect,
    link: sa.ColumnElement[UUID],
    keys: Sequence[Key],
    window: Window,
    columns: Mapping[str, sa.ColumnElement[Any]],
) -> AnySelect:
    parent = sa.func.unnest(sa.bindparam("ids", type_=ARRAY(sa.Uuid))).column_valued("parent")
    page = window.apply(children.where(link == parent), keys).lateral("page")
    order = (Key(key.name, page.c[key.name], key.descending, key.nullable) for key in keys)
    return (
        sa.select(parent.label("parent_id"), *(page.c[name] for name in columns))
        .join(page, sa.true())
        .order_by(parent, *(key.order_by(backward=window.backward) for key in order))
    )


def _correlated_page(
    children: AnySelect,
    link: sa.ColumnElement[UUID],
    keys: Sequence[Key],
    window: Window,
    columns: Mapping[str, sa.ColumnElement[Any]],
) -> AnySelect:
    parent = _json_ids()
    identity = columns["id"]
    of_parent = children.with_only_columns(identity, maintain_column_froms=True).where(link == parent.c.value)
    # SQLite takes another index for a limit that it knows, and sorts then.
    page = window.apply(of_parent, keys, shows_size=False).correlate(parent)
    order = (Key(key.name, columns[key.name], key.descending, key.nullable) for key in keys)
    return (
        sa.select(parent.c.value.label("parent_id"), *(column.label(name) for name, column in columns.items()))
        .join_from(parent, identity.table, identity.in_(page))
        .order_by(parent.c.value, *(key.order_by(backward=window.backward) for key in order))
    )


def _json_ids() -> sa.TableValuedAlias:
    return sa.func.json_each(sa.bindparam("ids", type_=sa.Text)).table_valued(
        sa.column("value", sa.Uuid), name="parent"
    )


def utc_period(dialect_name: str, moment: sa.ColumnElement[Any], *, by_month: bool) -> sa.ColumnElement[str]:
    """Return the day (`2026-11-20`) or the month (`2026-11`) in UTC that a time lies in."""
    if dialect_name == "postgresql":
        return sa.func.to_char(sa.func.timezone("UTC", moment), "YYYY-MM" if by_month else "YYYY-MM-DD")
    return sa.func.strftime("%Y-%m" if by_month else "%Y-%m-%d", moment)
