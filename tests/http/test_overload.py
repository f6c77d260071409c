"""Refusals are cheap for the others, and a queue that moves refuses nothing."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gqlapi.database.gate import PoolGate
from gqlapi.errors import Unavailable
from gqlapi.http.body import parse_json
from gqlapi.http.failures import Pacer
from gqlapi.serving.disconnect import Disconnect
from tests.clocks import run_in_jumps

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


class TestPacer:
    async def test_delays_refusals_beyond_the_rate_up_to_a_bound(self) -> None:
        pacer = Pacer(10, 0.5)
        delays = [pacer.take() for _ in range(20)]
        assert delays[0] == 0
        assert delays == sorted(delays)
        assert delays[-1] == pytest.approx(0.5)


class TestQueue:
    def test_that_moves_refuses_nothing_before_the_last_bound(self) -> None:
        async def move() -> None:
            gate = PoolGate(1, queue_size=10, timeout_seconds=1)
            place = await gate.enter()
            waiting = [asyncio.create_task(gate.enter()) for _ in range(4)]
            for task in waiting:
                await asyncio.sleep(0.6)
                place.leave()
                place = await task

        run_in_jumps(move())

    def test_that_does_not_move_refuses(self) -> None:
        async def wait() -> None:
            gate = PoolGate(1, queue_size=10, timeout_seconds=1)
            await gate.enter()
            with pytest.raises(Unavailable):
                await gate.enter()
            assert asyncio.get_running_loop().time() == 1

        run_in_jumps(wait())


class TestDisconnect:
    def test_calls_back(self) -> None:
        disconnect, calls = Disconnect(), []
        disconnect.callback = lambda: calls.append(1)
        disconnect.happen()
        assert (disconnect.has_happened, calls) == (True, [1])


class TestParseJson:
    @given(VALUES)
    def test_reads_what_the_standard_library_reads(self, value: object) -> None:
        text = json.dumps(value)
        assert parse_json(text.encode()) == json.loads(text)
