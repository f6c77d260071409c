"""Time controlled by a test: deadlines that expire on request, and a loop whose clock jumps."""

import asyncio
from contextlib import suppress
from typing import Any


class Deadlines:
    """The deadlines of operations, in the place of `asyncio`: they end with `expire`, and never by the clock."""

    def __init__(self) -> None:
        self._made: list[asyncio.Timeout] = []

    def timeout(self, _seconds: float) -> asyncio.Timeout:
        self._made.append(asyncio.timeout(None))
        return self._made[-1]

    def expire(self) -> None:
        """End all operations that run."""
        for deadline in self._made:
            with suppress(RuntimeError):  # it has ended
                deadline.reschedule(asyncio.get_running_loop().time())


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stops while there is work, and jumps to the next timer when there is none."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__()

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        loop: Any = self
        if not loop._ready and loop._scheduled:
            self._now = max(self._now, loop._scheduled[0].when())
        super()._run_once()  # type: ignore[misc] # it is private


def run_in_jumps(work: Any) -> None:
    """Run a coroutine that waits for nothing but timers."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(work)
