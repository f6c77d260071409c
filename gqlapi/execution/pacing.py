"""Turns of the event loop: long work on answers is done in slices, and everything else runs in between."""

import asyncio
import time
from collections import deque

# The slices of one iteration of the event loop take about this long together, and so does the wait of all other work.
SLICE_SECONDS = 0.004
QUIET_ITERATIONS = 3


class Turns:
    """The slices of all operations: what does not fit into an iteration of the event loop waits for a turn.

    In each iteration one of those that wait has its turn, in the order of arrival.
    """

    def __init__(self) -> None:
        """Create an empty queue."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_granting = False
        self._started: float | None = None

    @property
    def expired(self) -> bool:
        """Whether the slices of this iteration have taken their time; the first look at it starts them."""
        if self._started is None:
            self._start(asyncio.get_running_loop())
            return False
        return time.perf_counter() - self._started > SLICE_SECONDS

    async def take(self) -> None:
        """Wait for a turn."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        if not self._is_granting:
            self._is_granting = True
            loop.call_soon(self._grant, loop)
        await turn
        self._start(loop)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._started is None:
            loop.call_soon(self._end)
        self._started = time.perf_counter()

    def _end(self) -> None:
        self._started = None

    def _grant(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake the first who waits; the next one is woken in the next iteration."""
        turn = next((turn for turn in iter(self._pop, None) if not turn.done()), None)
        self._is_granting = turn is not None
        if turn is not None:
            turn.set_result(None)
            loop.call_soon(self._grant, loop)

    def _pop(self) -> asyncio.Future[None] | None:
        return self._waiting.popleft() if self._waiting else None


class Pace:
    """The turns of one operation, and whether any part of it still waits for one."""

    def __init__(self, turns: Turns) -> None:
        """Pace an operation beside the others that share `turns`."""
        self._turns = turns
        self._waiting = 0

    @property
    def expired(self) -> bool:
        """Whether the slices of this iteration of the event loop have taken their time."""
        return self._turns.expired

    async def turn(self) -> None:
        """Wait for the next turn."""
        self._waiting += 1
        try:
            await self._turns.take()
        finally:
            self._waiting -= 1

    async def quiet(self) -> None:
        """Wait until no part of the operation has waited for three iterations of the event loop.

        Work that a turn has woken, such as the completion of a list of objects, starts within these.
        """
        iterations = 0
        while iterations < QUIET_ITERATIONS:
            await asyncio.sleep(0)
            iterations = 0 if self._waiting else iterations + 1
