"""The connections of one process: how many, how long, and how many bytes they hold together."""

import asyncio
import time
from collections import OrderedDict
from typing import Protocol

import structlog

from gqlapi.serving.limits import MAX_UNSENT_BYTES, ConnectionLimits
from gqlapi.serving.statistics import STATISTICS

# A limit that is reached may stay so for a long time; the log needs one line a minute.
REPORT_SECONDS = 60.0
# Of the connections, which WebSockets may have: they stay.
SOCKETS_SHARE = 0.75

logger = structlog.get_logger()


class Connection(Protocol):
    """What is asked of a connection."""

    deadline: float

    def check_sending(self, now: float) -> None:
        """Drop the connection when its client takes too little of the answer."""

    def expire(self, now: float) -> None:
        """Act on a deadline that has passed."""

    def evict(self) -> None:
        """Close at once a connection that waits for a request, or for the rest of one."""

    def drop_slow_reader(self) -> None:
        """Close at once, and forget the answers that were not sent."""

    def unsent_bytes(self) -> int:
        """Return the size of the answers that wait to be sent."""


class Connections:
    """Keeps the connections of one process within their limits; one timer serves them all."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.receiving_bytes = 0
        self._open: set[Connection] = set()
        self._sockets: set[Connection] = set()
        # Both from the longest wait to the shortest.
        self._waiting: OrderedDict[Connection, None] = OrderedDict()
        self._stalled: OrderedDict[Connection, None] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._reported = float("-inf")

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: Connection) -> bool:
        """Add a connection; when there are too many, close the one that has waited longest for a request.

        Returns:
            Whether there is room: all others may be busy.
        """
        self._open.add(connection)
        STATISTICS.connections = len(self._open)
        if self._timer is None:
            self._schedule()
        if len(self._open) > self.limits.max_connections:
            self._report()
            if not self._waiting:
                return False
            STATISTICS.refusals["evicted"] += 1
            oldest, _ = self._waiting.popitem(last=False)
            self._open.discard(oldest)
            oldest.evict()
        self._waiting[connection] = None
        return True

    @property
    def has_room_for_socket(self) -> bool:
        """Whether another connection may become a WebSocket: some are left for requests."""
        return len(self._sockets) < self.limits.max_connections * SOCKETS_SHARE

    def become_socket(self, connection: Connection, socket: Connection) -> None:
        """Count a connection as the WebSocket that it becomes."""
        self.remove(connection)
        self._open.add(socket)
        self._sockets.add(socket)

    def remove(self, connection: Connection) -> None:
        """Forget a connection that was closed."""
        self._open.discard(connection)
        self._sockets.discard(connection)
        STATISTICS.connections = len(self._open)
        self._waiting.pop(connection, None)
        self._stalled.pop(connection, None)

    def wait(self, connection: Connection) -> None:
        """Note that a connection has nothing to do until its client sends something."""
        self._waiting[connection] = None

    def stop_waiting(self, connection: Connection) -> None:
        """Note that the client has sent a whole request."""
        self._waiting.pop(connection, None)

    def stall(self, connection: Connection) -> None:
        """Note that a client reads more slowly than we write; when too much is unsent, drop those that began first."""
        self._stalled[connection] = None
        unsent = sum(other.unsent_bytes() for other in self._stalled)
        while unsent > MAX_UNSENT_BYTES and len(self._stalled) > 1:
            oldest, _ = self._stalled.popitem(last=False)
            unsent -= oldest.unsent_bytes()
            oldest.drop_slow_reader()

    def resume(self, connection: Connection) -> None:
        """Note that a client has caught up."""
        self._stalled.pop(connection, None)

    def _schedule(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self.limits.sweep_seconds, self._sweep)

    def _sweep(self) -> None:
        now = time.monotonic()
        for connection in [*self._open]:
            if connection.deadline <= now:
                connection.expire(now)
            connection.check_sending(now)
        self._timer = None
        if self._open:
            self._schedule()

    def _report(self) -> None:
        now = time.monotonic()
        if now - self._reported >= REPORT_SECONDS:
            self._reported = now
            logger.warning("connection limit reached", limit=self.limits.max_connections)
