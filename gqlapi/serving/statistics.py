"""The numbers of the connections of this process, for its metrics."""

from collections import Counter


class Statistics:
    """How many connections are open, and how many requests and connections were refused, by reasons."""

    __slots__ = ("connections", "refusals")

    def __init__(self) -> None:
        """Start at zero."""
        self.connections = 0
        self.refusals: Counter[str] = Counter()


# Of the server of this process; the application may read it under other servers, too.
STATISTICS = Statistics()
