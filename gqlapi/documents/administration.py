"""Adding and removing trusted documents; servers see it within seconds."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.types import utc_now
from gqlapi.documents.manifests import shown
from gqlapi.repositories.documents import MAX_DOCUMENTS, DocumentWriteRepository, StoredDocument


class Outcome(StrEnum):
    """The result for one document."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class NotChanged(Exception):
    """The documents were left as they are; each of `problems` is one line."""

    def __init__(self, *problems: str) -> None:
        """Keep the problems."""
        super().__init__(*problems)
        self.problems = problems


async def add_documents(
    session: AsyncSession, documents: Mapping[str, str], max_cost: int | None
) -> dict[str, Outcome]:
    """Add documents that have no problems, by their ids; a `max_cost` is set on those that are there as well.

    Raises:
        NotChanged: an id has another text already, or there would be too many documents.
    """
    repository = DocumentWriteRepository(session)
    await repository.lock()
    stored = {document.document_id: document for document in await repository.list_all()}
    if taken := [name for name, text in documents.items() if name in stored and stored[name].text != text]:
        raise NotChanged(*(f"{name} has another text already. Remove it first." for name in taken))
    if len(stored.keys() | documents.keys()) > MAX_DOCUMENTS:
        raise NotChanged(f"There would be over {MAX_DOCUMENTS} documents. Remove old ones first.")
    outcomes = {name: _outcome(stored.get(name), max_cost) for name in documents}
    changed = [name for name, outcome in outcomes.items() if outcome is Outcome.CHANGED]
    await repository.delete(changed)
    now = utc_now()
    await repository.create_all(
        [
            StoredDocument(name, documents[name], max_cost, stored[name].created_at if name in stored else now)
            for name, outcome in outcomes.items()
            if outcome is not Outcome.UNCHANGED
        ]
    )
    return outcomes


async def remove_documents(session: AsyncSession, document_ids: Iterable[str]) -> None:
    """Remove documents.

    Raises:
        NotChanged: one of them is not there.
    """
    repository = DocumentWriteRepository(session)
    await repository.lock()
    known = {document.document_id for document in await repository.list_all()}
    wanted = set(document_ids)
    if unknown := sorted(wanted - known):
        raise NotChanged(*(f"There is no document {shown(name)}." for name in unknown))
    await repository.delete(sorted(wanted))


def _outcome(stored: StoredDocument | None, max_cost: int | None) -> Outcome:
    if stored is None:
        return Outcome.ADDED
    return Outcome.UNCHANGED if max_cost in {None, stored.max_cost} else Outcome.CHANGED
