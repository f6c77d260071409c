"""Documents that clients register, by Apollo's protocol for automatic persisted queries (APQ)."""

from typing import Protocol

from gqlapi.cache import BudgetedCache

# The memory of an entry beside its text: an id, and its places in the cache. It bounds the number of entries as well.
BYTES_PER_ENTRY = 512


class DocumentStore(Protocol):
    """Keeps texts by their ids; it may forget them at any time, and clients send them again."""

    async def get(self, document_id: str) -> str | None:
        """Return the text with an id, or None."""

    async def put(self, document_id: str, text: str) -> None:
        """Keep the text with an id."""


class MemoryStore:
    """Keeps texts in the memory of this process, within a budget; the least recently used are forgotten first."""

    def __init__(self, max_bytes: int) -> None:
        """Start empty."""
        self.cache: BudgetedCache[str, str] = BudgetedCache(max_bytes)

    async def get(self, document_id: str) -> str | None:
        """Return the text with an id, or None."""
        return self.cache.get(document_id)

    async def put(self, document_id: str, text: str) -> None:
        """Keep the text with an id."""
        self.cache.put(document_id, text, BYTES_PER_ENTRY + len(text.encode(errors="surrogatepass")))
