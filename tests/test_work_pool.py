"""Work beside the event loop: how much at once, and how it ends."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from gqlapi.errors import Unavailable
from gqlapi.work_pool import WorkPool

Checkpoint = Callable[[], None]


class Gate:
    """Work that waits in its thread until it is let through, calling its checkpoint."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.started: list[int] = []
        self.ended: list[int] = []

    def work(self, number: int) -> Callable[[Checkpoint], int]:
        def run(checkpoint: Checkpoint) -> int:
            self.started.append(number)
            try:
                while not self.opened.wait(0.001):
                    checkpoint()
            finally:
                self.ended.append(number)
            return number

        return run


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


class TestRun:
    async def test_returns_what_the_work_returns(self) -> None:
        assert await WorkPool().run(lambda _: threading.current_thread()) is not threading.main_thread()

    async def test_raises_what_the_work_raises(self) -> None:
        def fail(_: Checkpoint) -> None:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await WorkPool().run(fail)

    async def test_runs_as_many_at_once_as_it_has_threads(self) -> None:
        pool, gate = WorkPool(threads=2), Gate()
        tasks = [asyncio.create_task(pool.run(gate.work(number))) for number in range(5)]
        await until(lambda: len(gate.started) == 2)
        await asyncio.sleep(0.02)
        assert gate.started == [0, 1]
        gate.opened.set()
        assert await asyncio.gather(*tasks) == [0, 1, 2, 3, 4]

    async def test_refuses_what_would_wait_too_long(self) -> None:
        pool, gate = WorkPool(threads=1, queue_size=2), Gate()
        tasks = [asyncio.create_task(pool.run(gate.work(number))) for number in range(3)]
        await until(lambda: gate.started == [0])
        with pytest.raises(Unavailable):
            await pool.run(gate.work(3))
        gate.opened.set()
        assert await asyncio.gather(*tasks) == [0, 1, 2]
        assert await pool.run(gate.work(4)) == 4

    @pytest.mark.parametrize(("yields", "turns"), [(True, 3), (False, 0)])
    async def test_leaves_the_event_loop_its_turns(
        self, monkeypatch: pytest.MonkeyPatch, *, yields: bool, turns: int
    ) -> None:
        """Where requests wait, once each two milliseconds."""
        clock = Clock()
        monkeypatch.setattr("gqlapi.work_pool.time", clock)

        def compute(checkpoint: Checkpoint) -> None:
            for milliseconds in (1, 1.5, 1, 1.5, 0.1, 5, 0):
                clock.now += milliseconds / 1_000
                checkpoint()

        await WorkPool(yields=yields).run(compute)
        assert len(clock.pauses) == turns


class Clock:
    """Does not move until it is set."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


class TestCancellation:
    async def test_drops_what_waits(self) -> None:
        pool, gate = WorkPool(threads=1, queue_size=1), Gate()
        running, waiting = (asyncio.create_task(pool.run(gate.work(number))) for number in range(2))
        await until(lambda: gate.started == [0])
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        following = asyncio.create_task(pool.run(gate.work(2)))  # there is room for it again
        gate.opened.set()
        assert (await running, await following) == (0, 2)
        assert gate.started == [0, 2]

    async def test_ends_what_runs_at_its_next_checkpoint(self) -> None:
        pool, gate = WorkPool(threads=1), Gate()
        running = asyncio.create_task(pool.run(gate.work(0)))
        await until(lambda: gate.started == [0])
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await until(lambda: gate.ended == [0])
        assert not gate.opened.is_set()
        gate.opened.set()
        assert await pool.run(gate.work(1)) == 1
