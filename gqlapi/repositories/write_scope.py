"""What all writing repositories share: one transaction, for one viewer, at one moment."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.types import utc_now
from gqlapi.models import ANONYMOUS, Viewer


@dataclass(frozen=True, slots=True)
class WriteScope:
    """Where, for whom and when a transaction writes; repositories flush, and never commit."""

    session: AsyncSession
    viewer: Viewer = ANONYMOUS
    now: datetime = field(default_factory=utc_now)

    @property
    def dialect_name(self) -> str:
        """`postgresql` or `sqlite`."""
        return self.session.get_bind().dialect.name
