"""The gate in front of the pool: fair between clients, and never short of a place."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gqlapi.database.gate import ClientKeys, Place, PoolGate
from gqlapi.errors import Unavailable
from tests.examples import examples

SIZE, QUEUE_SIZE = 4, 6
CLIENTS: list[ClientKeys] = [("a",), ("b",), ("a", "token"), ("c", "token"), ()]


def make_gate(*, share: float = 0.5, queue_size: int = QUEUE_SIZE, timeout_seconds: float = 10) -> PoolGate:
    return PoolGate(SIZE, queue_size=queue_size, timeout_seconds=timeout_seconds, client_share=share)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class TestShare:
    async def test_of_one_client_leaves_places_to_the_others(self) -> None:
        gate = make_gate()
        places = [await gate.enter(("a",)) for _ in range(2)]
        third = asyncio.create_task(gate.enter(("a",)))
        await settle()
        assert not third.done()
        await asyncio.wait_for(gate.enter(("b",)), 1)  # no one waits behind a client that has its share
        places[0].leave()
        await asyncio.wait_for(third, 1)

    async def test_is_that_of_the_address_whatever_the_tokens(self) -> None:
        gate = make_gate()
        for token in ("1", "2"):
            await gate.enter(("a", token))
        waiting = asyncio.create_task(gate.enter(("a", "3")))
        await settle()
        assert not waiting.done()
        waiting.cancel()

    async def test_is_that_of_the_token_whatever_the_addresses(self) -> None:
        gate = make_gate()
        for address in ("1", "2"):
            await gate.enter((address, "token"))
        waiting = asyncio.create_task(gate.enter(("3", "token")))
        await settle()
        assert not waiting.done()
        waiting.cancel()

    async def test_of_the_queue_is_bounded_too(self) -> None:
        gate = make_gate()
        for _ in range(2):
            await gate.enter(("a",))
        waiting = [asyncio.create_task(gate.enter(("a",))) for _ in range(3)]
        await settle()
        with pytest.raises(Unavailable):
            gate.check(("a",))
        gate.check(("b",))
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        gate.check(("a",))

    async def test_is_at_least_one_place(self) -> None:
        gate = PoolGate(1, queue_size=0, timeout_seconds=1, client_share=0.1)
        await gate.enter(("a",))


class Simulation:
    """A gate beside a naive model of who is in."""

    def __init__(self) -> None:
        self.gate = make_gate()
        self.inside: list[tuple[ClientKeys, Place]] = []
        self.waiting: list[asyncio.Task[None]] = []

    async def enter(self, client: ClientKeys) -> None:
        place = await self.gate.enter(client)
        self.inside.append((client, place))

    async def step(self, action: int, client: ClientKeys) -> None:
        if action == 0 and self.inside:
            self.inside.pop(len(self.inside) // 2)[1].leave()
        elif action == 1 and self.waiting:
            self.waiting.pop(0).cancel()
        else:
            self.waiting.append(asyncio.create_task(self.enter(client)))
        await settle()
        for task in [task for task in self.waiting if task.done()]:
            self.waiting.remove(task)
            assert task.cancelled() or isinstance(task.exception(), Unavailable | None)
        self.check()

    def check(self) -> None:
        held = Counter(key for client, _ in self.inside for key in client)
        assert self.gate.free == SIZE - len(self.inside) >= 0
        assert all(count <= SIZE // 2 for count in held.values())
        assert self.gate.waiting == len(self.waiting) <= QUEUE_SIZE


class TestPlaces:
    @given(steps=st.lists(st.tuples(st.integers(0, 4), st.sampled_from(CLIENTS)), max_size=60))
    @examples(60)
    def test_are_neither_lost_nor_shared_in_any_history(self, steps: list[tuple[int, ClientKeys]]) -> None:
        async def run() -> None:
            simulation = Simulation()
            for action, client in steps:
                await simulation.step(action, client)
            for task in simulation.waiting:
                task.cancel()
            await settle()
            for _, place in simulation.inside:
                place.leave()
                place.leave()  # a second time does nothing
            assert (simulation.gate.free, simulation.gate.waiting) == (SIZE, 0)
            assert not simulation.gate._held
            assert not simulation.gate._queued

        asyncio.run(run())

    async def test_go_to_nobody_whose_wait_ended_at_that_moment(self) -> None:
        gate = make_gate(share=1, timeout_seconds=0.01)
        places = [await gate.enter() for _ in range(SIZE)]
        late = asyncio.create_task(gate.enter())
        await asyncio.sleep(0.02)
        places[0].leave()
        with pytest.raises(Unavailable):
            await late
        assert gate.free == 1
