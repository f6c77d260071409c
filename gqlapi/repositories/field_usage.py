"""Counts of how clients use the schema."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.dialect import insert_for
from gqlapi.models import FieldUsage

# Every operation uses one of them: a client that has been counted has a row here.
ROOTS = ("Mutation", "Query")


async def list_clients(session: AsyncSession) -> set[str]:
    """Return the names of all clients that have been counted."""
    return {*await session.scalars(sa.select(FieldUsage.client).where(FieldUsage.coordinate.in_(ROOTS)).distinct())}


async def list_usage(session: AsyncSession) -> Sequence[FieldUsage]:
    """Return all counts, by coordinate and client."""
    return (await session.scalars(sa.select(FieldUsage).order_by(FieldUsage.coordinate, FieldUsage.client))).all()


async def add_usage(session: AsyncSession, counts: Mapping[str, Mapping[str, int]], now: datetime) -> None:
    """Add the uses of coordinates by clients."""
    rows = [
        {"coordinate": coordinate, "client": client, "uses": uses, "first_used_at": now, "last_used_at": now}
        for coordinate, client, uses in sorted(_flat(counts))  # several servers lock rows in one order
    ]
    if not rows:
        return
    insert = insert_for(session.get_bind().dialect.name)(FieldUsage)
    added = {
        "uses": FieldUsage.uses + insert.excluded.uses,
        "last_used_at": insert.excluded.last_used_at,
    }
    await session.execute(insert.on_conflict_do_update(index_elements=["coordinate", "client"], set_=added), rows)


def _flat(counts: Mapping[str, Mapping[str, int]]) -> Iterable[tuple[str, str, int]]:
    return ((coordinate, client, uses) for client, own in counts.items() for coordinate, uses in own.items())
