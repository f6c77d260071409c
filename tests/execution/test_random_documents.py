"""The documents that the executors are compared on are valid, and hold what is to be compared."""

from graphql import GraphQLSchema, assert_valid_schema, parse, validate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.execution.random_documents import Request, requests
from tests.execution.random_schemas import schemas

QUIET = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@st.composite
def pairs(draw: st.DrawFn) -> tuple[GraphQLSchema, Request]:
    schema = draw(schemas())
    return schema, draw(requests(schema))


@QUIET
@given(pair=pairs())
def test_documents_are_valid(pair: tuple[GraphQLSchema, Request]) -> None:
    schema, request = pair
    assert_valid_schema(schema)
    assert validate(schema, parse(request.document)) == []
