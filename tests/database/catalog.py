"""What a database says about its own tables, as text that can be compared."""

from collections.abc import Iterator

import sqlalchemy as sa

from gqlapi.database.migrations import connect

POSTGRESQL_QUERIES = (
    """
    SELECT concat_ws(' ', table_name, ordinal_position, column_name, data_type, character_maximum_length,
                     'collation', collation_name, 'null', is_nullable, 'default', column_default)
    FROM information_schema.columns WHERE table_schema = 'public'
    """,
    """
    SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    """,
    "SELECT concat_ws(' ', tablename, indexdef) FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT concat_ws(' ', tgrelid::regclass, pg_get_triggerdef(oid)) FROM pg_trigger WHERE NOT tgisinternal",
    "SELECT concat_ws(' ', proname, prosrc) FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
)


async def read_catalog(url: str) -> set[str]:
    """Return a line for each column, constraint, index and trigger of our own tables."""
    async with connect(url) as connection:
        lines = await connection.run_sync(_read)
    return {line for line in lines if not line.startswith(("alembic_version ", "search_", "sqlite_"))}


def _read(connection: sa.Connection) -> list[str]:
    if connection.dialect.name == "postgresql":
        return [line for query in POSTGRESQL_QUERIES for line in connection.scalars(sa.text(query))]
    lines: list[str] = []
    for kind, table, sql in connection.execute(sa.text("SELECT type, tbl_name, sql FROM sqlite_master")):
        if kind == "table":
            lines += (f"{table} {definition}" for definition in _definitions(sql))
            columns = connection.execute(sa.text(f"SELECT * FROM pragma_table_info('{table}')"))  # noqa: S608
            lines += (f"{table} {tuple(column)}" for column in columns)
        elif sql is not None:  # an index that a constraint makes has none
            lines.append(f"{table} {_squeeze(sql)}")
    return lines


def _definitions(create_table: str) -> Iterator[str]:
    """Yield what is between the commas of CREATE TABLE: the order of the constraints is of no consequence."""
    body = create_table[create_table.index("(") + 1 : create_table.rindex(")")]
    depth, start = 0, 0
    for position, character in enumerate(body):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            yield _squeeze(body[start:position])
            start = position + 1
    yield _squeeze(body[start:])


def _squeeze(sql: str) -> str:
    # A table that Alembic has re-created has its defaults in brackets.
    return " ".join(sql.replace('"', "").replace("DEFAULT ('')", "DEFAULT ''").split())
