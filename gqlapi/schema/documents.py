"""Reading of documents: parsed and validated once, whatever the number of requests that send them."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from graphql import DocumentNode, GraphQLError, GraphQLSchema, parse, validate
from graphql.validation.rules import overlapping_fields_can_be_merged as overlap
from strawberry.extensions import SchemaExtension

# A client sends a handful of documents, an attacker fills the cache with these at most: 8 MB of text.
CACHE_SIZE = 512
MAX_CACHED_LENGTH = 16_384
# A developer reads the first few; finding a hundred, each with suggestions, took 2 seconds for a hostile document.
MAX_VALIDATION_ERRORS = 10
# graphql-core compares all fields of one response name with each other: 500,000 by default, which took 0.9 seconds.
overlap.MAX_COMPLEXITY_BUDGET = 20_000


class Documents(SchemaExtension):
    """Reads the document of an operation, with bounded effort."""

    def __init__(self, schema: GraphQLSchema, max_tokens: int) -> None:
        """Read for a schema."""
        super().__init__()
        self._schema = schema
        self._max_tokens = max_tokens
        self._errors: list[GraphQLError] = []

    def on_parse(self) -> Iterator[None]:
        """Parse and validate, or take over what is known of the document."""
        query = self.execution_context.query or ""
        read = _read_cached if len(query) <= MAX_CACHED_LENGTH else _read
        self.execution_context.graphql_document, self._errors = read(self._schema, query, self._max_tokens)
        yield

    def on_validate(self) -> Iterator[None]:
        """Hand over what validation found."""
        self.execution_context.pre_execution_errors = [*self._errors]
        yield


def _read(schema: GraphQLSchema, query: str, max_tokens: int) -> tuple[DocumentNode, list[GraphQLError]]:
    document = parse(query, max_tokens=max_tokens)
    return document, validate(schema, document, max_errors=MAX_VALIDATION_ERRORS)


_read_cached: Any = lru_cache(maxsize=CACHE_SIZE)(_read)
