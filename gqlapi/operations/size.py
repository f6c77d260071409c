"""The size of a selection: the figures that limits are compared with."""

from typing import NamedTuple

from graphql import FieldNode

# The answer repeats the name of a field for each object: an alias of 60 KB made 240 MB of 4,000 rows.
NAME_CHARACTERS_PER_POINT = 100


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


class Size(NamedTuple):
    """The size of a selection, with every fragment expanded where it is spread."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    points: Points = NO_POINTS

    def beside(self, other: "Size") -> "Size":
        """Return the size of two selections side by side."""
        return Size(
            max(self.depth, other.depth),
            self.fields + other.fields,
            self.aliases + other.aliases,
            self.directives + other.directives,
            self.points.beside(other.points),
        )


NOTHING = Size()
