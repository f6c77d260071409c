"""The size of a selection: the figures that limits are compared with."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a selection, with every fragment expanded where it is spread.

    `cost` are points for one parent object; `row_cost` are points for each row of the list that the selection is on:
    a connection has as many `nodes` and `edges` as its page has rows.
    """

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0
    row_cost: int = 0

    def __add__(self, other: "Size") -> "Size":
        """Return the size of two selections side by side."""
        return Size(
            max(self.depth, other.depth),
            self.fields + other.fields,
            self.aliases + other.aliases,
            self.directives + other.directives,
            self.cost + other.cost,
            self.row_cost + other.row_cost,
        )

    def total(self, rows: int) -> int:
        """Return the points of the selection on a list of this many rows."""
        return self.cost + rows * self.row_cost
