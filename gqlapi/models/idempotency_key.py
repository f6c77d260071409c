"""Answers that a repeated mutation gets again."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from gqlapi.database.types import UtcDateTime, utc_now
from gqlapi.models.account import HASH_LENGTH
from gqlapi.models.base import Base


class IdempotencyKey(Base):
    """The mutation of a user's key, written in the transaction of the mutation itself."""

    __tablename__ = "idempotency_keys"

    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    # Of the mutation's name and its input.
    input_hash: Mapped[str] = mapped_column(sa.String(HASH_LENGTH))
    # Ids and flags, from which the answer is read again.
    outcome: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
