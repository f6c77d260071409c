"""Steps of revisions that do not stop the traffic: indexes, batches of rows, NOT NULL. docs/migrations.md shows each.

On PostgreSQL each step commits by itself, so a revision that was stopped in the middle is run again and continues: it
must consist of one of these steps. On SQLite, which has one writer, all revisions are one transaction.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import op

from gqlapi.database.migrations import LOCK_TIMEOUT_SECONDS

BATCH_SIZE = 1_000
# How long the build of an index waits for other transactions to end.
BUILD_TIMEOUT_SECONDS = 600


def create_index(name: str, table: str, columns: Sequence[str], *, where: str | None = None, **options: Any) -> None:
    """Create an index while rows are written.

    One that an earlier attempt left behind unfinished is dropped first; one that it finished is left as it is.
    """
    condition = None if where is None else sa.text(where)
    options |= {"postgresql_where": condition, "sqlite_where": condition}
    if not _is_postgresql():
        op.create_index(name, table, [*columns], **options)
        return
    with _one_by_one(), _patience():
        if op.get_context().as_sql or _is_valid_index(name) is False:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_quote(name)}")
        op.create_index(name, table, [*columns], postgresql_concurrently=True, if_not_exists=True, **options)


def drop_index(name: str, table: str) -> None:
    """Drop an index while rows are read and written."""
    if not _is_postgresql():
        op.drop_index(name, table_name=table)
        return
    with _one_by_one(), _patience():
        op.drop_index(name, table_name=table, postgresql_concurrently=True, if_exists=True)


def change_in_batches(
    table: sa.TableClause,
    is_due: sa.ColumnElement[bool],
    change: Callable[[sa.Connection, Sequence[Any]], None],
    *,
    key: str = "id",
    batch_size: int | None = None,
) -> int:
    """Call `change` with the keys of rows that are due, in their order; return how many rows there were.

    `change` writes these rows in one statement, after which they are no longer due: an attempt that was stopped is
    continued where it ended.

    Raises:
        RuntimeError: a row is still due after its change.
    """
    column, last, total = table.c[key], None, 0
    with _one_by_one():
        connection = op.get_bind()
        while True:
            follows = sa.true() if last is None else column > last
            due = sa.select(column).where(is_due, follows).order_by(column).limit(batch_size or BATCH_SIZE)
            keys = [*connection.scalars(due)]
            if not keys:
                break
            change(connection, keys)
            last, total = keys[-1], total + len(keys)
        if total and connection.scalar(sa.select(sa.exists().where(is_due, column <= last))):
            raise RuntimeError(f"rows of {table.name} are still due after their change")
    return total


def set_not_null(table: str, column: str, type_: sa.types.TypeEngine[Any]) -> None:
    """Refuse NULL in a column, without a scan of the table under a lock that stops writers.

    PostgreSQL checks the rows of a constraint that is added NOT VALID while they are written, and then takes the
    column's word from the constraint (https://www.postgresql.org/docs/current/sql-altertable.html, SET NOT NULL).

    Raises:
        IntegrityError: there are rows with NULL.
    """
    if not _is_postgresql():
        with op.batch_alter_table(table) as batch:
            batch.alter_column(column, existing_type=type_, nullable=False)
        return
    name, quoted = _quote(f"ck_{table}_{column}_not_null"), _quote(table)
    with _one_by_one():
        op.execute(f"ALTER TABLE {quoted} DROP CONSTRAINT IF EXISTS {name}")
        op.execute(f"ALTER TABLE {quoted} ADD CONSTRAINT {name} CHECK ({_quote(column)} IS NOT NULL) NOT VALID")
        op.execute(f"ALTER TABLE {quoted} VALIDATE CONSTRAINT {name}")
        op.execute(f"ALTER TABLE {quoted} ALTER COLUMN {_quote(column)} SET NOT NULL")
        op.execute(f"ALTER TABLE {quoted} DROP CONSTRAINT {name}")


@contextmanager
def _one_by_one() -> Iterator[None]:
    """Commit each statement by itself on PostgreSQL."""
    if not _is_postgresql():
        yield
        return
    with op.get_context().autocommit_block():
        yield


@contextmanager
def _patience() -> Iterator[None]:
    """Wait for transactions that began before: the lock of a concurrent build stops neither readers nor writers."""
    op.execute(f"SET lock_timeout = '{BUILD_TIMEOUT_SECONDS}s'")
    try:
        yield
    finally:
        op.execute(f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")


def _is_valid_index(name: str) -> bool | None:
    """Return whether an index can be used, or None if there is none."""
    index = sa.table("pg_index", sa.column("indexrelid"), sa.column("indisvalid", sa.Boolean))
    oid = sa.func.to_regclass(_quote(name)).cast(sa.dialects.postgresql.OID)
    valid: bool | None = op.get_bind().scalar(sa.select(index.c.indisvalid).where(index.c.indexrelid == oid))
    return valid


def _is_postgresql() -> bool:
    return op.get_context().dialect.name == "postgresql"


def _quote(name: str) -> str:
    return op.get_context().dialect.identifier_preparer.quote(name)
