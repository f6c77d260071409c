"""The price of the merged operation: of what is executed, and not of what is written.

A field that is selected several times under one name counts once, with all that is selected below it. An object of an
interface or a union is of one type: the dearest of its possible types counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLList,
    GraphQLObjectType,
    GraphQLSchema,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
)
from graphql.execution.values import VariableValues

from gqlapi.errors import LimitExceeded
from gqlapi.execution.collecting import Collected, Collector, is_delivered_later, selection_sets_of
from gqlapi.execution.compiler import NO_VARIABLES, has_deliveries
from gqlapi.execution.declarations import rules_of
from gqlapi.operations.introspection import INTROSPECTION, IntrospectionCost, Splits
from gqlapi.operations.literals import has_variables
from gqlapi.operations.measure import Measured
from gqlapi.operations.price import NO_POINTS, FieldPrice, IntrospectionPrice, Largest, Points, Price, name_points

ONE_POINT = Points(1)
# Of a deferred fragment, or an item that is streamed: measured 40 microseconds, as ten values of graphql-core's.
PART_POINTS = Points(10)
NO_NAMES: frozenset[str] = frozenset()
# Selections that are visited, for each type again: measured 20 ms. An operation has 5,000 fields at most.
MAX_STEPS = 20_000


class BoundedCollector(Collector):
    """Collects fields within a bound of work: types in types would multiply it."""

    def collect(self, type_: GraphQLObjectType, selection_sets: Iterable[SelectionSetNode]) -> Collected:
        """Collect the fields of selection sets, merged, on one object type.

        Raises:
            GraphQLError: the operation has too many selections, each counted for each type that it may be on.
        """
        if self.steps > MAX_STEPS:
            text = f"The operation has over {MAX_STEPS} selections, each counted for each type that it may be on."
            error = LimitExceeded(text, limit=MAX_STEPS)
            raise GraphQLError(text, original_error=error)
        return super().collect(type_, selection_sets)


class Pricing:
    """Makes the price of one operation."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        flags: VariableValues,
        measured: Measured,
        *,
        max_cost: int,
        delivers: bool = False,
    ) -> None:
        """Prepare the walk over an operation that was measured; `delivers`: @defer and @stream take effect.

        Introspections are counted up to about `max_cost`.
        """
        self._schema = schema
        self._fragments = fragments
        self._flags = flags
        self._measured = measured
        self._max_cost = max_cost
        self._delivers = delivers
        self._collector = BoundedCollector(schema, fragments, flags, delivers=delivers)
        self._splits = Splits(BoundedCollector(schema, fragments, flags))
        self._price = Price()

    def price(self, root_type: GraphQLObjectType, selection_set: SelectionSetNode) -> Price:
        """Return the price of the operation whose root selection this is.

        Raises:
            GraphQLError: it has too many selections on too many types.
        """
        self._add_roots(root_type, selection_set)
        return self._price

    def _add_roots(self, root_type: GraphQLObjectType, selection_set: SelectionSetNode) -> None:
        """Add the points of the root fields; those of a deferred fragment are those of its fields."""
        roots = self._price.roots
        collected = self._collector.collect(root_type, [selection_set])
        for name, nodes in collected.fields.items():
            roots[name] = roots.get(name, NO_POINTS).beside(self._field(root_type, nodes))
        for deferred in collected.deferred:
            self._add_roots(root_type, deferred)
            name = next(iter(roots), "")
            roots[name] = roots.get(name, NO_POINTS).beside(PART_POINTS)

    def _scope(self, type_: GraphQLObjectType, selection_sets: Sequence[SelectionSetNode]) -> Points:
        """Return the points of one object; what is delivered apart is priced apart."""
        points = NO_POINTS
        collected = self._collector.collect(type_, selection_sets)
        for nodes in collected.fields.values():
            points = points.beside(self._field(type_, nodes))
        for deferred in collected.deferred:
            points = points.beside(PART_POINTS).beside(self._scope(type_, [deferred]))
        return points

    def _field(self, parent: GraphQLObjectType, nodes: Sequence[FieldNode]) -> Points:
        """Return the points of a field, with those of its alias."""
        node = nodes[0]
        definition = self._schema.get_field(parent, node.name.value)
        assert definition is not None  # noqa: S101 - the document is valid
        if node.name.value in INTROSPECTION:
            return self._introspect(parent, nodes)
        points = self._leaf(definition, node) if node.selection_set is None else self._composite(definition, nodes)
        named = name_points(node)
        return points.beside(Points(named)) if named else points

    def _leaf(self, definition: GraphQLField, node: FieldNode) -> Points:
        if rules_of(definition).surcharge is None:
            return ONE_POINT
        return self._value(FieldPrice(rules_of(definition), self._slot(node), NO_NAMES, NO_POINTS, is_list=False))

    def _composite(self, definition: GraphQLField, nodes: Sequence[FieldNode]) -> Points:
        named: Any = get_named_type(definition.type)
        types = self._schema.get_possible_types(named) if is_abstract_type(named) else [named]
        selection_sets = selection_sets_of(nodes)
        inner = self._largest([self._scope(type_, selection_sets) for type_ in types])
        if self._delivers and any(is_delivered_later(node, self._flags) for node in nodes):
            inner = inner.beside(PART_POINTS)  # each item of a list that is streamed
        rules = rules_of(definition)
        selection = NO_NAMES if rules.surcharge is None else self._collector.names_below(nodes)
        is_list = isinstance(get_nullable_type(definition.type), GraphQLList)
        return self._value(FieldPrice(rules, self._slot(nodes[0]), selection, inner, is_list))

    def _slot(self, node: FieldNode) -> int | None:
        return self._measured.slots.get(id(node))

    def _value(self, price: FieldPrice) -> Points:
        """Return a number where nothing depends on variables."""
        slot, inner = price.slot, price.inner
        if inner.parts or (slot is not None and self._measured.calls[slot].has_variables):
            return self._price.add(price)
        outcome = None if slot is None else self._measured.outcomes[slot]
        if slot is not None and outcome is None:
            return ONE_POINT  # its arguments are wrong: the operation is refused for that
        return Points(*price.of(None if outcome is None else outcome.value, (inner.cost, inner.row_cost)))

    def _largest(self, options: Sequence[Points]) -> Points:
        different = list(dict.fromkeys(options))
        if len(different) <= 1:  # an interface may have no types, and its fields only null
            return different[0] if different else NO_POINTS
        if any(option.parts for option in different):
            return self._price.add(Largest(different))
        return Points(max(option.cost for option in different), max(option.row_cost for option in different))

    def _introspect(self, parent: GraphQLObjectType, nodes: Sequence[FieldNode]) -> Points:
        # Any of its values may be a part of a payload.
        has_parts = self._delivers and has_deliveries([*nodes, *self._fragments.values()])
        factor = PART_POINTS.cost if has_parts else 1
        schema, splits, max_cost = self._schema, self._splits, self._max_cost

        def count(variables: VariableValues) -> int:
            return factor * IntrospectionCost(schema, splits, variables, max_cost).of(parent, nodes)

        if not any(_has_variables_below(node, self._fragments) for node in nodes):
            return Points(count(NO_VARIABLES))
        return self._price.add(IntrospectionPrice(count))


def _has_variables_below(node: FieldNode, fragments: Mapping[str, FragmentDefinitionNode]) -> bool:
    """Return whether any argument of a field or below it has a variable."""
    pending: list[Any] = [node]
    visited: set[str] = set()
    while pending:
        selected = pending.pop()
        if isinstance(selected, FragmentSpreadNode):
            if selected.name.value not in visited:
                visited.add(selected.name.value)
                pending.extend(fragments[selected.name.value].selection_set.selections)
            continue
        if isinstance(selected, FieldNode) and has_variables(argument.value for argument in selected.arguments or ()):
            return True
        if selected.selection_set is not None:
            pending.extend(selected.selection_set.selections)
    return False
