"""The size of a selection: the figures that limits are compared with."""

from typing import NamedTuple


class Size(NamedTuple):
    """The size of a selection, with every fragment expanded where it is spread."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0

    def beside(self, other: "Size") -> "Size":
        """Return the size of two selections side by side."""
        return Size(
            max(self.depth, other.depth),
            self.fields + other.fields,
            self.aliases + other.aliases,
            self.directives + other.directives,
        )


NOTHING = Size()
