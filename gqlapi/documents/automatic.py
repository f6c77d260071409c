"""Documents that clients register, by Apollo's protocol for automatic persisted queries (APQ)."""

from typing import Protocol

from gqlapi.cache import BudgetedCache
from gqlapi.documents.ids import sha256_id
from gqlapi.shared import SharedStore

# The memory of an entry beside its text: an id, and its places in the cache. It bounds the number of entries as well.
BYTES_PER_ENTRY = 512
# Redis forgets a text that was not asked for in this time.
KEPT_SECONDS = 7 * 24 * 3600


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


class RedisStore:
    """Keeps texts in Redis for all processes, and those that were used here in the memory of this one as well."""

    def __init__(self, max_bytes: int, store: SharedStore) -> None:
        """Start with the texts that Redis has; `max_bytes` bounds the memory of this process."""
        self._own = MemoryStore(max_bytes)
        self._store = store

    async def get(self, document_id: str) -> str | None:
        """Return the text with an id, or None."""
        own = await self._own.get(document_id)
        if own is not None:
            return own
        key = _key(document_id)
        text = await self._store.use(lambda redis: redis.getex(key, ex=KEPT_SECONDS), lambda: None)
        # What others have written into Redis is not trusted.
        if not isinstance(text, str) or sha256_id(text) != document_id:
            return None
        await self._own.put(document_id, text)
        return text

    async def put(self, document_id: str, text: str) -> None:
        """Keep the text with an id, unless UTF-8 has no form of it."""
        await self._own.put(document_id, text)
        try:
            text.encode()
        except UnicodeEncodeError:
            return
        await self._store.use(lambda redis: redis.set(_key(document_id), text, ex=KEPT_SECONDS), lambda: None)


def _key(document_id: str) -> str:
    return f"gqlapi:documents:{document_id}"
