"""Long computations in a few threads of the process, beside the event loop."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from gqlapi.errors import Unavailable

# Threads of Python share one processor: more of them finish nothing earlier, and each delays the event loop.
THREADS = 2
# Each may hold a megabyte of text. A longer queue could not be worked off before its requests time out.
QUEUE_SIZE = 50
# The event loop may run so often, for so long at least; else each of its turns waits for the switch interval of 5 ms.
YIELD_EVERY_SECONDS, YIELD_SECONDS = 0.002, 0.000_05
T = TypeVar("T")


class Ended(BaseException):
    """The caller was cancelled. Like a cancellation, it must not be caught by the work."""


class WorkPool:
    """Runs work in threads, first come, first served; one for the process.

    Work cannot be killed: it calls the checkpoint that it is given at least each few milliseconds, which ends it when
    its caller has been cancelled. What still waits then is dropped.
    """

    def __init__(self, threads: int = THREADS, queue_size: int = QUEUE_SIZE, *, yields: bool = True) -> None:
        """Prepare the threads; they start with the first work. `yields`: beside it, requests need the event loop."""
        self._yields = yields
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="work")
        self._max_pending = threads + queue_size
        self._pending = 0
        self._lock = threading.Lock()

    async def run(self, work: Callable[[Callable[[], None]], T]) -> T:
        """Run `work(checkpoint)` in a thread.

        Raises:
            Unavailable: too much work is waiting.
        """
        is_cancelled = threading.Event()
        last_yield = time.monotonic()

        def checkpoint() -> None:
            nonlocal last_yield
            if is_cancelled.is_set():
                raise Ended
            if self._yields and time.monotonic() - last_yield > YIELD_EVERY_SECONDS:
                time.sleep(YIELD_SECONDS)
                last_yield = time.monotonic()

        running = self._submit(lambda: work(checkpoint))
        try:
            return await asyncio.wrap_future(running)
        except asyncio.CancelledError:
            is_cancelled.set()
            raise

    def _submit(self, work: Callable[[], T]) -> "Future[T]":
        with self._lock:
            if self._pending >= self._max_pending:
                raise Unavailable("The server is busy with other texts. Try again.")
            self._pending += 1
        running = self._threads.submit(work)
        running.add_done_callback(self._forget)
        return running

    def _forget(self, _ended: "Future[Any]") -> None:
        with self._lock:
            self._pending -= 1


POOL = WorkPool()
# For commands, in which nothing else needs the event loop.
COMMAND_POOL = WorkPool(threads=1, yields=False)
