"""Give versions and times defaults in the database, so that rows which other programs write have them.

Revision ID: e91a5c28d706
Revises: 6d40b7f1e8a3
Created: 2026-12-01 12:20 UTC
"""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op

from gqlapi.database.types import DatabaseNow, UtcDateTime

revision = "e91a5c28d706"
down_revision = "6d40b7f1e8a3"
branch_labels = None
depends_on = None

TABLES = ("users", "tags", "posts")
TIMES = ("created_at", "updated_at")


def upgrade() -> None:
    for table in TABLES:
        # On PostgreSQL only the catalog changes; SQLite writes the table anew.
        with _same_indexes(table), op.batch_alter_table(table) as batch:
            batch.alter_column("version", existing_type=sa.Integer(), existing_nullable=False, server_default="1")
            for name in TIMES:
                batch.alter_column(
                    name, existing_type=UtcDateTime(), existing_nullable=False, server_default=DatabaseNow()
                )


@contextmanager
def _same_indexes(table: str) -> Iterator[None]:
    """Create the indexes of a table of SQLite again, in the same order: of two equally good ones it uses the newer."""
    if op.get_context().dialect.name != "sqlite":
        yield
        return
    connection = op.get_bind()
    query = sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :name AND sql IS NOT NULL")
    indexes = connection.execute(query, {"name": table}).all()
    yield
    for name, sql in indexes:
        connection.exec_driver_sql(f'DROP INDEX "{name}"')
        connection.exec_driver_sql(sql)


def downgrade() -> None:
    for table in TABLES:
        with _same_indexes(table), op.batch_alter_table(table) as batch:
            batch.alter_column("version", existing_type=sa.Integer(), existing_nullable=False, server_default=None)
            for name in TIMES:
                batch.alter_column(name, existing_type=UtcDateTime(), existing_nullable=False, server_default=None)
