"""Keys of mutations that may be sent twice."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.dialect import insert_for
from gqlapi.models import IdempotencyKey
from gqlapi.repositories.locks import skip_locked

# What one write cleans up of what others left.
PRUNED_WITH_EACH_WRITE = 10


class IdempotencyRepository:
    """Reads and writes keys in a transaction."""

    def __init__(self, session: AsyncSession) -> None:
        """Work in a session's transaction."""
        self._session = session
        self._insert = insert_for(session.get_bind().dialect.name)

    async def claim(self, key: IdempotencyKey) -> bool:
        """Write a key, and tell whether it was free; waits for a transaction that has just claimed it."""
        columns = IdempotencyKey.__table__.columns.keys()
        values = {name: getattr(key, name) for name in columns}
        statement = self._insert(IdempotencyKey).values(values).on_conflict_do_nothing().returning(IdempotencyKey.key)
        return (await self._session.execute(statement)).first() is not None

    async def get(self, user_id: UUID, key: str) -> IdempotencyKey:
        """Read a key that is there."""
        return await self._session.get_one(IdempotencyKey, (user_id, key))

    async def keep(self, key: IdempotencyKey, outcome: Mapping[str, Any]) -> None:
        """Write what the mutation did."""
        is_key = (IdempotencyKey.user_id == key.user_id) & (IdempotencyKey.key == key.key)
        await self._session.execute(sa.update(IdempotencyKey).where(is_key).values(outcome=outcome))

    async def delete_expired(self, *, before: datetime, user_id: UUID, key: str) -> None:
        """Delete the key if it is older than that, and a few others that are."""
        is_key = (IdempotencyKey.user_id == user_id) & (IdempotencyKey.key == key)
        is_old = IdempotencyKey.created_at < before
        await self._session.execute(sa.delete(IdempotencyKey).where(is_key, is_old))
        # Rows that another transaction is deleting are left to it: nobody waits for housekeeping.
        few = skip_locked(
            sa.select(IdempotencyKey.user_id, IdempotencyKey.key).where(is_old).limit(PRUNED_WITH_EACH_WRITE)
        )
        rows = sa.tuple_(IdempotencyKey.user_id, IdempotencyKey.key).in_(few)
        await self._session.execute(sa.delete(IdempotencyKey).where(rows))
