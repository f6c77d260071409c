"""How far sessions and API tokens have written, so that their later reads come from a replica that has it all."""

from collections.abc import Collection
from functools import cache
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.at_once import commit_at_once
from gqlapi.database.kept import KeptStatement
from gqlapi.database.positions import WRITTEN
from gqlapi.models import ApiToken, Session


async def record_position(session: AsyncSession, session_ids: Collection[UUID], token_id: UUID | None) -> int:
    """Return how far PostgreSQL has written, and record it for the sessions and the token, in one statement."""
    values = {"session_ids": [*session_ids], "token_id": token_id}
    rows = await commit_at_once(session, _statement(), values)
    if rows is None:
        rows = await _statement().rows(session, values)
    position: int = rows[0][0]
    return position


@cache
def _statement() -> KeptStatement:
    written = sa.literal_column(WRITTEN, sa.BigInteger)
    ids = sa.bindparam("session_ids", type_=postgresql.ARRAY(sa.Uuid()))
    token_id = sa.bindparam("token_id", type_=sa.Uuid())
    statement = sa.select(written.label("position"))
    for model, is_meant in ((Session, Session.id == sa.func.any(ids)), (ApiToken, ApiToken.id == token_id)):
        # Of two at the same time, the second waits for the row, and then asks again how far PostgreSQL has written.
        recording = sa.update(model).where(is_meant).values(position=written)
        statement = statement.add_cte(recording.cte(f"recorded_{model.__tablename__}"))
    return KeptStatement(statement, "postgresql")
