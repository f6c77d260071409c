"""Trusted documents: what clients may run by an id alone."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from gqlapi.database.types import UtcDateTime, utc_now
from gqlapi.models.base import Base

MAX_DOCUMENT_ID_LENGTH = 200


class TrustedDocument(Base):
    """A document that an operator added; never changed, only removed.

    Servers compare the number of rows and the greatest position with those that they have read: `sqlite_autoincrement`
    keeps SQLite from using the position of a removed row again.
    """

    __tablename__ = "trusted_documents"
    __table_args__ = (
        sa.CheckConstraint("max_cost > 0", name="max_cost"),
        {"sqlite_autoincrement": True},
    )

    position: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True
    )
    document_id: Mapped[str] = mapped_column(sa.String(MAX_DOCUMENT_ID_LENGTH), unique=True)
    text: Mapped[str] = mapped_column(sa.Text)
    # NULL: the limit of the server.
    max_cost: Mapped[int | None] = mapped_column(sa.Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
