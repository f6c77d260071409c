"""The price of an operation: a formula made once, whose value follows from the prepared arguments of each request."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graphql import FieldNode
from graphql.execution.values import VariableValues

from gqlapi.execution.declarations import FieldRules, Prepared

# The answer repeats the name of a field for each object: an alias of 60 KB made 240 MB of 4,000 rows.
NAME_CHARACTERS_PER_POINT = 100
# The values of parts: the points for one parent, and for each row.
Values = list[tuple[int, int]]


class Points(NamedTuple):
    """The cost of a selection, as far as it is known without the values of variables.

    `cost` are points for one parent object; `row_cost` are points for each row of the list that the selection is on:
    a connection has as many `nodes` and `edges` as its page has rows. `parts` are the numbers of the parts of the
    price that add to both, and that depend on variables.
    """

    cost: int = 0
    row_cost: int = 0
    parts: tuple[int, ...] = ()

    def beside(self, other: "Points") -> "Points":
        """Return the cost of two selections side by side."""
        return Points(self.cost + other.cost, self.row_cost + other.row_cost, self.parts + other.parts)


NO_POINTS = Points()


def name_points(node: FieldNode) -> int:
    """Return the points of the alias of a field."""
    return 0 if node.alias is None else len(node.alias.value) // NAME_CHARACTERS_PER_POINT


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

    def of(self, value: Any, inner: tuple[int, int]) -> tuple[int, int]:
        """Return the points for one parent, and for each row of the list that the field is selected on."""
        prepared = Prepared(value, self.selection)
        surcharge = 0 if self.rules.surcharge is None else self.rules.surcharge(prepared)
        cost, row_cost = inner
        if not self.is_list:
            rows = 1 if self.rules.rows is None else self.rules.rows(prepared)
            return self.rules.repeats * (1 + cost + rows * row_cost + surcharge), 0
        points = 1 + cost + row_cost
        if self.rules.rows is None:  # a view of the rows of the connection that it is selected on
            return surcharge, points
        return self.rules.rows(prepared) * points + surcharge, 0


@dataclass(frozen=True, slots=True)
class Largest:
    """The price of an object that is of one of several types."""

    options: Sequence[Points]


@dataclass(frozen=True, slots=True)
class IntrospectionPrice:
    """The price of an introspection with variables."""

    count: Callable[[VariableValues], int]


Part = FieldPrice | Largest | IntrospectionPrice


@dataclass(slots=True)
class Price:
    """The points of the root fields, by their names in the response, and the parts that these refer to.

    Each part refers to earlier ones only.
    """

    roots: dict[str, Points] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)

    def add(self, part: Part) -> Points:
        """Add a part, and return the points that are it."""
        self.parts.append(part)
        return Points(parts=(len(self.parts) - 1,))

    def of(self, values: Sequence[Any], variables: VariableValues) -> dict[str, int]:
        """Return the points of each root field; `values` are the prepared arguments of all calls."""
        results: Values = []
        for part in self.parts:
            if isinstance(part, FieldPrice):
                value = None if part.slot is None else values[part.slot]
                results.append(part.of(value, _total(part.inner, results)))
            elif isinstance(part, Largest):
                costs, row_costs = zip(*(_total(option, results) for option in part.options), strict=True)
                results.append((max(costs), max(row_costs)))
            else:
                results.append((part.count(variables), 0))
        return {name: _total(points, results)[0] for name, points in self.roots.items()}


def _total(points: Points, results: Values) -> tuple[int, int]:
    """Return points with all their parts."""
    cost, row_cost = points.cost, points.row_cost
    for number in points.parts:
        cost += results[number][0]
        row_cost += results[number][1]
    return cost, row_cost
