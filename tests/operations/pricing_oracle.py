"""What an operation costs, found the slow way: by graphql-core's own collection of fields, type by type.

`Random` rules represent those of a real schema; `largest_answer` builds the largest answer that they allow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    get_argument_values,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_list_type,
)
from graphql.execution.collect_fields import FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues

from gqlapi.execution.collecting import is_included
from gqlapi.execution.compiler import fragments_of
from gqlapi.execution.declarations import EXTENSION, FieldRules, Prepared, rules_of
from tests.execution.choices import Choices

Details = Sequence[Any]


def attach_random_rules(choices: Choices, schema: GraphQLSchema) -> None:
    """Give fields random prices, which follow from their arguments and from what is selected below them."""
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for field in type_.fields.values():
                field.extensions[EXTENSION] = _random_rules(choices, field)


def _random_rules(choices: Choices, field: GraphQLField) -> FieldRules:
    extra, size = choices.number(0, 5), choices.number(1, 2)

    def surcharge(prepared: Prepared) -> int:
        return extra * (prepared.value or 1) + len(prepared.selection)

    def rows(prepared: Prepared) -> int:
        return size + (prepared.value or 0) % 2

    # An object without rows is no page: the lists below it would have no length.
    has_rows = is_list_type(get_nullable_type(field.type)) or choices.flag()
    return FieldRules(surcharge=surcharge if choices.flag() else None, rows=rows if has_rows else None)


def value_of(arguments: Mapping[str, Any]) -> int:
    """Return what the arguments of a field become."""
    return len(repr(sorted(arguments.items())))


@dataclass
class Oracle:
    """One operation of a document, with the values of its variables."""

    schema: GraphQLSchema
    document: DocumentNode
    operation: OperationDefinitionNode
    variables: VariableValues

    def __post_init__(self) -> None:
        definitions = fragments_of(self.document)
        self._fragments = {name: FragmentDetails(definition) for name, definition in definitions.items()}

    def costs(self) -> dict[str, int]:
        """Return the points of each root field."""
        return {name: self._field(self._root, details)[0] for name, details in self._root_fields().items()}

    def largest_answer(self, choices: Choices) -> int:
        """Return the number of values of an answer in which all lists are full, and objects are of any type."""
        return sum(self._count(self._root, details, 1, choices) for details in self._root_fields().values())

    @property
    def _root(self) -> GraphQLObjectType:
        root = self.schema.get_root_type(self.operation.operation)
        assert root is not None
        return root

    def _root_fields(self) -> Mapping[str, Details]:
        return collect_fields(
            self.schema, self._fragments, self.variables, self._root, self.operation
        ).grouped_field_set

    def _below(self, type_: GraphQLObjectType, details: Details) -> Mapping[str, Details]:
        return collect_subfields(
            self.schema, self._fragments, self.variables, self.operation, type_, list(details)
        ).grouped_field_set

    def _field(self, parent: GraphQLObjectType, details: Details) -> tuple[int, int]:
        """Return the points of a field, for its parent and for each row of the list that it is selected on."""
        definition, prepared = self._read(parent, details)
        rules = rules_of(definition)
        extra = 0 if rules.surcharge is None else rules.surcharge(prepared)
        rows = None if rules.rows is None else rules.rows(prepared)
        if details[0].node.selection_set is None:
            return 1 + extra, 0
        options = [self._object(type_, details) for type_ in self._types(definition)] or [(0, 0)]
        cost, row_cost = (max(costs) for costs in zip(*options, strict=True))
        if not is_list_type(get_nullable_type(definition.type)):
            return 1 + cost + (rows or 1) * row_cost + extra, 0
        if rows is None:
            return extra, 1 + cost + row_cost
        return rows * (1 + cost + row_cost) + extra, 0

    def _object(self, type_: GraphQLObjectType, details: Details) -> tuple[int, int]:
        points = [self._field(type_, below) for below in self._below(type_, details).values()]
        return sum(cost for cost, _ in points), sum(row_cost for _, row_cost in points)

    def _count(self, parent: GraphQLObjectType, details: Details, page_rows: int, choices: Choices) -> int:
        definition, prepared = self._read(parent, details)
        if details[0].node.selection_set is None:
            return 1
        rules = rules_of(definition)
        rows = None if rules.rows is None else rules.rows(prepared)
        if is_list_type(get_nullable_type(definition.type)):
            length, inner_rows = page_rows if rows is None else rows, 1
        else:
            length, inner_rows = 1, rows or 1
        possible = self._types(definition)
        if not possible:
            return 1
        types = [choices.of(possible) for _ in range(length)]
        return sum(1 + self._count_below(type_, details, inner_rows, choices) for type_ in types)

    def _count_below(self, type_: GraphQLObjectType, details: Details, rows: int, choices: Choices) -> int:
        return sum(self._count(type_, below, rows, choices) for below in self._below(type_, details).values())

    def _types(self, definition: GraphQLField) -> Sequence[GraphQLObjectType]:
        named: Any = get_named_type(definition.type)
        return self.schema.get_possible_types(named) if is_abstract_type(named) else [named]

    def _read(self, parent: GraphQLObjectType, details: Details) -> tuple[GraphQLField, Prepared]:
        nodes: list[FieldNode] = [detail.node for detail in details]
        definition = self.schema.get_field(parent, nodes[0].name.value)
        assert definition is not None
        arguments = get_argument_values(definition, nodes[0], self.variables)
        return definition, Prepared(value_of(arguments) if definition.args else None, self._names(nodes))

    def _names(self, nodes: Sequence[FieldNode]) -> frozenset[str]:
        """Return the names of the fields below a field, on any type."""
        names: set[str] = set()

        def walk(selection_set: SelectionSetNode | None) -> None:
            for node in () if selection_set is None else selection_set.selections:
                if not is_included(node, self.variables):
                    continue
                if isinstance(node, FieldNode):
                    names.add(node.name.value)
                else:
                    walk(_selection_set_of(node, self._fragments))

        for node in nodes:
            walk(node.selection_set)
        return frozenset(names)


def _selection_set_of(node: Any, fragments: Mapping[str, FragmentDetails]) -> SelectionSetNode:
    own: SelectionSetNode | None = getattr(node, "selection_set", None)
    return own or fragments[node.name.value].definition.selection_set
