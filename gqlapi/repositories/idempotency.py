"""Keys of mutations that may be sent twice."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.dialect import insert_for
from gqlapi.database.kept import KeptStatement
from gqlapi.database.types import UtcDateTime
from gqlapi.models import IdempotencyKey, Row
from gqlapi.repositories.locks import skip_locked

# What one write cleans up of what others left.
PRUNED_WITH_EACH_WRITE = 10
KEYS: sa.Table = IdempotencyKey.__table__  # type: ignore[assignment]  # a Table, as of every model that is mapped to one


class IdempotencyRepository:
    """Reads and writes keys in a transaction."""

    def __init__(self, session: AsyncSession) -> None:
        """Work in a session's transaction."""
        self._session = session
        self._dialect_name = session.get_bind().dialect.name

    async def claim(self, key: IdempotencyKey, *, expired_before: datetime) -> bool:
        """Write a key, and return whether it was free or expired; waits for a transaction that has just claimed it.

        Deletes a few others that have expired: in the same statement on PostgreSQL, in one more on SQLite.
        """
        values = {name: getattr(key, name) for name in KEYS.columns.keys()}  # noqa: SIM118 - a collection, not a dict
        values["expired_before"] = expired_before
        if self._dialect_name != "postgresql":
            await _pruning().rows(self._session, values)
        return bool(await _claim(self._dialect_name).rows(self._session, values))

    async def get(self, user_id: UUID, key: str) -> IdempotencyKey:
        """Read a key that is there."""
        return await self._session.get_one(IdempotencyKey, (user_id, key))

    async def list_live(self, model: type[Row], ids: Sequence[UUID]) -> set[UUID]:
        """Return those keys under which there are rows that are not deleted, in one statement."""
        statement = sa.select(model.id).where(model.id.in_(ids))
        if (deleted_at := model.__table__.columns.get("deleted_at")) is not None:
            statement = statement.where(deleted_at.is_(None))
        return {*await self._session.scalars(statement)}

    async def keep(self, key: IdempotencyKey, outcome: Mapping[str, Any]) -> None:
        """Write what the mutation did."""
        values = {"of_user": key.user_id, "of_key": key.key, "outcome": outcome}
        await _keeping(self._dialect_name).rows(self._session, values)


def _parameter(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=KEYS.c[name].type)


_EXPIRED = KEYS.c.created_at < sa.bindparam("expired_before", type_=UtcDateTime)


@cache
def _claim(dialect_name: str) -> KeptStatement:
    insert = insert_for(dialect_name)(KEYS).values({name: _parameter(name) for name in KEYS.columns.keys()})  # noqa: SIM118 - a collection, not a dict
    renewed = {name: insert.excluded[name] for name in ("input_hash", "outcome", "created_at")}
    claim = insert.on_conflict_do_update(index_elements=["user_id", "key"], set_=renewed, where=_EXPIRED)
    claim = claim.returning(KEYS.c.key)
    if dialect_name != "postgresql":
        return KeptStatement(claim, dialect_name)
    claimed = claim.cte("claimed")
    return KeptStatement(sa.select(claimed.c.key).add_cte(_prune().cte("pruned")), dialect_name)


@cache
def _pruning() -> KeptStatement:
    return KeptStatement(_prune(), "sqlite")


def _prune() -> sa.Delete:
    """Delete a few keys that have expired, but the one that is being claimed.

    Rows that another transaction is deleting are left to it: nothing waits for housekeeping.
    """
    is_claimed = (KEYS.c.user_id == sa.bindparam("user_id", type_=sa.Uuid)) & (KEYS.c.key == _parameter("key"))
    found = sa.select(KEYS.c.user_id, KEYS.c.key).where(_EXPIRED, sa.not_(is_claimed)).limit(PRUNED_WITH_EACH_WRITE)
    return sa.delete(KEYS).where(sa.tuple_(KEYS.c.user_id, KEYS.c.key).in_(skip_locked(found)))


@cache
def _keeping(dialect_name: str) -> KeptStatement:
    # SQLAlchemy takes parameters of an UPDATE that have names of columns for new values.
    is_key = (KEYS.c.user_id == sa.bindparam("of_user", type_=sa.Uuid)) & (KEYS.c.key == sa.bindparam("of_key"))
    return KeptStatement(sa.update(KEYS).where(is_key).values(outcome=_parameter("outcome")), dialect_name)
