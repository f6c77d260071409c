"""How many points clients may spend in a minute, counted in the memory of one process."""

import math
import time
from dataclasses import dataclass
from uuid import UUID

from gqlapi.errors import ApiError, Code

WINDOW_SECONDS = 60
# About 300 bytes each. Further clients share one budget until a window of another one ends.
MAX_CLIENTS = 20_000
OTHERS = "(others)"


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


class Rates:
    """The points of users and of networks, as far as they are limited."""

    def __init__(self, user_points: int, network_points: int) -> None:
        """Set the points per minute of each signed-in user and of each network of visitors; 0 is no limit."""
        self._users = PointRate(user_points) if user_points else None
        self._networks = PointRate(network_points) if network_points else None

    def spend(self, user_id: UUID | None, network: str, points: int) -> Spent | None:
        """Count the points of an operation; None where there is no limit.

        Raises:
            RateLimited: the client has not enough of them left.
        """
        if user_id is not None:
            return None if self._users is None else self._users.spend(str(user_id), points)
        return None if self._networks is None else self._networks.spend(network, points)
