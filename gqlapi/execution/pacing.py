"""Turns of the event loop: long work on one answer is done in slices, and everything else runs in between."""

import asyncio
import time
from collections import deque

# A slice takes about this long, and so does the wait of every other request for one iteration of the event loop.
SLICE_SECONDS = 0.004
QUIET_ITERATIONS = 3


class Turns:
    """A queue of slices: one of all operations runs in each iteration of the event loop, in the order of arrival."""

    def __init__(self) -> None:
        """Create an empty queue."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_scheduled = False

    async def take(self) -> None:
        """Wait for a turn."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        if not self._is_scheduled:
            self._is_scheduled = True
            loop.call_soon(self._grant, loop)
        await turn

    def _grant(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake the first who waits; the next one is woken in the next iteration."""
        turn = next((turn for turn in iter(self._pop, None) if not turn.done()), None)
        self._is_scheduled = turn is not None
        if turn is not None:
            turn.set_result(None)
            loop.call_soon(self._grant, loop)

    def _pop(self) -> asyncio.Future[None] | None:
        return self._waiting.popleft() if self._waiting else None


class Pace:
    """The slices of one operation, and whether any of them still waits for its turn."""

    def __init__(self, turns: Turns) -> None:
        """Pace an operation beside the others that share `turns`."""
        self._turns = turns
        self._waiting = 0
        self._started = 0.0

    def start(self) -> None:
        """Start a slice."""
        self._started = time.perf_counter()

    @property
    def is_over(self) -> bool:
        """Whether the slice has taken its time."""
        return time.perf_counter() - self._started > SLICE_SECONDS

    async def turn(self) -> None:
        """Wait for the next turn, and start a slice."""
        self._waiting += 1
        try:
            await self._turns.take()
        finally:
            self._waiting -= 1
        self.start()

    async def quiet(self) -> None:
        """Wait until no slice has waited for three iterations of the event loop.

        Work that a slice has woken, such as the completion of a list of objects, starts within these.
        """
        iterations = 0
        while iterations < QUIET_ITERATIONS:
            await asyncio.sleep(0)
            iterations = 0 if self._waiting else iterations + 1
