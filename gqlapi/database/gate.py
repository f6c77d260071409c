"""A fair queue in front of the connection pool.

SQLAlchemy's async pool is unfair once it is saturated: measured p99 of 1.6 to 3.8 s, and 0.8 to 1.3 s behind a gate.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from itertools import count

from gqlapi.errors import Unavailable

# What a client is known by: its address, and its token if it has one. Each of them is bounded.
ClientKeys = tuple[Hashable, ...]


class PoolGate:
    """Admits as many operations as the pool has connections; a bounded number waits a bounded time.

    One client gets at most a share of the places and of the queue. Waiting operations are admitted in the order of
    their arrival; a client that has its share does not hold up the others.
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
        """Make a gate of `size` places that calls `on_refusal` for each operation that it refuses."""
        self.size = size
        self.free = size
        self._queue_size = queue_size
        self._timeout_seconds = timeout_seconds
        self._places_of_client = max(1, int(size * client_share))
        self._queue_of_client = max(1, int(queue_size * client_share)) if queue_size else 0
        self._on_refusal = on_refusal
        self._held: Counter[Hashable] = Counter()
        self._queued: Counter[Hashable] = Counter()
        self._waiting: OrderedDict[int, tuple[ClientKeys, asyncio.Future[None]]] = OrderedDict()
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
            Unavailable: the queue, or the client's share of it, is full.
        """
        if self._may_enter(client):
            return
        has_its_share = any(self._queued[key] >= self._queue_of_client for key in client)
        if has_its_share or len(self._waiting) >= self._queue_size:
            raise self._refusal()

    async def enter(self, client: ClientKeys = ()) -> "Place":
        """Take a place.

        Raises:
            Unavailable: the queue, or the client's share of it, is full, or no place became free in time.
        """
        self.check(client)
        if self._may_enter(client):
            self._take(client)
        else:
            await self._wait(client)
        return Place(self, client)

    async def _wait(self, client: ClientKeys) -> None:
        number, turn = next(self._numbers), asyncio.get_running_loop().create_future()
        self._waiting[number] = client, turn
        self._queued.update(client)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # the place came together with the end of the wait
                self.leave(client)
            if isinstance(error, TimeoutError):
                raise self._refusal() from None
            raise
        finally:
            self._waiting.pop(number, None)
            _subtract(self._queued, client)

    def leave(self, client: ClientKeys) -> None:
        """Give a place back, to the first who may have it.

        While a place is free, everyone who waits has a full share: a new client need not look at them.
        """
        self.free += 1
        _subtract(self._held, client)
        for waiting, turn in self._waiting.values():
            if self.free <= 0:
                return
            if not turn.done() and self._may_enter(waiting):
                self._take(waiting)
                turn.set_result(None)

    def _may_enter(self, client: ClientKeys) -> bool:
        return self.free > 0 and not any(self._held[key] >= self._places_of_client for key in client)

    def _take(self, client: ClientKeys) -> None:
        self.free -= 1
        self._held.update(client)

    def _refusal(self) -> Unavailable:
        self._on_refusal()
        return Unavailable("The server is busy. Try again.")


def _subtract(counts: Counter[Hashable], client: ClientKeys) -> None:
    for key in client:
        counts[key] -= 1
        if not counts[key]:
            del counts[key]  # only clients that are here take memory


class Place:
    """A place behind the gate, given back once, by its last owner."""

    __slots__ = ("_client", "_gate")

    def __init__(self, gate: PoolGate, client: ClientKeys) -> None:
        """Own a place that was taken."""
        self._gate: PoolGate | None = gate
        self._client = client

    def leave(self) -> None:
        """Give the place back; a second call does nothing."""
        if self._gate is not None:
            gate, self._gate = self._gate, None
            gate.leave(self._client)
