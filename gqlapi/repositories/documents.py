"""Trusted documents: servers read them, commands add and remove them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.kept import Rows
from gqlapi.database.read_unit import ReadUnit
from gqlapi.models import TrustedDocument

# Servers keep all of them in memory.
MAX_DOCUMENTS = 10_000
# Readers are not blocked; other commands wait.
LOCK = sa.text(f"LOCK TABLE {TrustedDocument.__tablename__} IN SHARE ROW EXCLUSIVE MODE")

# It changes with each change of the documents: those who add take greater positions, one after the other.
Version = tuple[int, int | None]


class StoredDocument(NamedTuple):
    """A trusted document; without a `max_cost` the limit of the server applies."""

    document_id: str
    text: str
    max_cost: int | None
    created_at: datetime


class DocumentRepository:
    """Reads of trusted documents, which all viewers may run."""

    def __init__(self, unit: ReadUnit) -> None:
        """Read in a unit."""
        self._unit = unit

    async def get_version(self) -> Version:
        """Return what differs whenever the documents differ; one statement."""
        ((count, last),) = cast("Rows", await self._unit.rows(_VERSION))
        return count, last

    async def list_all(self) -> list[StoredDocument]:
        """Read all documents, oldest first; one statement."""
        return [StoredDocument(*row) for row in cast("Rows", await self._unit.rows(_ALL))]


class DocumentWriteRepository:
    """Adds and removes trusted documents, one command at a time."""

    def __init__(self, session: AsyncSession) -> None:
        """Write in the transaction of a session."""
        self._session = session

    async def lock(self) -> None:
        """Keep other commands out until the end of the transaction; SQLite has one writer anyway."""
        if self._session.get_bind().dialect.name == "postgresql":
            await self._session.execute(LOCK)

    async def list_all(self) -> list[StoredDocument]:
        """Read all documents, oldest first."""
        return [StoredDocument(*row) for row in await self._session.execute(_ALL)]

    async def create_all(self, documents: Sequence[StoredDocument]) -> None:
        """Add documents, whose ids must be new."""
        if documents:
            await self._session.execute(sa.insert(TrustedDocument), [document._asdict() for document in documents])

    async def delete(self, document_ids: Iterable[str]) -> None:
        """Remove documents."""
        for document_id in document_ids:
            await self._session.execute(sa.delete(TrustedDocument).where(TrustedDocument.document_id == document_id))


_VERSION: Any = sa.select(sa.func.count(), sa.func.max(TrustedDocument.position))
_ALL: Any = (
    sa.select(TrustedDocument.document_id, TrustedDocument.text, TrustedDocument.max_cost, TrustedDocument.created_at)
    .order_by(TrustedDocument.position)
    .limit(MAX_DOCUMENTS)
)
