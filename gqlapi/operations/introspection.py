"""The points of an introspection: exactly the values that it returns, because the schema is known.

No bound from the shape of the query would do: `types` has a hundred types, and a type from none to thirty fields.
"""

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from graphql import (
    FieldNode,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    SelectionSetNode,
    get_nullable_type,
)
from graphql.execution.values import VariableValues, get_argument_values

from gqlapi.operations.size import name_points

Fields = Callable[[SelectionSetNode], Iterable[FieldNode]]


class IntrospectionCost:
    """Counts the values of `__schema` and `__type`, each selection on each element of the schema once."""

    def __init__(self, schema: GraphQLSchema, fields: Fields, variables: VariableValues, limit: int) -> None:
        """Count for one operation, up to about `limit`; `fields` returns the fields of a selection set."""
        self._info: Any = SimpleNamespace(schema=schema)
        self._fields = fields
        self._variables = variables
        self._limit = limit
        self._counted: dict[tuple[int, int], int] = {}
        self._definitions: dict[int, tuple[Any, dict[str, Any]]] = {}
        self._splits: dict[int, tuple[int, list[FieldNode]]] = {}
        self._steps = 0

    def of(self, parent: GraphQLObjectType, node: FieldNode, source: Any = None) -> int:
        """Return the number of values that a field returns, itself counted."""
        self._steps += 1
        if node.selection_set is None or self._steps > self._limit:
            return 1
        definition, arguments = self._read(parent, node)
        value = definition.resolve(source, self._info, **arguments)
        return name_points(node) + self._complete(definition.type, node.selection_set, value)

    def _read(self, parent: GraphQLObjectType, node: FieldNode) -> tuple[Any, dict[str, Any]]:
        """Return the definition of a field and its arguments, which are the same for each element."""
        read = self._definitions.get(id(node))
        if read is None:
            definition = self._info.schema.get_field(parent, node.name.value)
            read = self._definitions[id(node)] = definition, get_argument_values(definition, node, self._variables)
        return read

    def _complete(self, type_: GraphQLOutputType, selection_set: SelectionSetNode, value: Any) -> int:
        nullable = get_nullable_type(type_)
        if value is None:
            return 1
        if isinstance(nullable, GraphQLList):
            return 1 + sum(self._complete(nullable.of_type, selection_set, item) for item in value)
        assert isinstance(nullable, GraphQLObjectType)  # noqa: S101 - introspection has no abstract types
        # Fields and arguments come as pairs of a name and an element, made anew at each call.
        key = (id(value[1] if isinstance(value, tuple) else value), id(selection_set))
        if key not in self._counted:
            leaves, nodes = self._split(selection_set)
            self._steps += leaves
            self._counted[key] = 1 + leaves + sum(self.of(nullable, node, value) for node in nodes)
        return self._counted[key]

    def _split(self, selection_set: SelectionSetNode) -> tuple[int, list[FieldNode]]:
        """Return the points of the leaves of a selection set, and its other fields: the same for each element."""
        split = self._splits.get(id(selection_set))
        if split is None:
            fields = [*self._fields(selection_set)]
            nodes = [field for field in fields if field.selection_set is not None]
            leaves = sum(1 + name_points(field) for field in fields if field.selection_set is None)
            split = self._splits[id(selection_set)] = leaves, nodes
        return split
