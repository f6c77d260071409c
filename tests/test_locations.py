"""Lines and columns of errors are those of graphql-core, which walks over all lines for each of them."""

from graphql import GraphQLError, Source, parse
from hypothesis import given
from hypothesis import strategies as st

from gqlapi.operations.documents import LocatingSource, read_document

TEXTS = st.text("a\n\r ", max_size=12)


class TestLocation:
    @given(TEXTS, st.integers(0, 12))
    def test_is_that_of_graphql_core(self, text: str, position: int) -> None:
        if text[max(0, position - 1) : position + 1] == "\r\n":  # no token begins inside a line terminator
            return
        assert LocatingSource(text).get_location(position) == Source(text).get_location(position)

    def test_of_several_nodes_is_that_of_graphql_core(self) -> None:
        text = "{\r\n  a\n  b\r  a\n}"
        found = []
        for document in (parse(text), read_document(text, max_length=100, max_tokens=100)):
            error = GraphQLError("", [*document.definitions[0].selection_set.selections])  # type: ignore[attr-defined] # the operation
            found.append(error.locations)
        assert found[0] == found[1] == [(2, 3), (3, 3), (4, 3)]
