"""Reading of documents, with bounded effort."""

from collections.abc import Sequence

from graphql import DocumentNode, GraphQLError, GraphQLSchema, Source, SourceLocation, parse, validate
from graphql.language import location
from graphql.validation.rules import overlapping_fields_can_be_merged as overlap

from gqlapi.errors import LimitExceeded

# A developer reads the first few; finding a hundred, each with suggestions, took 2 seconds for a hostile document.
MAX_VALIDATION_ERRORS = 10
# graphql-core compares all fields of one response name with each other: 500,000 by default, which took 0.9 seconds.
overlap.MAX_COMPLEXITY_BUDGET = 5_000


class LocatingSource(Source):
    """A text in which each position is searched for once, at the speed of C.

    A list may have an error at each of its indexes: 1,900 errors in a document of 60 KB took 1.5 seconds.
    """

    def __init__(self, body: str) -> None:
        """Know no location yet."""
        super().__init__(body)
        self._locations: dict[int, SourceLocation] = {}

    def get_location(self, position: int) -> SourceLocation:
        """Return line and column of a position: https://spec.graphql.org/September2025/#sec-Line-Terminators."""
        if position not in self._locations:
            before = self.body[:position]
            line = 1 + before.count("\n") + before.count("\r") - before.count("\r\n")
            column = position - max(before.rfind("\n"), before.rfind("\r"))
            self._locations[position] = SourceLocation(line, column)
        return self._locations[position]


def _get_locations(locations: Sequence[tuple[Source, int]]) -> list[SourceLocation]:
    return [source.get_location(position) for source, position in locations]


# graphql-core's own walks over all lines for each error of several nodes.
location.get_locations = _get_locations


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
    document = parse(LocatingSource(text), max_tokens=max_tokens)
    token = document.loc.start_token if document.loc else None
    while token is not None:
        following, token.prev, token.next = token.next, None, None
        token = following
    return document
