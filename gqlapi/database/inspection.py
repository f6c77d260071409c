"""What a database says of itself, read on its own connection, so that no pool is filled or warmed."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from gqlapi.database.connector import Way
from gqlapi.database.driver import create_unpooled_engine
from gqlapi.database.engine import EngineOptions, postgresql_arguments
from gqlapi.database.failures import Trouble, trouble_of
from gqlapi.database.migrations import is_missing_file
from gqlapi.database.url import normalize_url


@dataclass(frozen=True, slots=True)
class PostgresFacts:
    """What decides whether a PostgreSQL server fits; the clock's offset is what surely is not the network's."""

    version: str
    version_number: int
    max_connections: int
    reserved_connections: int
    synchronous_commit: str
    encoding: str
    is_in_recovery: bool = False
    # A standby is read-only, and so is a database whose operator wants it to be.
    is_read_only: bool = False
    # Tables and sequences that the role may not use as the server does.
    refused_tables: int = 0
    refused_sequences: int = 0
    # Whether the role may create tables, as a migration does.
    may_create: bool = True
    clock_offset_seconds: float = 0.0
    # How the connection leads to the server.
    way: Way = Way.DIRECT
    # Whether another program passes the connection on, regardless of what the settings say.
    is_pooled: bool = False

    @property
    def usable_connections(self) -> int:
        """How many connections are left for those who are no superusers."""
        return self.max_connections - self.reserved_connections


@dataclass(frozen=True, slots=True)
class SqliteFacts:
    """What decides whether a file of SQLite fits; `write_failure` is empty when a write may begin."""

    version: str
    has_fts5: bool
    journal_mode: str
    path: Path
    write_failure: str = ""


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """A database that can be reached: its server, its revisions (none before the first migration), its tables.

    `columns` are named `table.column`. `hides_revision`: the role may not read which revision it is at.
    """

    server: PostgresFacts | SqliteFacts
    revisions: tuple[str, ...]
    tables: frozenset[str]
    columns: frozenset[str] = frozenset()
    hides_revision: bool = False


async def inspect_database(url: str, options: EngineOptions) -> DatabaseFacts:
    """Connect as the server does and look around, changing nothing.

    Raises:
        FileNotFoundError: the URL is that of an SQLite file that does not exist.
        Exception: the driver's error if the database cannot be reached.
    """
    async with _connect(url, options) as connection:
        return await connection.run_sync(_inspect)


async def inspect_postgresql(url: str, options: EngineOptions) -> PostgresFacts:
    """Ask a server for its facts, in one statement.

    Raises:
        Exception: the driver's error if the database cannot be reached.
    """
    async with _connect(url, options) as connection:
        return await connection.run_sync(_postgres_facts)


@asynccontextmanager
async def _connect(url: str, options: EngineOptions) -> AsyncIterator[AsyncConnection]:
    parsed = sa.make_url(normalize_url(url))
    if is_missing_file(parsed):
        raise FileNotFoundError(f"the file {parsed.database} does not exist")
    if parsed.get_backend_name() == "sqlite":
        # The longest wait for a lock.
        engine = create_unpooled_engine(parsed, isolation_level=None, timeout=options.connect_timeout_seconds)
    else:
        engine = create_unpooled_engine(parsed, **postgresql_arguments(options))
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


def _inspect(connection: sa.Connection) -> DatabaseFacts:
    server = _postgres_facts(connection) if connection.dialect.name == "postgresql" else _sqlite_facts(connection)
    inspector = sa.inspect(connection)
    described = {name: columns for (_, name), columns in inspector.get_multi_columns().items()}
    tables = frozenset(described)
    columns = frozenset(f"{name}.{column['name']}" for name, columns in described.items() for column in columns)
    try:
        revisions = MigrationContext.configure(connection).get_current_heads()
    except DBAPIError as error:
        if trouble_of(error) is not Trouble.PERMISSION:
            raise
        return DatabaseFacts(server, (), tables, columns, hides_revision=True)
    return DatabaseFacts(server, tuple(revisions), tables, columns)


def _postgres_facts(connection: sa.Connection) -> PostgresFacts:
    setting = sa.func.current_setting
    reserved = sa.cast(setting("superuser_reserved_connections"), sa.Integer)
    # Since PostgreSQL 16; NULL before.
    reserved_since_16 = sa.func.coalesce(sa.cast(setting("reserved_connections", sa.true()), sa.Integer), 0)
    encoding = sa.func.pg_encoding_to_char(sa.column("encoding", sa.Integer))
    statement = (
        sa.select(
            setting("server_version"),
            sa.cast(setting("server_version_num"), sa.Integer),
            sa.cast(setting("max_connections"), sa.Integer),
            reserved + reserved_since_16,
            setting("synchronous_commit"),
            encoding,
            sa.func.pg_is_in_recovery(),
            setting("transaction_read_only") == "on",
            _refused_tables(),
            _refused_sequences(),
            sa.func.coalesce(sa.func.has_schema_privilege(sa.func.current_schema(), "CREATE"), sa.false()),
            sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Double),
            sa.func.pg_backend_pid(),
        )
        .select_from(sa.table("pg_database"))
        .where(sa.column("datname", sa.Text) == sa.func.current_database())
    )
    before = time.time()
    values: list[Any] = list(connection.execute(statement).one())
    after = time.time()
    pid, now = values.pop(), values.pop()
    values.append(max(0.0, abs(now - (before + after) / 2) - (after - before) / 2))
    driver: Any = connection.connection.driver_connection
    # A pooler announces a number that is made up.
    return replace(PostgresFacts(*values), way=driver.way, is_pooled=pid != driver.get_server_pid())


def _refused_tables() -> sa.ScalarSelect[int]:
    schema, name = sa.column("schemaname", sa.Text), sa.column("tablename", sa.Text)
    table = sa.func.format("%I.%I", schema, name)
    privileges = ("SELECT", "INSERT", "UPDATE", "DELETE")
    allowed = (sa.func.has_table_privilege(table, privilege) for privilege in privileges)
    return (
        sa.select(sa.func.count())
        .select_from(sa.table("pg_tables"))
        # The server only reads which revision the database is at.
        .where(schema == sa.func.current_schema(), name != "alembic_version", sa.not_(sa.and_(*allowed)))
        .scalar_subquery()
    )


def _refused_sequences() -> sa.ScalarSelect[int]:
    class_ = sa.table("pg_class", sa.column("oid"), sa.column("relkind"), sa.column("relnamespace"))
    namespace = sa.table("pg_namespace", sa.column("oid"), sa.column("nspname"))
    # CASE, because PostgreSQL may ask for the privilege first, which fails for what is no sequence.
    is_allowed = sa.case(
        (class_.c.relkind == sa.literal_column("'S'"), sa.func.has_sequence_privilege(class_.c.oid, "USAGE")),
        else_=sa.true(),
    )
    return (
        sa.select(sa.func.count())
        .select_from(class_.join(namespace, namespace.c.oid == class_.c.relnamespace))
        .where(namespace.c.nspname == sa.func.current_schema(), sa.not_(is_allowed))
        .scalar_subquery()
    )


def _sqlite_facts(connection: sa.Connection) -> SqliteFacts:
    def ask(text: str) -> Any:
        return connection.exec_driver_sql(text).one()

    return SqliteFacts(
        version=ask("SELECT sqlite_version()")[0],
        has_fts5=bool(ask("SELECT sqlite_compileoption_used('ENABLE_FTS5')")[0]),
        journal_mode=ask("PRAGMA journal_mode")[0],
        path=Path(connection.exec_driver_sql("PRAGMA database_list").all()[0][2]),
        write_failure=_write_failure(connection),
    )


def _write_failure(connection: sa.Connection) -> str:
    """Write and roll back: permissions do not show what the file system allows."""
    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    failure = ""
    try:
        # Of a file that is read-only, this begins a mere read.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.exec_driver_sql(f"PRAGMA user_version={int(version)}")
    except DBAPIError as error:
        failure = str(error.orig)
    with suppress(DBAPIError):  # there is no transaction if it could not begin
        connection.exec_driver_sql("ROLLBACK")
    return failure
