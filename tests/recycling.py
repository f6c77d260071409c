"""Databases of PostgreSQL that tests have one after the other: making one anew takes 100 ms, emptying it 15.

What a test gets is like a new copy of the template, under a name that nothing knows: a database whose tables, indexes,
settings or statistics a test has changed is dropped.
"""

from uuid import uuid4

import asyncpg

from gqlapi.models import Base
from tests.postgres import PostgresServer

# Rows that are deleted leave their pages behind, which the planner counts.
MAX_BYTES = 2 * 1_048_576
# Objects from 16384 on are not PostgreSQL's own.
END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
SIZE = "SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'i', 't')"
FINGERPRINT = """
SELECT md5(string_agg(part, E'\\n' ORDER BY part)) FROM (
  SELECT t::text AS part FROM pg_class t WHERE oid >= 16384
  UNION ALL SELECT t::text FROM pg_attribute t WHERE attrelid >= 16384
  UNION ALL SELECT t::text FROM pg_attrdef t
  UNION ALL SELECT t::text FROM pg_constraint t WHERE oid >= 16384
  UNION ALL SELECT t::text FROM pg_index t WHERE indexrelid >= 16384
  UNION ALL SELECT t::text FROM pg_trigger t
  UNION ALL SELECT t::text FROM pg_proc t WHERE oid >= 16384
  UNION ALL SELECT t::text FROM pg_namespace t WHERE oid >= 16384
  UNION ALL SELECT t::text FROM pg_extension t
  UNION ALL SELECT starelid::text FROM pg_statistic WHERE starelid >= 16384
  UNION ALL SELECT setconfig::text FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
  UNION ALL SELECT t::text FROM alembic_version t
) AS parts
"""
END_ALL = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1"
TABLES = "SELECT relname FROM pg_class WHERE oid >= 16384 AND relkind = 'r' AND relname <> 'alembic_version'"
# What a migration puts into a table.
FILL = "INSERT INTO feed_state (id, last_position, published_until) VALUES (1, 0, now())"
RESTART = "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE oid >= 16384 AND relkind = 'S'"


class Recycler:
    """Hands out databases that are like the template, and takes them back."""

    def __init__(self, server: PostgresServer, template: str) -> None:
        self._server = server
        self._template = template
        self._free: list[str] = []
        self._fingerprint: str | None = None
        self._maintenance: asyncpg.Connection | None = None
        self._tables: list[str] = []

    async def take(self) -> str:
        """Return the name of a database without rows."""
        name = f"gqlapi_test_{uuid4().hex}"
        if self._free:
            await self._rename(self._free.pop(), name)
            return name
        url = await self._server.create_database(name, self._template)
        if self._fingerprint is None:
            connection = await asyncpg.connect(url)
            self._fingerprint = await connection.fetchval(FINGERPRINT)
            self._tables = sorted((row[0] for row in await connection.fetch(TABLES)), key=_order)
            await connection.close()
        return name

    async def _rename(self, old: str, new: str) -> None:
        if self._maintenance is None:  # kept: a connection costs PostgreSQL more than the change of a name
            self._maintenance = await asyncpg.connect(self._server.maintenance_url)
        rename = f'ALTER DATABASE "{old}" RENAME TO "{new}"'
        try:
            await self._maintenance.execute(rename)
        except asyncpg.ObjectInUseError:  # a connection that was still being made when its test ended
            await self._maintenance.execute(END_ALL, old)
            await self._maintenance.execute(rename)

    async def give_back(self, name: str) -> None:
        """Empty a database and close its connections, or drop it."""
        try:
            can_be_used = await self._clean(name)
        except (OSError, asyncpg.PostgresError):  # a test has dropped it, or has left nothing that could be emptied
            can_be_used = False
        if can_be_used:
            self._free.append(name)
        else:
            await self._server.drop_database(name)

    async def _clean(self, name: str) -> bool:
        connection = await asyncpg.connect(self._server.url(name))
        try:
            await connection.execute(END_OTHERS)
            if await connection.fetchval(FINGERPRINT) != self._fingerprint:
                return False
            await connection.execute("; ".join(f'DELETE FROM "{table}"' for table in self._tables))  # noqa: S608 - names of the catalog
            await connection.execute(FILL)
            await connection.execute(RESTART)
            return int(await connection.fetchval(SIZE)) < MAX_BYTES
        finally:
            await connection.close()

    async def close(self) -> None:
        """Drop all."""
        if self._maintenance is not None:
            await self._maintenance.close()
        while self._free:
            await self._server.drop_database(self._free.pop())


def _order(table: str) -> int:
    """Return the place of a table in a deletion: what refers to others comes before them."""
    names = [named.name for named in Base.metadata.sorted_tables]
    return -names.index(table) if table in names else -len(names)
