"""Reading of documents, with bounded effort."""

from graphql import DocumentNode, GraphQLError, GraphQLSchema, parse, validate
from graphql.validation.rules import overlapping_fields_can_be_merged as overlap

from gqlapi.errors import LimitExceeded

# A developer reads the first few; finding a hundred, each with suggestions, took 2 seconds for a hostile document.
MAX_VALIDATION_ERRORS = 10
# graphql-core compares all fields of one response name with each other: 500,000 by default, which took 0.9 seconds.
overlap.MAX_COMPLEXITY_BUDGET = 5_000


def read_document(text: str, *, max_length: int, max_tokens: int) -> DocumentNode:
    """Parse a document.

    Raises:
        GraphQLError: it is too long, or no document.
    """
    if len(text) > max_length:
        error = LimitExceeded(f"The document has over {max_length} characters.", limit=max_length, actual=len(text))
        raise GraphQLError(error.message, original_error=error)
    return _parse(text, max_tokens)


def validation_errors(schema: GraphQLSchema, document: DocumentNode) -> list[GraphQLError]:
    """Return the first errors of a document."""
    return validate(schema, document, max_errors=MAX_VALIDATION_ERRORS)


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
