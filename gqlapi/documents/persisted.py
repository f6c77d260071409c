"""Which document a request runs."""

from collections.abc import Callable

from graphql import GraphQLError

from gqlapi.documents.automatic import DocumentStore
from gqlapi.documents.ids import sha256_id
from gqlapi.documents.trusted import Document, TrustedDocuments
from gqlapi.errors import ApiError, BadRequest, PersistedQueryNotFound, PersistedQueryNotSupported
from gqlapi.operations import Refused
from gqlapi.repositories.documents import DocumentRepository
from gqlapi.settings import DocumentsMode

NEEDS_ID = "This server runs only documents that it knows. Send the `documentId` of one."
MISMATCH = "The id is not that of `query`."

Repository = Callable[[], DocumentRepository]


class PersistedDocuments:
    """Finds the documents of requests, and refuses those that the mode does not admit, before anything is parsed."""

    def __init__(self, mode: DocumentsMode, trusted: TrustedDocuments, registered: DocumentStore | None) -> None:
        """Find trusted documents, and registered ones if there is a store for them and the mode admits them."""
        self.requires_ids = mode != "any"
        self._admits_texts = mode != "trusted"
        self.trusted = trusted
        self._registered = registered if self._admits_texts else None

    async def find(
        self, document_id: str | None, text: str, repository: Repository, *, is_automatic: bool = False
    ) -> Document:
        """Return the document of a request with a normalized id, and a text or "".

        `is_automatic`: the client speaks Apollo's protocol, and can do without registered documents.

        Raises:
            Refused: it is not known or not admitted, or could never run.
            BadRequest: the id is not that of the text.
        """
        try:
            document = await self._find(document_id, text, repository, is_automatic=is_automatic)
        except BadRequest:
            raise
        except ApiError as error:
            raise Refused([GraphQLError(error.message, original_error=error)]) from None
        if document.errors:
            raise Refused(document.errors)
        return document

    async def register(self, document_id: str, document: Document) -> None:
        """Keep a document that passed validation and the limits, unless it is a trusted one."""
        if self._registered is not None and self.trusted.get(document_id) is None:
            await self._registered.put(document_id, document.text)

    async def _find(
        self, document_id: str | None, text: str, repository: Repository, *, is_automatic: bool
    ) -> Document:
        if document_id is None:
            raise PersistedQueryNotFound(NEEDS_ID)
        document = self.trusted.get(document_id)
        if document is None and text and self._admits_texts:
            if document_id != sha256_id(text):
                raise BadRequest(MISMATCH)
            return Document(text)
        if document is None:
            document = await self._look_up(document_id, repository, is_automatic=is_automatic)
        if text and text != document.text:
            raise BadRequest(MISMATCH)
        return document

    async def _look_up(self, document_id: str, repository: Repository, *, is_automatic: bool) -> Document:
        if self._registered is not None and (text := await self._registered.get(document_id)) is not None:
            return Document(text)
        await self.trusted.refresh(repository)
        document = self.trusted.get(document_id)
        if document is not None:
            return document
        if is_automatic and self._admits_texts and self._registered is None:
            raise PersistedQueryNotSupported
        raise PersistedQueryNotFound
