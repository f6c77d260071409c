"""The parts of the schema that an operation uses: https://spec.graphql.org/September2025/#sec-Schema-Coordinates."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    EnumValueNode,
    FieldNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLSchema,
    ObjectFieldNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    separate_operations,
    visit,
)

from gqlapi.execution.plan import Operation
from gqlapi.operations.variables import Typed, inner_values, variable_types


def coordinates_of(operation: Operation) -> frozenset[str]:
    """Return the root type, fields, arguments, input fields and values of enums in the text of an operation.

    Introspection is left out; what @skip leaves out is not.
    """
    document = DocumentNode(definitions=(operation.definition, *operation.fragments.values()))
    name = operation.definition.name
    [used] = [separate_operations(document)[name.value if name else ""]]
    info = TypeInfo(operation.schema)
    collector = _Collector(info)
    visit(used, TypeInfoVisitor(info, collector))
    return frozenset({operation.root.type.name, *collector.found})


def coordinates_of_variables(operation: Operation, variables: Mapping[str, Any]) -> set[str]:
    """Return the input fields and the values of enums in the values of variables, which have been counted."""
    types = variable_types(operation.schema, operation.definition.variable_definitions or ())
    level: list[Typed] = [(value, types.get(name)) for name, value in variables.items()]
    found: set[str] = set()
    while level:
        following: list[Typed] = []
        for value, type_ in level:
            named = None if type_ is None else get_named_type(type_)
            if isinstance(value, dict) and isinstance(named, GraphQLInputObjectType):
                found.update(f"{named}.{name}" for name in value)
            elif isinstance(value, str) and isinstance(named, GraphQLEnumType):
                found.add(f"{named}.{value}")
            if isinstance(value, dict | list) and named is not None:
                following += inner_values(value, type_)
        level = following
    return found


def coordinates_of_schema(schema: GraphQLSchema) -> dict[str, str | None]:
    """Return the coordinates of all that clients can use, with the reason for which each is deprecated, if it is."""
    found: dict[str, str | None] = {}
    for name, type_ in schema.type_map.items():
        if name.startswith("__"):
            continue
        members: Mapping[str, Any] = getattr(type_, "fields", None) or getattr(type_, "values", None) or {}
        for own, member in members.items():
            found[f"{name}.{own}"] = member.deprecation_reason
            for argument, definition in getattr(member, "args", {}).items():
                found[f"{name}.{own}({argument}:)"] = definition.deprecation_reason
    return found


class _Collector(Visitor):
    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self._info = info
        self.found: set[str] = set()

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        coordinate = f"{self._info.get_parent_type()}.{node.name.value}"
        if "__" not in coordinate:
            self.found.add(coordinate)

    def enter_argument(self, node: ArgumentNode, *ancestry: Any) -> None:
        field = ancestry[-1][-1]
        coordinate = f"{self._info.get_parent_type()}.{getattr(field, 'name', node.name).value}({node.name.value}:)"
        if isinstance(field, FieldNode) and "__" not in coordinate:
            self.found.add(coordinate)

    def enter_object_field(self, node: ObjectFieldNode, *_: Any) -> None:
        parent = self._info.get_parent_input_type()
        if parent is not None:
            self.found.add(f"{get_named_type(parent)}.{node.name.value}")

    def enter_enum_value(self, node: EnumValueNode, *_: Any) -> None:
        type_ = self._info.get_input_type()
        if type_ is not None:
            self.found.add(f"{get_named_type(type_)}.{node.value}")
