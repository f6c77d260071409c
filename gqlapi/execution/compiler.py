"""Compiles an operation: merged fields in the order of the response, and how the values of each are found."""

from collections.abc import Iterator, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSkipDirective,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
)
from graphql.execution.values import VariableValues

from gqlapi.execution.collecting import DELIVERY, Collector, selection_sets_of
from gqlapi.execution.declarations import Selected
from gqlapi.execution.leaves import maker
from gqlapi.execution.plan import Field, Kind, Nested, Operation, Scope, Subscopes

IN_LEAVES = frozenset({Kind.TYPENAME, Kind.ATTRIBUTE, Kind.DEFAULT, Kind.COMPUTED})
NO_VARIABLES = VariableValues({}, {})
DELIVERY_NAMES = frozenset(directive.name for directive in DELIVERY)
# Directives whose `if` decides how an operation is compiled.
CONDITIONAL = frozenset({GraphQLSkipDirective.name, GraphQLIncludeDirective.name, *DELIVERY_NAMES})


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """Return the fragments of a document by their names."""
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


def directives_of(definitions: Any) -> Iterator[DirectiveNode]:
    """Yield the directives of all selections in operations and fragments."""
    pending: list[SelectionSetNode] = [definition.selection_set for definition in definitions]
    while pending:
        for node in pending.pop().selections:
            yield from node.directives or ()
            inner = getattr(node, "selection_set", None)
            if inner is not None:
                pending.append(inner)


def flag_names(definitions: Any) -> frozenset[str]:
    """Return the names of the variables of `if` in directives, anywhere in operations and fragments."""
    return frozenset(
        argument.value.name.value
        for directive in directives_of(definitions)
        if directive.name.value in CONDITIONAL
        for argument in directive.arguments or ()
        if argument.name.value == "if" and isinstance(argument.value, VariableNode)
    )


def has_deliveries(definitions: Any) -> bool:
    """Return whether operations and fragments have @defer or @stream anywhere."""
    return any(directive.name.value in DELIVERY_NAMES for directive in directives_of(definitions))


def compile_operation(
    schema: GraphQLSchema,
    definition: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    flags: VariableValues = NO_VARIABLES,
    selected: Selected = MappingProxyType({}),
) -> Operation:
    """Compile an operation of a valid document, for the given values of the variables of `if` in directives.

    `selected` are the attributes that it reads of each type.

    Raises:
        GraphQLError: a directive has a wrong value, or the schema has no such operation type.
    """
    root_type = schema.get_root_type(definition.operation)
    if root_type is None:
        kind = definition.operation.value
        raise GraphQLError(f"Schema is not configured to execute {kind} operation.", definition)
    compiler = Compiler(schema, fragments, flags)
    root = compiler.scope(root_type, [definition.selection_set])
    is_serial = definition.operation is OperationType.MUTATION
    return Operation(schema, definition, fragments, root, is_serial=is_serial, selected=selected)


class Compiler:
    """Compiles the scopes of one operation."""

    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], flags: VariableValues
    ) -> None:
        """Compile for the given values of the variables of directives."""
        self._schema = schema
        self._collector = Collector(schema, fragments, flags)

    def scope(self, type_: GraphQLObjectType, selection_sets: list[SelectionSetNode]) -> Scope:
        """Compile selection sets, merged, on one object type."""
        collected = self._collector.collect(type_, selection_sets)
        fields = [
            Field(nodes, type_, definition, self._collector.names_below(nodes), Subscopes(nodes, self._below))
            for nodes in collected.fields.values()
            if (definition := self._schema.get_field(type_, nodes[0].name.value)) is not None
        ]
        leaves = [field for field in fields if field.kind in IN_LEAVES and field.step.leaf is not None]
        nested = [one for field in fields if (one := _nested(field)) is not None]
        return Scope(type_, fields, leaves, nested, maker(type_, fields, leaves))

    def _below(self, type_: GraphQLObjectType, nodes: list[FieldNode]) -> Scope:
        return self.scope(type_, selection_sets_of(nodes))


def _nested(field: Field) -> Nested | None:
    """Return a field as one whose objects are made together with its parents', None where something may be awaited."""
    step = field.step.items or field.step
    relation = field.rules.relation
    if relation is not None:
        attribute = relation.attribute
    else:  # lists of unknown lengths are made in slices
        attribute = field.attribute if field.rules.is_trusted and field.step.items is None else None
    if attribute is None or step.object_type is None:
        return None
    try:
        scope = field.subscopes.on(step.object_type)
    except GraphQLError:  # of a directive, which is an error of the field
        return None
    is_computed = relation is None and field.kind is Kind.COMPUTED
    return None if scope.waiting else Nested(field, scope, None if is_computed else attrgetter(attribute))
