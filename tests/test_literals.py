"""Plain arguments are what graphql-core reads in them, for any values of variables."""

from typing import Any

import pytest
from graphql import GraphQLError, GraphQLField, GraphQLSchema, OperationDefinitionNode, build_schema, parse
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values
from hypothesis import given
from hypothesis import strategies as st

from gqlapi.operations.literals import NotPlain, PlainArguments, argument_reader

SCHEMA: GraphQLSchema = build_schema(
    """
    type Query { field(text: String = "t", number: Int, required: ID!, in: In, list: [Int!], one: One): Int }
    input In { a: Int, b: String = "b", c: In, d: [ID] }
    input One @oneOf { x: Int, y: ID }
    """
)
TYPES = {"i": "Int", "s": "String", "id": "ID!", "in": "In", "list": "[Int!]", "y": "ID!"}
PLAIN = [
    "required: $id",
    'required: "r", text: $s',
    "required: $id, number: 3",
    "required: $id, one: {y: $y}",
    "required: $id, one: {x: 1}, text: null",
    "required: $id, in: $in, list: $list",
    "required: $id, number: $i, list: [1, 2]",
    'required: "r", list: 7, text: $s',
]
OTHERS = ["required: $id, in: {a: $i}", "required: $id, list: [1, $i]", "required: $id, in: {b: $s, c: {a: $i}}"]
VALUES = {
    "i": st.none() | st.integers(-5, 5),
    "s": st.none() | st.text(max_size=3),
    "id": st.text(max_size=3),
    "in": st.none() | st.fixed_dictionaries({}, optional={"a": st.integers(0, 3), "d": st.lists(st.text(max_size=2))}),
    "list": st.none() | st.lists(st.integers(0, 3), max_size=3),
    "y": st.text(max_size=2),
}


def field_of(arguments: str) -> tuple[GraphQLField, Any, OperationDefinitionNode]:
    names = [
        name for name in TYPES if f"${name}" in arguments.replace(",", " ").replace("}", " ").replace("]", " ").split()
    ]
    variables = ", ".join(f"${name}: {TYPES[name]}" for name in names)
    (operation,) = parse(f"query{f'({variables})' if names else ''} {{ field({arguments}) }}").definitions
    assert isinstance(operation, OperationDefinitionNode)
    query = SCHEMA.query_type
    assert query is not None
    return query.fields["field"], operation.selection_set.selections[0], operation


def outcome(read: Any) -> Any:
    try:
        return read()
    except GraphQLError as error:
        return error.message


@pytest.mark.parametrize("arguments", [*PLAIN, *OTHERS])
@given(data=st.data())
def test_are_those_of_graphql_core(arguments: str, data: st.DataObject) -> None:
    definition, node, operation = field_of(arguments)
    names = [one.variable.name.value for one in operation.variable_definitions or ()]
    left_out = data.draw(st.sets(st.sampled_from([name for name in names if name not in {"id", "y"}] or [""])))
    given_ = {name: data.draw(VALUES[name], name) for name in names if name not in left_out}
    variables = get_variable_values(SCHEMA, operation.variable_definitions or (), given_)
    assert isinstance(variables, VariableValues)
    expected = outcome(lambda: get_argument_values(definition, node, variables))
    assert outcome(lambda: argument_reader(definition, node)(variables)) == expected


@pytest.mark.parametrize("arguments", PLAIN)
def test_of_common_forms_are_taken_apart(arguments: str) -> None:
    definition, node, _ = field_of(arguments)
    PlainArguments(definition, node)


@pytest.mark.parametrize("arguments", OTHERS)
def test_of_other_forms_are_left_to_graphql_core(arguments: str) -> None:
    definition, node, _ = field_of(arguments)
    with pytest.raises(NotPlain):
        PlainArguments(definition, node)
