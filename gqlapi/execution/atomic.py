"""`@atomic`, a directive of mutations: all root fields write in one transaction, or none does."""

from collections.abc import Iterator, Mapping

from graphql import (
    DirectiveLocation,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLDirective,
    GraphQLError,
    GraphQLObjectType,
    OperationDefinitionNode,
)

from gqlapi.execution.declarations import rules_of

ATOMIC = GraphQLDirective(
    "atomic",
    [DirectiveLocation.MUTATION],
    description="Run all root fields of a mutation in one transaction, in their order. When one of them fails, nothing "
    "is written, and the payloads of the others have a `RolledBackError`.",
)


def is_atomic(definition: OperationDefinitionNode) -> bool:
    """Whether an operation has the directive."""
    return any(directive.name.value == ATOMIC.name for directive in definition.directives or ())


def atomic_errors(
    root_type: GraphQLObjectType,
    definition: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
) -> list[GraphQLError]:
    """Return an error for each root field of an operation with the directive that has to run alone."""
    if not is_atomic(definition):
        return []
    return [
        GraphQLError(f"{node.name.value} cannot be part of an operation with @atomic.", node)
        for node in _root_fields(definition, fragments)
        if (field := root_type.fields.get(node.name.value)) is not None and rules_of(field).runs_alone
    ]


def _root_fields(
    definition: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> Iterator[FieldNode]:
    """Yield the root fields, through fragments, each of which is walked once."""
    pending, visited = [definition.selection_set], set()
    while pending:
        for node in pending.pop().selections:
            if isinstance(node, FieldNode):
                yield node
            elif not isinstance(node, FragmentSpreadNode):
                pending.append(node.selection_set)  # type: ignore[attr-defined] # an inline fragment
            elif node.name.value not in visited:
                visited.add(node.name.value)
                pending.append(fragments[node.name.value].selection_set)
