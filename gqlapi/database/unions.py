"""Several pages by one statement: a round trip costs as much as reading twenty rows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from gqlapi.database.dialect import AnySelect
from gqlapi.database.pagination import Key

# The columns with the number of a row's page, and its position there.
PAGE, POSITION = "page_number", "position"


class OrderedPage(NamedTuple):
    """A statement that reads one page, and its ordering; its columns hold every key."""

    statement: AnySelect
    keys: Sequence[Key]
    backward: bool


def union_of_pages(pages: Sequence[OrderedPage], shared: frozenset[str]) -> AnySelect:
    """Select the rows of pages that have the same columns, after `PAGE`, from 0, and `POSITION`, from 1.

    The parameters of a page get its number as a suffix, except those that are `shared`.
    """
    union = sa.union_all(*(_numbered(number, page, shared) for number, page in enumerate(pages)))
    return sa.select(union.subquery("pages"))


def shown(rows: sa.Subquery) -> list[sa.ColumnElement[Any]]:
    """Return the columns of the rows of pages, without their positions."""
    return [column for column in rows.c if column.key != POSITION]


def place_of(rows: sa.Subquery) -> tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]]:
    """Return what the rows of a union are ordered by."""
    return rows.c[PAGE], rows.c[POSITION]


def numbered_values(number: int, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of the parameters of a page in a union."""
    return {f"{name}_{number}": value for name, value in values.items()}


def _numbered(number: int, page: OrderedPage, shared: frozenset[str]) -> AnySelect:
    def rename(parameter: sa.BindParameter[Any]) -> None:
        if not parameter.unique and parameter.key not in shared:
            parameter.key = f"{parameter.key}_{number}"

    # The traversal copies the statement.
    statement = visitors.cloned_traverse(page.statement, {}, {"bindparam": rename})
    rows = statement.subquery(f"page_{number}")
    keys = (Key(key.name, rows.c[key.name], key.descending, key.nullable) for key in page.keys)
    position = sa.func.row_number().over(order_by=[key.order_by(backward=page.backward) for key in keys])
    return sa.select(sa.literal_column(str(number), sa.Integer).label(PAGE), position.label(POSITION), *rows.c)
