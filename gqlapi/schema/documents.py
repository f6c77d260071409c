"""Reading of documents: parsed and validated once for all requests that send them."""

from collections.abc import Iterator

from graphql import DocumentNode, GraphQLSchema, parse, validate
from graphql.validation.rules import overlapping_fields_can_be_merged as overlap
from strawberry.extensions import SchemaExtension

from gqlapi.cache import BudgetedCache
from gqlapi.errors import LimitExceeded

# The memory of a parsed document: measured 1.2 MB for 2,000 tokens.
BYTES_PER_TOKEN = 600
CACHE_BYTES = 6 * 1_048_576
# A developer reads the first few; finding a hundred, each with suggestions, took 2 seconds for a hostile document.
MAX_VALIDATION_ERRORS = 10
# graphql-core compares all fields of one response name with each other: 500,000 by default, which took 0.9 seconds.
overlap.MAX_COMPLEXITY_BUDGET = 5_000


class DocumentCache:
    """Parsed documents by their text, within a budget of bytes.

    It admits only documents that passed validation and the limits once: the others cost their sender time, and the
    server no memory.
    """

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        """Create an empty cache."""
        self.documents: BudgetedCache[str, DocumentNode] = BudgetedCache(max_bytes)

    def get(self, text: str) -> DocumentNode | None:
        """Return the document with this text, if it was admitted."""
        return self.documents.get(text)

    def admit(self, text: str, document: DocumentNode) -> None:
        """Keep a document."""
        if self.documents.get(text) is None:
            self.documents.put(text, document, len(text) + BYTES_PER_TOKEN * document.token_count)


class Documents(SchemaExtension):
    """Reads the document of an operation, with bounded effort."""

    def __init__(self, schema: GraphQLSchema, cache: DocumentCache, *, max_length: int, max_tokens: int) -> None:
        """Read for a schema."""
        super().__init__()
        self._schema = schema
        self._cache = cache
        self._max_length = max_length
        self._max_tokens = max_tokens
        self._is_known = False

    def on_parse(self) -> Iterator[None]:
        """Parse, or take the document from the cache."""
        query = self.execution_context.query or ""
        if len(query) > self._max_length:
            message = f"The document has over {self._max_length} characters."
            raise LimitExceeded(message, limit=self._max_length, actual=len(query))
        document = self._cache.get(query)
        self._is_known = document is not None
        self.execution_context.graphql_document = document or _parse(query, self._max_tokens)
        yield

    def on_validate(self) -> Iterator[None]:
        """Validate a document that is new."""
        document = self.execution_context.graphql_document
        assert document is not None  # noqa: S101 - parsing came before
        errors = [] if self._is_known else validate(self._schema, document, max_errors=MAX_VALIDATION_ERRORS)
        self.execution_context.pre_execution_errors = errors
        yield


def _parse(text: str, max_tokens: int) -> DocumentNode:
    """Parse a document, and cut its tokens apart.

    They are a list linked both ways, which only the garbage collector would free; nothing reads the links afterwards.
    """
    document = parse(text, max_tokens=max_tokens)
    token = document.loc.start_token if document.loc else None
    while token is not None:
        following, token.prev, token.next = token.next, None, None
        token = following
    return document
