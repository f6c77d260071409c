"""How many points clients may spend in a minute, counted in Redis or in the memory of one process."""

import math
import time
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from uuid import UUID

from gqlapi.errors import ApiError, Code
from gqlapi.shared import SharedStore

WINDOW_SECONDS = 60
# About 300 bytes each. Further clients share one budget until a window of another one ends.
MAX_CLIENTS = 20_000
OTHERS = "(others)"
# Returns whether the points were counted, how many there are now, and how many milliseconds the window lasts.
SPEND = """
local limit, points = tonumber(ARGV[1]), tonumber(ARGV[2])
local used, rest = tonumber(redis.call('GET', KEYS[1]) or '0'), redis.call('PTTL', KEYS[1])
if rest <= 0 then
  used, rest = 0, tonumber(ARGV[3])
end
if used + points > limit then
  return {0, used, rest}
end
redis.call('SET', KEYS[1], used + points, 'PX', rest)
return {1, used + points, rest}
"""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a client has spent of its points, and in how many seconds it has all of them again."""

    limit: int
    used: int
    reset_seconds: float

    @property
    def remaining(self) -> int:
        """The points that are left."""
        return self.limit - self.used


class RateLimited(ApiError):
    """The client has spent its points; the operation is not counted."""

    code = Code.RATE_LIMITED

    def __init__(self, spent: Spent, points: int) -> None:
        """Raise with the time to repeat the operation; one that costs more than the limit can never run."""
        seconds = math.ceil(spent.reset_seconds)
        message = f"The operation costs {points} points, and {spent.remaining} of {spent.limit} a minute are left."
        super().__init__(message, retryAfterSeconds=seconds, limit=spent.limit, remaining=spent.remaining)
        self.spent = spent


@dataclass(slots=True)
class _Window:
    """The points of one client since its first operation of the window."""

    ends: float
    used: int = 0


class PointRate:
    """Counts the points of each client in windows of a minute, which begin with the client's first operation."""

    def __init__(self, limit: int) -> None:
        """Allow so many points a minute."""
        self._limit = limit
        # In the order of their ends, because all windows are of one length.
        self._windows: dict[str, _Window] = {}

    def spend(self, client: str, points: int) -> Spent:
        """Count points.

        Raises:
            RateLimited: there are not enough of them left.
        """
        now = time.monotonic()
        self._forget(now)
        if client not in self._windows and len(self._windows) >= MAX_CLIENTS:
            client = OTHERS
        window = self._windows.setdefault(client, _Window(now + WINDOW_SECONDS))
        if window.used + points > self._limit:
            raise RateLimited(Spent(self._limit, window.used, window.ends - now), points)
        window.used += points
        return Spent(self._limit, window.used, window.ends - now)

    def _forget(self, now: float) -> None:
        while self._windows:
            client, window = next(iter(self._windows.items()))
            if window.ends > now:
                return
            del self._windows[client]


class SharedPointRate:
    """Counts the points of each client for all processes; while Redis is down, for this one."""

    def __init__(self, limit: int, store: SharedStore, name: str) -> None:
        """Allow so many points a minute; `name` is part of the keys."""
        self._limit = limit
        self._store = store
        self._name = name
        self._own = PointRate(limit)
        self._script = store.script(SPEND)

    async def spend(self, client: str, points: int) -> Spent:
        """Count points.

        Raises:
            RateLimited: there are not enough of them left.
        """
        key = f"gqlapi:points:{self._name}:{blake2b(client.encode(), digest_size=16).hexdigest()}"
        arguments = [self._limit, points, 1000 * WINDOW_SECONDS]

        async def spend_shared(redis: Any) -> tuple[bool, Spent]:
            is_counted, used, rest = await self._script(redis, [key], arguments)
            return bool(is_counted), Spent(self._limit, used, rest / 1000)

        is_counted, spent = await self._store.use(spend_shared, lambda: (True, self._own.spend(client, points)))
        if not is_counted:
            raise RateLimited(spent, points)
        return spent


class Rates:
    """The points of users and of networks, as far as they are limited."""

    def __init__(self, user_points: int, network_points: int, store: SharedStore | None = None) -> None:
        """Set the points per minute of each signed-in user and of each network of visitors; 0 is no limit."""
        self._users = _rate(user_points, store, "user")
        self._networks = _rate(network_points, store, "network")

    async def spend(self, user_id: UUID | None, network: str, points: int) -> Spent | None:
        """Count the points of an operation; None where there is no limit.

        Raises:
            RateLimited: the client has not enough of them left.
        """
        rate, client = (self._networks, network) if user_id is None else (self._users, str(user_id))
        if rate is None:
            return None
        return await rate.spend(client, points) if isinstance(rate, SharedPointRate) else rate.spend(client, points)


def _rate(points: int, store: SharedStore | None, name: str) -> PointRate | SharedPointRate | None:
    if not points:
        return None
    return PointRate(points) if store is None else SharedPointRate(points, store, name)
