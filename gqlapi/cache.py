"""A cache with a budget in bytes."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BudgetedCache(Generic[K, V]):
    """Keeps values while their sizes together fit a budget; the least recently used are evicted first."""

    def __init__(self, max_bytes: int) -> None:
        """Create an empty cache."""
        self.max_bytes = max_bytes
        self.bytes = 0
        self.hits = self.misses = 0
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of values."""
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """Return the value of a key, or None."""
        entry = self._entries.get(key)
        if entry is None:
            self.misses += 1
            return None
        self.hits += 1
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: K, value: V, size: int) -> None:
        """Keep a value of about `size` bytes, and evict others while the budget is exceeded."""
        _, replaced = self._entries.pop(key, (None, 0))
        self._entries[key] = value, size
        self.bytes += size - replaced
        while self.bytes > self.max_bytes:
            _, (_, evicted) = self._entries.popitem(last=False)
            self.bytes -= evicted
