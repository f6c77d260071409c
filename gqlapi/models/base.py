"""What all models share: keys, timestamps, versions and the naming of constraints."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from secrets import randbits
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column
from uuid_utils.compat import uuid7

from gqlapi.database.types import DatabaseNow, UtcDateTime, utc_now
from gqlapi.models.global_id import GlobalIdMixin

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_id(created_at: datetime | None = None, randbits: Callable[[int], int] = randbits) -> UUID:
    """Create a UUIDv7 (RFC 9562, section 5.7), whose order is the order of creation.

    A row that is loaded later than it was created (a seed, an import) passes its own time, not before 1970; a
    deterministic seed passes its own source of random bits.
    """
    if created_at is None:
        return uuid7()
    milliseconds = (max(created_at, EPOCH) - EPOCH) // timedelta(milliseconds=1)
    return UUID(int=milliseconds << 80 | 7 << 76 | randbits(12) << 64 | 2 << 62 | randbits(62))


def _id_from_created_at(context: DefaultExecutionContext) -> UUID:
    return new_id(context.get_current_parameters().get("created_at"))


def created_at_of(id_: UUID) -> datetime:
    """Read the creation time out of a UUIDv7, in milliseconds."""
    milliseconds = id_.int >> 80
    return datetime.fromtimestamp(milliseconds // 1000, UTC).replace(microsecond=milliseconds % 1000 * 1000)


def _created_at_from_id(context: DefaultExecutionContext) -> datetime:
    return created_at_of(context.get_current_parameters()["id"])


class Base(DeclarativeBase):
    """The declarative base; every constraint gets a name, so that migrations can refer to it."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Row(GlobalIdMixin, Base):
    """A row with a UUIDv7 key, an optimistic-lock version (from 1, +1 on each write) and UTC timestamps."""

    __abstract__ = True
    typename: ClassVar[str]

    id: Mapped[UUID] = mapped_column(sa.Uuid, primary_key=True, default=_id_from_created_at, sort_order=-4)
    version: Mapped[int] = mapped_column(sa.Integer, default=1, server_default="1", sort_order=-3)
    # The id carries the time of creation, so that ordering by id is ordering by created_at.
    created_at: Mapped[datetime] = mapped_column(
        UtcDateTime, default=_created_at_from_id, server_default=DatabaseNow(), sort_order=-2
    )
    updated_at: Mapped[datetime] = mapped_column(
        UtcDateTime, default=utc_now, onupdate=utc_now, server_default=DatabaseNow(), sort_order=-1
    )

    @declared_attr.directive
    @classmethod
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"version_id_col": cls.__table__.c.version} if hasattr(cls, "__table__") else {}
