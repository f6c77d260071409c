"""The price of an operation is that of its merged fields, and of the dearest types that its objects may be of."""

from collections.abc import Mapping

import pytest
from graphql import (
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    get_operation_ast,
    parse,
)
from graphql.execution.values import VariableValues, get_variable_values
from hypothesis import given, note, reject

from gqlapi.execution.compiler import NO_VARIABLES, fragments_of
from gqlapi.operations.limits import Limits
from gqlapi.operations.measure import Call, Measure, Outcome
from gqlapi.operations.pricing import MAX_STEPS, Pricing
from tests.examples import large_examples
from tests.execution.choices import Choices, chosen
from tests.execution.random_documents import Request, make_request
from tests.execution.random_schemas import make_schema
from tests.operations.pricing_oracle import Oracle, attach_random_rules, value_of

Case = tuple[GraphQLSchema, Request, Choices]
# Larger ones take the oracle too long.
MAX_COUNTED = 20_000


def price_of(
    schema: GraphQLSchema,
    fragments: Mapping[str, FragmentDefinitionNode],
    definition: OperationDefinitionNode,
    variables: VariableValues,
) -> dict[str, int]:
    """Return the points of the root fields of an operation, all of whose arguments are right."""

    def prepare(call: Call) -> Outcome:
        arguments = call.read(variables)
        return Outcome(arguments, value_of(arguments))

    root_type = schema.get_root_type(definition.operation)
    assert root_type is not None
    measured = Measure(schema, fragments, variables, prepare, max_root_fields=100).measure(
        root_type, definition.selection_set
    )
    price = Pricing(schema, fragments, variables, measured, max_cost=Limits().max_cost).price(
        root_type, definition.selection_set
    )
    return price.of([prepare(call).value for call in measured.calls], variables)


def make_case(choices: Choices) -> Case:
    schema = make_schema(choices)
    attach_random_rules(choices, schema)
    return schema, make_request(choices, schema), choices


@large_examples(150)
@given(case=chosen(make_case))
def test_is_that_of_the_merged_fields_and_never_below_an_answer(case: Case) -> None:
    schema, request, choices = case
    note(request.document)
    document = parse(request.document)
    definition = get_operation_ast(document, request.operation_name)
    if definition is None or "__schema" in request.document or "__type(" in request.document:
        reject()
    variables = get_variable_values(schema, definition.variable_definitions or (), dict(request.variables))
    if not isinstance(variables, VariableValues):
        reject()
    oracle = Oracle(schema, document, definition, variables)
    try:
        expected = oracle.costs()
        priced = price_of(schema, fragments_of(document), definition, variables)
    except GraphQLError:  # an argument, or a directive, has a wrong value
        reject()
    assert priced == expected
    if sum(expected.values()) <= MAX_COUNTED:
        assert oracle.largest_answer(choices) <= sum(expected.values())


SCHEMA = build_schema("""
interface Node { id: ID! node: Node }
type A implements Node { id: ID! node: Node a: Int other: B items: [A] }
type B implements Node { id: ID! node: Node b: Int other: A }
union Either = A | B
type Query { node: Node either: Either a: A list(first: Int): [Either] }
""")


def points(document: str) -> int:
    """Return the points of a document without variables."""
    node = parse(document)
    definition = get_operation_ast(node)
    assert definition is not None
    return sum(price_of(SCHEMA, fragments_of(node), definition, NO_VARIABLES).values())


class TestPrice:
    @pytest.mark.parametrize(
        ("document", "cost"),
        [
            ("{ a { id id id } }", 2),
            ("{ a { id } a { a } a { id a } }", 3),
            ("{ a { id } b: a { id } }", 4),
            ("{ a { other { b } ...F } } fragment F on A { other { b id } }", 4),
            ("{ ...F ... { ...F } } fragment F on Query { a { id } }", 2),
            ("{ either { ... on A { id a } ... on B { b } } }", 3),
            ("{ either { __typename ... on A { a } ... on B { id b } } }", 4),
            ("{ node { id ... on A { id other { id } } ... on B { b } } }", 4),
            ("{ node { ... on Node { id } ... on A { node { id } } ... on B { node { ... on B { b } } } } }", 4),
            ("{ node { ... on A { a } } }", 2),
            ("{ node { id @skip(if: true) ... on A @include(if: false) { a } } }", 1),
            ("{ a { items { id @skip(if: true) } } }", 2),
        ],
    )
    def test_counts_what_is_executed(self, document: str, cost: int) -> None:
        assert points(document) == cost


class TestWork:
    def test_is_bounded_where_types_in_types_multiply_it(self) -> None:
        """Fields that are on two types at each level merge in another way for each path of types."""
        depth, texts = 14, []
        for n in range(depth):
            any_type, one_type = f"node {{ ...F{n + 1} }}", f"node {{ ...G{n + 1} }}"
            texts.append(f"fragment F{n} on Node {{ ... on A {{ {any_type} {one_type} }} ... on B {{ {any_type} }} }}")
            texts.append(f"fragment G{n} on Node {{ ... on A {{ {one_type} }} ... on B {{ node {{ id }} }} }}")
        texts += [f"fragment {name}{depth} on Node {{ id }}" for name in "FG"]
        with pytest.raises(GraphQLError, match=f"over {MAX_STEPS} selections"):
            points(f"{{ node {{ ...F0 }} }} {' '.join(texts)}")
