"""A fair queue in front of the connection pool, and the door of the process under overload.

SQLAlchemy's async pool is unfair once it is saturated: measured p99 of 1.6 to 3.8 s, and 0.8 to 1.3 s behind a gate.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from itertools import count
from typing import TypeVar

from gqlapi.errors import Unavailable

# What a client is known by: its address, and its token if it has one. Each of them is bounded.
ClientKeys = tuple[Hashable, ...]
K = TypeVar("K", bound=Hashable)

# The queue is closed to a client whose first request has waited for this many timeouts: more would only wait longer.
CLOSED_AFTER_TIMEOUTS = 2
# A request whose queue moves is not refused before it has waited for this many.
MAX_TIMEOUTS = 5


class Waiter:
    """A request in the queue."""

    __slots__ = ("client", "number", "since", "timer", "turn")

    def __init__(self, number: int, client: ClientKeys, turn: asyncio.Future[None], since: float) -> None:
        """Start to wait for a turn."""
        self.number = number
        self.client = client
        self.turn = turn
        self.since = since
        self.timer: asyncio.TimerHandle | None = None


# The waiting requests of one key, by their numbers, in the order of arrival.
Line = OrderedDict[int, Waiter]


class PoolGate:
    """Admits as many operations as the pool has connections; the others wait as long as the queue moves.

    One client gets at most a share of the places and of the queue. Waiting operations are admitted in the order of
    their arrival; a client that has its share does not hold up the others. A queue that does not move is a stuck
    database: after `timeout_seconds` without a free place those that wait so long are refused. A queue that moves waits
    for the processor: it takes more requests of a client until the first of them has waited for twice that time.
    """

    def __init__(
        self,
        size: int,
        *,
        queue_size: int,
        timeout_seconds: float,
        client_share: float = 1.0,
        on_refusal: Callable[[], None] = lambda: None,
    ) -> None:
        """Create a limiter of `size` slots that calls `on_refusal` for each operation that it refuses."""
        self.size = size
        self.free = size
        self._queue_size = queue_size
        self._timeout_seconds = timeout_seconds
        self._places_of_client = max(1, int(size * client_share))
        self._queue_of_client = max(1, int(queue_size * client_share)) if queue_size else 0
        self._on_refusal = on_refusal
        self._held: dict[Hashable, int] = {}
        self._waiting: Line = OrderedDict()
        self._queued: dict[Hashable, Line] = {}
        # By all keys of a client: those that may not enter are passed over at once.
        self._groups: dict[ClientKeys, Line] = {}
        self._moved = 0.0
        self._numbers = count()

    @property
    def is_full(self) -> bool:
        """Whether the next operation would have to wait."""
        return self.free <= 0

    @property
    def waiting(self) -> int:
        """The number of operations that wait."""
        return len(self._waiting)

    def check(self, client: ClientKeys = ()) -> None:
        """Refuse a client whose operation would find no place in the queue.

        Raises:
            Unavailable: the queue, or the client's share of it, is full, or has been too long for too long.
        """
        if self._may_enter(client):
            return
        if len(self._waiting) >= self._queue_size or any(self._is_closed(key) for key in client):
            raise self._refusal()

    async def enter(self, client: ClientKeys = ()) -> "Place":
        """Take a place.

        Raises:
            Unavailable: `check` refuses the client, or no place became free in time.
        """
        if self._may_enter(client):
            self._take(client)
        else:
            self.check(client)
            await self._wait(client)
        return Place(self, client)

    def _is_closed(self, key: Hashable) -> bool:
        line = self._queued.get(key)
        if not line:
            return False
        if len(line) >= self._queue_of_client:
            return True
        waited = asyncio.get_running_loop().time() - next(iter(line.values())).since
        return waited > CLOSED_AFTER_TIMEOUTS * self._timeout_seconds

    async def _wait(self, client: ClientKeys) -> None:
        loop = asyncio.get_running_loop()
        waiter = Waiter(next(self._numbers), client, loop.create_future(), loop.time())
        waiter.timer = loop.call_later(self._timeout_seconds, self._look, waiter)
        self._add(waiter)
        try:
            await waiter.turn
        except BaseException:
            if waiter.turn.done() and not waiter.turn.cancelled() and waiter.turn.exception() is None:
                self.leave(client)  # the place came together with the end of the wait
            raise
        finally:
            waiter.timer.cancel()
            self._remove(waiter)

    def _look(self, waiter: Waiter) -> None:
        """Refuse a request that has waited too long, unless the queue moves."""
        loop = asyncio.get_running_loop()
        last = min(
            max(waiter.since, self._moved) + self._timeout_seconds, waiter.since + MAX_TIMEOUTS * self._timeout_seconds
        )
        if last > loop.time():
            waiter.timer = loop.call_at(last, self._look, waiter)
        elif not waiter.turn.done():
            waiter.turn.set_exception(self._refusal())
            self._remove(waiter)

    def leave(self, client: ClientKeys) -> None:
        """Release a slot, to the first waiter that may have it.

        While a place is free, everyone who waits has a full share: a new client need not look at them.
        """
        self.free += 1
        for key in client:
            _decrease(self._held, key)
        while self._waiting and self.free > 0:
            waiter = self._first_admissible()
            if waiter is None:
                return
            self._remove(waiter)
            if not waiter.turn.done():  # else its wait was cancelled a moment ago
                self._take(waiter.client)
                self._moved = asyncio.get_running_loop().time()
                waiter.turn.set_result(None)

    def _first_admissible(self) -> Waiter | None:
        heads = (next(iter(line.values())) for group, line in self._groups.items() if self._may_enter(group))
        return min(heads, key=lambda waiter: waiter.number, default=None)

    def _may_enter(self, client: ClientKeys) -> bool:
        if self.free <= 0:
            return False
        for key in client:  # noqa: SIM110 - a generator takes longer than the rest of the function
            if self._held.get(key, 0) >= self._places_of_client:
                return False
        return True

    def _take(self, client: ClientKeys) -> None:
        self.free -= 1
        for key in client:
            self._held[key] = self._held.get(key, 0) + 1

    def _add(self, waiter: Waiter) -> None:
        self._waiting[waiter.number] = waiter
        self._groups.setdefault(waiter.client, OrderedDict())[waiter.number] = waiter
        for key in waiter.client:
            self._queued.setdefault(key, OrderedDict())[waiter.number] = waiter

    def _remove(self, waiter: Waiter) -> None:
        """Take a request out of the queue; a second call does nothing."""
        if self._waiting.pop(waiter.number, None) is None:
            return
        _leave_line(self._groups, waiter.client, waiter)
        for key in waiter.client:
            _leave_line(self._queued, key, waiter)

    def _refusal(self) -> Unavailable:
        self._on_refusal()
        return Unavailable("The server is busy. Try again.")


# Only clients that are here take memory.


def _decrease(counts: dict[Hashable, int], key: Hashable) -> None:
    if counts[key] == 1:
        del counts[key]
    else:
        counts[key] -= 1


def _leave_line(lines: dict[K, Line], key: K, waiter: Waiter) -> None:
    line = lines[key]
    del line[waiter.number]
    if not line:
        del lines[key]


class Place:
    """A slot of the limiter, released once, by its last owner."""

    __slots__ = ("_client", "_gate")

    def __init__(self, gate: PoolGate, client: ClientKeys) -> None:
        """Own a place that was taken."""
        self._gate: PoolGate | None = gate
        self._client = client

    def leave(self) -> None:
        """Release the slot; a second call does nothing."""
        if self._gate is not None:
            gate, self._gate = self._gate, None
            gate.leave(self._client)
