"""The price of an operation: a formula made once, whose value follows from the prepared arguments of each request."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphql.execution.values import VariableValues

from gqlapi.execution.declarations import FieldRules, Prepared
from gqlapi.operations.size import Points

Values = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class FieldPrice:
    """The price of a field with a selection: of one object, of a list of rows, or of a view of the rows of its parent.

    `slot` is the number of its prepared arguments; without one, it has none.
    """

    rules: FieldRules
    slot: int | None
    selection: frozenset[str]
    inner: Points
    is_list: bool

    def of(self, prepared: Prepared, inner: tuple[int, int]) -> tuple[int, int]:
        """Return the points for one parent, and for each row of the list that the field is selected on."""
        surcharge = 0 if self.rules.surcharge is None else self.rules.surcharge(prepared)
        cost, row_cost = inner
        if not self.is_list:
            rows = 1 if self.rules.rows is None else self.rules.rows(prepared)
            return 1 + cost + rows * row_cost + surcharge, 0
        points = 1 + cost + row_cost
        if self.rules.rows is None:  # a view of the rows of the connection that it is selected on
            return surcharge, points
        return self.rules.rows(prepared) * points + surcharge, 0


@dataclass(frozen=True, slots=True)
class Group:
    """The price of a fragment, which stands in several places."""

    inner: Points


@dataclass(frozen=True, slots=True)
class IntrospectionPrice:
    """The price of an introspection with variables."""

    count: Callable[[VariableValues], int]


Part = FieldPrice | Group | IntrospectionPrice


def evaluate(parts: Sequence[Part], values: Sequence[Any], variables: VariableValues) -> Values:
    """Return the points of all parts; each refers to earlier ones only. `values` are the prepared arguments."""
    results: Values = []
    for part in parts:
        if isinstance(part, FieldPrice):
            value = None if part.slot is None else values[part.slot]
            results.append(part.of(Prepared(value, part.selection), total(part.inner, results)))
        elif isinstance(part, Group):
            results.append(total(part.inner, results))
        else:
            results.append((part.count(variables), 0))
    return results


def total(points: Points, results: Values) -> tuple[int, int]:
    """Return points with all their parts."""
    cost, row_cost = points.cost, points.row_cost
    for number in points.parts:
        cost += results[number][0]
        row_cost += results[number][1]
    return cost, row_cost
