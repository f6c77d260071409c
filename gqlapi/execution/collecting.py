"""The fields that selection sets select: merged, through fragments, as far as @skip and @include leave them in."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLDeferDirective,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSkipDirective,
    GraphQLStreamDirective,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    is_abstract_type,
)
from graphql.execution.values import VariableValues, get_directive_values

DELIVERY = (GraphQLDeferDirective, GraphQLStreamDirective)


class Collected(NamedTuple):
    """The nodes of each field of an object, by its name in the response, and the fragments that are delivered later."""

    fields: dict[str, list[FieldNode]]
    deferred: list[SelectionSetNode]


class Collector:
    """Collects the fields of one operation, for given values of the variables of `if` in directives."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        flags: VariableValues,
        *,
        delivers: bool = False,
    ) -> None:
        """Start; `delivers`: a fragment with an active @defer is collected apart, as often as it is spread."""
        self._schema = schema
        self._fragments = fragments
        self._flags = flags
        self._delivers = delivers
        # The selections that were visited so far.
        self.steps = 0

    def collect(self, type_: GraphQLObjectType, selection_sets: Iterable[SelectionSetNode]) -> Collected:
        """Collect the fields of selection sets, merged, on one object type.

        Raises:
            GraphQLError: a directive has a wrong value.
        """
        collected = Collected({}, [])
        visited: set[str] = set()
        for selection_set in selection_sets:
            self._collect(type_, selection_set, collected, visited)
        return collected

    def names_below(self, nodes: Iterable[FieldNode]) -> frozenset[str]:
        """Return the names of the fields directly below the nodes of a field, on any type.

        Raises:
            GraphQLError: a directive has a wrong value.
        """
        names: set[str] = set()
        visited: set[str] = set()
        pending = selection_sets_of(nodes)
        while pending:
            for node in pending.pop().selections:
                self.steps += 1
                if node.directives and not is_included(node, self._flags):
                    continue
                if isinstance(node, FieldNode):
                    names.add(node.name.value)
                elif isinstance(node, InlineFragmentNode):
                    pending.append(node.selection_set)
                elif isinstance(node, FragmentSpreadNode) and node.name.value not in visited:
                    visited.add(node.name.value)
                    pending.append(self._fragments[node.name.value].selection_set)
        return frozenset(names)

    def _collect(
        self, type_: GraphQLObjectType, selection_set: SelectionSetNode, collected: Collected, visited: set[str]
    ) -> None:
        """Collect fields: https://spec.graphql.org/September2025/#CollectFields()."""
        for node in selection_set.selections:
            self.steps += 1
            if node.directives and not is_included(node, self._flags):
                continue
            if isinstance(node, FieldNode):
                collected.fields.setdefault(response_name(node), []).append(node)
            elif isinstance(node, InlineFragmentNode):
                if node.type_condition is None or self._applies(node.type_condition.name.value, type_):
                    self._collect_fragment(type_, node, node.selection_set, collected, visited)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in visited:
                fragment = self._fragments[node.name.value]
                if self._applies(fragment.type_condition.name.value, type_):
                    self._collect_fragment(type_, node, fragment.selection_set, collected, visited)

    def _collect_fragment(
        self,
        type_: GraphQLObjectType,
        node: FragmentSpreadNode | InlineFragmentNode,
        selection_set: SelectionSetNode,
        collected: Collected,
        visited: set[str],
    ) -> None:
        if self._delivers and is_delivered_later(node, self._flags):
            collected.deferred.append(selection_set)
            return
        if isinstance(node, FragmentSpreadNode):
            visited.add(node.name.value)
        self._collect(type_, selection_set, collected, visited)

    def _applies(self, condition: str, type_: GraphQLObjectType) -> bool:
        if condition == type_.name:
            return True
        named = self._schema.type_map[condition]
        return is_abstract_type(named) and self._schema.is_sub_type(named, type_)


def is_included(node: SelectionNode, variables: VariableValues) -> bool:
    """Return whether a selection is part of the operation, by its @skip and @include.

    Raises:
        GraphQLError: a directive has a wrong value.
    """
    if not node.directives:
        return True
    skip = get_directive_values(GraphQLSkipDirective, node, variables)
    if skip and skip["if"]:
        return False
    include = get_directive_values(GraphQLIncludeDirective, node, variables)
    return include is None or bool(include["if"])


def is_delivered_later(node: SelectionNode, variables: VariableValues) -> bool:
    """Return whether a selection has a @defer or @stream that its `if` does not switch off.

    Raises:
        GraphQLError: a directive has a wrong value.
    """
    if not node.directives:
        return False
    given = (get_directive_values(directive, node, variables) for directive in DELIVERY)
    return any(values is not None and values["if"] for values in given)


def response_name(node: FieldNode) -> str:
    """Return the name of a field in the response."""
    return node.alias.value if node.alias else node.name.value


def selection_sets_of(nodes: Iterable[FieldNode]) -> list[SelectionSetNode]:
    """Return the selection sets of the nodes of a field."""
    return [node.selection_set for node in nodes if node.selection_set is not None]
