"""What all writing repositories share: one transaction, for one viewer, at one moment."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.types import utc_now
from gqlapi.models import ANONYMOUS, AuditEvent, Viewer


@dataclass(frozen=True, slots=True)
class WriteScope:
    """Where, for whom, when and from which address a transaction writes; repositories flush, and never commit.

    `audited` are the events that it adds to the audit trail. Operators at the command line have no address.
    """

    session: AsyncSession
    viewer: Viewer = ANONYMOUS
    now: datetime = field(default_factory=utc_now)
    address: str | None = None
    audited: list[AuditEvent] = field(default_factory=list, compare=False)

    @property
    def dialect_name(self) -> str:
        """`postgresql` or `sqlite`."""
        return self.session.get_bind().dialect.name
