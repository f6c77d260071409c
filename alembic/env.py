"""How Alembic runs the revisions; locks and connections are the business of `gqlapi.database.migrations`."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.rewriter import Rewriter
from alembic.operations import ops
from alembic.util import CommandError
from sqlalchemy.sql import visitors

from gqlapi.database import migrations
from gqlapi.database.types import DatabaseNow, UtcDateTime
from gqlapi.database.url import normalize_url
from gqlapi.models import Base
from gqlapi.settings import Settings

writer = Rewriter()


def include_name(name: str | None, _type: str, _parent_names: Mapping[str, str | None]) -> bool:
    """Hide the search objects, which are not part of the metadata."""
    return not (name or "").startswith("search_")


def render_item(kind: str, item: object, autogen_context: AutogenContext) -> str | Literal[False]:
    """Write our column type and our default with their imports.

    Alembic would write a dotted name without one, and the default of the one database that it looks at.
    """
    if kind == "server_default" and isinstance(item, sa.DefaultClause) and isinstance(item.arg, DatabaseNow):
        autogen_context.imports.add("from gqlapi.database.types import DatabaseNow")
        return "DatabaseNow()"
    if kind != "type" or not isinstance(item, UtcDateTime):
        return False
    autogen_context.imports.add("from gqlapi.database.types import UtcDateTime")
    return "UtcDateTime()"


@writer.rewrites(ops.ModifyTableOps)
def leave_checks_to_enums(_context: object, _revision: object, table: ops.ModifyTableOps) -> ops.ModifyTableOps:
    """Leave out the CHECK of a new enum column: the column's type brings it along."""
    columns = [op.column for op in table.ops if isinstance(op, ops.AddColumnOp)]
    enums = {column.name for column in columns if isinstance(column.type, sa.Enum)}
    table.ops = [op for op in table.ops if enums.isdisjoint(_checked_columns(op))]
    return table


def _checked_columns(op: ops.MigrateOperation) -> set[str]:
    if not isinstance(op, ops.CreateCheckConstraintOp) or not isinstance(op.condition, sa.ColumnElement):
        return set()
    return {element.name for element in visitors.iterate(op.condition) if isinstance(element, sa.Column)}


def options(dialect: str) -> dict[str, Any]:
    """Return what every run is configured with."""
    return {
        "target_metadata": Base.metadata,
        "compare_type": True,
        "compare_server_default": True,
        "include_name": include_name,
        "render_item": render_item,
        "process_revision_directives": writer,
        "render_as_batch": dialect == "sqlite",
        "autogenerate_plugins": ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
        # Alembic thinks that SQLite's DDL is not transactional, because its driver commits before it by default.
        "transactional_ddl": True,
        # A revision that builds an index concurrently commits what came before it.
        "transaction_per_migration": dialect == "postgresql",
        "on_version_apply": [migrations.recreate_triggers, migrations.check_foreign_keys],
    }


def database_url(settings: Settings) -> str:
    """Return the URL of the settings."""
    try:
        return normalize_url(settings.direct_url)
    except ValueError as error:
        name = "GQLAPI_DATABASE_DIRECT_URL" if settings.database_direct_url else "GQLAPI_DATABASE_URL"
        raise CommandError(f"{name} {error}") from None


def run() -> None:
    """Run the command's revisions in the configured context."""
    with context.begin_transaction():
        context.run_migrations()


def run_offline(url: str) -> None:
    """Print the SQL instead of executing it."""
    if sa.make_url(url).get_backend_name() == "sqlite":
        raise CommandError(
            "--sql writes PostgreSQL scripts only, because SQLite's ALTER TABLE has to read the database; "
            "set GQLAPI_DATABASE_URL to a postgresql:// URL (nothing connects to it)"
        )
    context.configure(url=url, literal_binds=True, **options("postgresql"))
    run()


def run_on(connection: sa.Connection) -> None:
    """Run on a connection that is not in a transaction."""
    context.configure(connection=connection, **options(connection.dialect.name))
    if context.get_context().opts.get("dont_mutate"):  # `alembic current` does not wait for a migrator
        run()
    else:
        migrations.run_exclusively(connection, run)


async def run_online(settings: Settings) -> None:
    """Run on a connection of our own."""
    url = database_url(settings)
    async with migrations.connect(url, has_own_sessions=settings.has_own_sessions) as connection:
        await connection.run_sync(run_on)


if context.config.cmd_opts is not None:  # The command line shows its progress, on stderr.
    logging.basicConfig(format="%(message)s")
    for name in ("alembic.autogenerate", "alembic.runtime.migration", migrations.__name__):
        logging.getLogger(name).setLevel(logging.INFO)

if (handed_in := context.config.attributes.get("connection")) is not None:
    run_on(handed_in)
elif context.is_offline_mode():
    run_offline(database_url(Settings()))
else:
    asyncio.run(run_online(Settings()))
