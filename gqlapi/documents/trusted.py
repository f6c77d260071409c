"""The trusted documents, as a process knows them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from graphql import GraphQLError

from gqlapi.database.unit import Database
from gqlapi.repositories.documents import DocumentRepository, StoredDocument, Version

# An id that is not known has the table looked at, at most so often: a flood of them costs no statement each.
MISS_SECONDS = 1.0
# Removed documents are refused after this time at the latest.
WATCH_SECONDS = 30.0
# A database that does not answer holds up neither the start nor the end of the server.
READ_SECONDS = 5.0

Check = Callable[[str, int | None], list[GraphQLError]]

logger = structlog.get_logger()


class Document:
    """A document to execute; the string is the same for each request, so that it is hashed once."""

    __slots__ = ("errors", "is_checked", "max_cost", "text")

    def __init__(self, text: str, max_cost: int | None = None) -> None:
        """Describe a document that is not checked yet."""
        self.text = text
        self.max_cost = max_cost
        self.is_checked = False
        # Why it can never run.
        self.errors: list[GraphQLError] = []


class TrustedDocuments:
    """All trusted documents, by their ids: read at the start, when an id is not known, and every 30 seconds.

    All are kept in memory, so that neither a known nor an unknown id has to be looked up in the database.
    """

    def __init__(self, check: Check) -> None:
        """Start without documents; `check` returns why one can never run."""
        self._check = check
        self._documents: dict[str, Document] = {}
        self._version: Version | None = None
        self._read_at: float | None = None
        self._reading = asyncio.Lock()

    def __len__(self) -> int:
        """Return the number of documents."""
        return len(self._documents)

    def get(self, document_id: str) -> Document | None:
        """Return the document with an id, as far as it is known here."""
        return self._documents.get(document_id)

    async def refresh(self, repository: Callable[[], DocumentRepository]) -> None:
        """Read what has changed, unless that was done less than a second ago.

        Raises:
            ApiError: the database timed out or is not available.
        """
        if self._is_fresh():
            return
        async with self._reading:
            if self._is_fresh():  # another request has read them
                return
            now = asyncio.get_running_loop().time()
            await self._read(repository())
            self._read_at = now

    def _is_fresh(self) -> bool:
        return self._read_at is not None and asyncio.get_running_loop().time() < self._read_at + MISS_SECONDS

    async def _read(self, repository: DocumentRepository) -> None:
        version = await repository.get_version()
        if version == self._version:
            return
        stored = await repository.list_all()
        self._documents = {document.document_id: self._known(document) for document in stored}
        self._version = version

    def _known(self, stored: StoredDocument) -> Document:
        known = self._documents.get(stored.document_id)
        if known is not None and (known.text, known.max_cost) == (stored.text, stored.max_cost):
            return known
        return Document(stored.text, stored.max_cost)

    @asynccontextmanager
    async def watching(self, database: Database) -> AsyncIterator[None]:
        """Read the documents, and then check and watch them in the background."""
        await self._try_refresh(database)
        watcher = asyncio.create_task(self._watch(database))
        try:
            yield
        finally:
            watcher.cancel()
            await asyncio.wait([watcher])

    async def _watch(self, database: Database) -> None:
        while True:
            await self._check_new()
            await asyncio.sleep(WATCH_SECONDS)
            await self._try_refresh(database)

    async def _try_refresh(self, database: Database) -> None:
        unit = database.read()
        try:
            async with asyncio.timeout(READ_SECONDS):
                await self.refresh(lambda: DocumentRepository(unit))
        except Exception as error:  # noqa: BLE001 - the server serves; what is missing is read when it is asked for
            logger.warning("trusted documents not read", reason=str(error) or type(error).__name__)
        finally:
            await unit.close()

    async def _check_new(self) -> None:
        """Check documents that were not checked yet; requests are served between two of them."""
        for document_id, document in [*self._documents.items()]:
            if document.is_checked:
                continue
            document.errors = self._check(document.text, document.max_cost)
            document.is_checked = True
            if document.errors:
                logger.warning("trusted document refused", id=document_id, reason=document.errors[0].message)
            await asyncio.sleep(0)
