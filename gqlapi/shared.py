"""What several processes share through Redis, and how a process does without it while it is down."""

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

try:
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
except ImportError:  # the extra `redis` is not installed
    Redis = None  # type: ignore[assignment,misc] # a class elsewhere
if TYPE_CHECKING:
    from redis.asyncio import Redis as Client

# The longest wait for a connection, and for an answer; once more after a connection that was lost while it was idle.
TIMEOUT_SECONDS = 0.25
# While it is down, one request in this time tries it again.
RETRY_SECONDS = 1.0

T = TypeVar("T")

logger = structlog.get_logger()


class RedisMissing(Exception):
    """GQLAPI_REDIS_URL is set, and the client library is not installed."""


class SharedStore:
    """Redis, as far as it can be reached; each use has a fallback in the memory of the process."""

    def __init__(self, url: str) -> None:
        """Prepare a client; nothing connects before the first use.

        Raises:
            RedisMissing: the extra `redis` is not installed.
            ValueError: it is not the URL of a Redis.
        """
        if Redis is None:
            raise RedisMissing("GQLAPI_REDIS_URL needs the extra `redis`: install gqlapi[redis].")
        self.client: Client = Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 1),
        )
        self.failures = 0
        self._retry_at: float | None = None

    @property
    def is_down(self) -> bool:
        """Whether the last use failed."""
        return self._retry_at is not None

    async def use(self, work: Callable[["Client"], Awaitable[T]], fallback: Callable[[], T]) -> T:
        """Return what `work` does with Redis, or the fallback while that is down."""
        if self._retry_at is not None:
            if time.monotonic() < self._retry_at:
                return fallback()
            self._retry_at = time.monotonic() + RETRY_SECONDS  # the others do not wait for this attempt
        try:
            found = await work(self.client)
        except (RedisError, OSError) as error:
            self._note_failure(error)
            return fallback()
        if self._retry_at is not None:
            self._retry_at = None
            logger.warning("redis is back: limits are shared again")
        return found

    def _note_failure(self, error: Exception) -> None:
        self.failures += 1
        if self._retry_at is None:
            reason = str(error) or type(error).__name__
            logger.warning("redis is down: each process counts for itself", reason=reason)
        self._retry_at = time.monotonic() + RETRY_SECONDS

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()

    def script(self, text: str) -> Callable[["Client", list[str], list[Any]], Awaitable[Any]]:
        """Return a script of Lua, which Redis runs as a whole, to be called with its keys and arguments."""
        script = self.client.register_script(text)

        async def run(client: "Client", keys: list[str], arguments: list[Any]) -> Any:
            return await script(keys=keys, args=arguments, client=client)

        return run
