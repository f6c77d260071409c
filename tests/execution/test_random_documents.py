"""The documents that the executors are compared on are valid, and hold what is to be compared."""

from graphql import GraphQLSchema, assert_valid_schema, parse, validate
from hypothesis import given
from hypothesis import strategies as st

from tests.execution.examples import examples
from tests.execution.random_documents import Request, requests
from tests.execution.random_schemas import schemas


@st.composite
def pairs(draw: st.DrawFn) -> tuple[GraphQLSchema, Request]:
    schema = draw(schemas())
    return schema, draw(requests(schema))


@examples(100)
@given(pair=pairs())
def test_documents_are_valid(pair: tuple[GraphQLSchema, Request]) -> None:
    schema, request = pair
    assert_valid_schema(schema)
    assert validate(schema, parse(request.document)) == []
