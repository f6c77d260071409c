"""The points of an introspection: exactly the values that it returns, because the schema is known.

No bound from the shape of the query would do: `types` has a hundred types, and a type from none to thirty fields.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from graphql import FieldNode, GraphQLList, GraphQLObjectType, GraphQLOutputType, GraphQLSchema, get_nullable_type
from graphql.execution.values import VariableValues, get_argument_values

from gqlapi.execution.collecting import Collector, selection_sets_of
from gqlapi.operations.price import name_points

INTROSPECTION = frozenset({"__schema", "__type"})
# The nodes of one field.
Nodes = Sequence[FieldNode]


class Split(NamedTuple):
    """What is selected below a field: the points of its leaves, and its other fields."""

    nodes: Nodes
    leaves: int
    fields: list[Nodes]


class Splits:
    """What is selected below the fields of an operation: the same for each element, and for all variables."""

    def __init__(self, collector: Collector) -> None:
        """Collect with a collector."""
        self._collector = collector
        # Each keeps its nodes, so that no others get their identity.
        self._splits: dict[int, Split] = {}

    def of(self, type_: GraphQLObjectType, nodes: Nodes) -> Split:
        """Return what is selected below the nodes of a field.

        Raises:
            GraphQLError: a directive has a wrong value, or there are too many selections.
        """
        split = self._splits.get(id(nodes))
        if split is None:
            fields = self._collector.collect(type_, selection_sets_of(nodes)).fields.values()
            composites: list[Nodes] = [field for field in fields if field[0].selection_set is not None]
            leaves = sum(1 + name_points(field[0]) for field in fields if field[0].selection_set is None)
            split = self._splits[id(nodes)] = Split(nodes, leaves, composites)
        return split


class IntrospectionCost:
    """Counts the values of `__schema` and `__type`, each selection on each element of the schema once."""

    def __init__(self, schema: GraphQLSchema, splits: Splits, variables: VariableValues, limit: int) -> None:
        """Count for one operation, up to about `limit`."""
        self._info: Any = SimpleNamespace(schema=schema)
        self._splits = splits
        self._variables = variables
        self._limit = limit
        self._counted: dict[tuple[int, int], int] = {}
        self._definitions: dict[int, tuple[Any, dict[str, Any]]] = {}
        self._steps = 0

    def of(self, parent: GraphQLObjectType, nodes: Nodes, source: Any = None) -> int:
        """Return the number of values that a field returns, itself counted.

        Raises:
            GraphQLError: a directive has a wrong value, or there are too many selections.
        """
        self._steps += 1
        node = nodes[0]
        if node.selection_set is None or self._steps > self._limit:
            return 1
        definition, arguments = self._read(parent, node)
        value = definition.resolve(source, self._info, **arguments)
        return name_points(node) + self._complete(definition.type, nodes, value)

    def _read(self, parent: GraphQLObjectType, node: FieldNode) -> tuple[Any, dict[str, Any]]:
        """Return the definition of a field and its arguments, which are the same for each element."""
        read = self._definitions.get(id(node))
        if read is None:
            definition = self._info.schema.get_field(parent, node.name.value)
            read = self._definitions[id(node)] = definition, get_argument_values(definition, node, self._variables)
        return read

    def _complete(self, type_: GraphQLOutputType, nodes: Nodes, value: Any) -> int:
        nullable = get_nullable_type(type_)
        if value is None:
            return 1
        if isinstance(nullable, GraphQLList):
            return 1 + sum(self._complete(nullable.of_type, nodes, item) for item in value)
        assert isinstance(nullable, GraphQLObjectType)  # noqa: S101 - introspection has no abstract types
        # Fields and arguments come as pairs of a name and an element, made anew at each call.
        key = (id(value[1] if isinstance(value, tuple) else value), id(nodes))
        if key not in self._counted:
            split = self._splits.of(nullable, nodes)
            self._steps += split.leaves
            self._counted[key] = 1 + split.leaves + sum(self.of(nullable, field, value) for field in split.fields)
        return self._counted[key]
