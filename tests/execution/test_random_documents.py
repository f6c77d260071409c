"""The documents that the executors are compared on are valid, and hold what is to be compared."""

from graphql import GraphQLSchema, assert_valid_schema, parse, validate
from hypothesis import given

from tests.examples import large_examples
from tests.execution.choices import Choices, chosen
from tests.execution.random_documents import Request, make_request
from tests.execution.random_schemas import make_schema


def make_pair(choices: Choices) -> tuple[GraphQLSchema, Request]:
    schema = make_schema(choices)
    return schema, make_request(choices, schema)


@large_examples(40)
@given(pair=chosen(make_pair))
def test_documents_are_valid(pair: tuple[GraphQLSchema, Request]) -> None:
    schema, request = pair
    assert_valid_schema(schema)
    assert validate(schema, parse(request.document)) == []
