"""SQLAlchemy's compiled statements, within a budget of bytes: its own cache counts statements, of any size."""

from typing import Any

from sqlalchemy.engine.interfaces import Compiled

from gqlapi.cache import BudgetedCache

# Measured: a small statement takes 32 KB with its key, one with 45 comparisons 246 KB for 1,600 characters of SQL.
STATEMENT_BYTES = 24_576
BYTES_PER_CHARACTER = 150
MAX_BYTES = 2 * 1_048_576


class StatementCache(BudgetedCache[Any, Compiled]):
    """What SQLAlchemy takes as `compiled_cache`: a mapping that it reads with `get` and writes with `[]`."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        """Create an empty cache."""
        super().__init__(max_bytes)

    def __setitem__(self, key: Any, compiled: Compiled) -> None:
        """Keep a compiled statement."""
        self.put(key, compiled, STATEMENT_BYTES + BYTES_PER_CHARACTER * len(compiled.string or ""))
