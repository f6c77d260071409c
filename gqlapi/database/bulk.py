"""Loading of many rows in one transaction, with the indexes built at the end."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gqlapi.database.driver import create_unpooled_engine
from gqlapi.database.search import CREATE_INDEXES, DROP_INDEXES

BATCH_SIZE = 2_000


class BulkLoader:
    """Loads rows over one connection; nothing of it is seen before the end."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Load over a connection that is in a transaction."""
        self.connection = connection
        self._is_postgresql = connection.dialect.name == "postgresql"

    async def load(
        self, table: sa.Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
    ) -> AsyncIterator[int]:
        """Insert rows of `columns`, and yield how many are in after each batch of 2,000."""
        done = 0
        for batch in _batches(rows):
            if self._is_postgresql:
                raw = await self.connection.get_raw_connection()
                await raw.driver_connection.copy_records_to_table(table.name, columns=columns, records=batch)  # type: ignore[union-attr] # asyncpg's
            else:
                values = [dict(zip(columns, row, strict=True)) for row in batch]
                await self.connection.execute(sa.insert(table), values)
            done += len(batch)
            yield done


@asynccontextmanager
async def bulk_load(engine: AsyncEngine, tables: Sequence[sa.Table]) -> AsyncIterator[BulkLoader]:
    """Open a transaction in which `tables` have no indexes except their keys; they are built at its end."""
    indexes = [index for table in tables for index in sorted(table.indexes, key=lambda index: str(index.name))]
    async with _begin(engine) as connection:
        if connection.dialect.name == "postgresql":
            # One statement may take longer here than any that serves a request, and so may the pause between two.
            await connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            await connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            for statement in DROP_INDEXES:
                await connection.exec_driver_sql(statement)
        for index in indexes:
            await connection.run_sync(index.drop)
        yield BulkLoader(connection)
        for index in indexes:
            await connection.run_sync(index.create)
        if connection.dialect.name == "postgresql":
            for statement in CREATE_INDEXES:
                await connection.exec_driver_sql(statement)
    async with _begin(engine) as connection:
        # Else the planner plans for empty tables.
        await connection.exec_driver_sql("ANALYZE")


@asynccontextmanager
async def _begin(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Begin a transaction; on PostgreSQL over a new connection, since those of the pool give up on long statements."""
    if engine.dialect.name != "postgresql":
        async with engine.begin() as connection:
            yield connection
        return
    patient = create_unpooled_engine(engine.url)
    try:
        async with patient.begin() as connection:
            yield connection
    finally:
        await patient.dispose()


def _batches(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH_SIZE)):
        yield batch
