"""The bookkeeping of connections, without sockets and without waiting."""

import asyncio
from collections.abc import AsyncIterator
from math import inf
from typing import Any, cast

import pytest
from uvicorn.server import ServerState

from gqlapi.serving import limits
from gqlapi.serving.connections import Connections
from gqlapi.serving.limits import MAX_HEADER_BYTES, MAX_URL_BYTES, MIN_BYTES_PER_SECOND, ConnectionLimits
from gqlapi.serving.protocol import BoundedProtocol
from gqlapi.serving.server import ServerConfig
from gqlapi.serving.statistics import STATISTICS
from gqlapi.serving.websocket import BoundedWebSocket

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"


class FakeTransport:
    """Notes what the protocol does with it."""

    def __init__(self) -> None:
        self.unsent = 0
        self.ended = ""
        self.written = b""
        self.writes = 0

    def get_extra_info(self, _name: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def can_write_eof(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.written += data
        self.writes += 1

    def abort(self) -> None:
        self.ended = self.ended or "aborted"

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def is_closing(self) -> bool:
        return bool(self.ended)

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Connected(BoundedProtocol):
    """A protocol with a fake transport."""

    def __init__(self, config: ServerConfig, guard: Connections) -> None:
        super().__init__(config, ServerState(), {}, asyncio.get_running_loop(), guard=guard)
        self.fake = FakeTransport()
        self.connection_made(cast("Any", self.fake))


class ConnectedWebSocket(BoundedWebSocket):
    """A WebSocket with a fake transport."""

    def __init__(self, config: ServerConfig, guard: Connections) -> None:
        super().__init__(config, ServerState(), {}, guard=guard)
        self.fake = FakeTransport()
        self.connection_made(cast("Any", self.fake))
        guard.become_socket(self, self)


@pytest.fixture
def config() -> ServerConfig:
    config = ServerConfig("tests.serving.application:create_app", ConnectionLimits())
    config.load()
    return config


@pytest.fixture
async def guard() -> AsyncIterator[Connections]:
    guard = Connections(ConnectionLimits(max_connections=3, send_timeout_seconds=10))
    yield guard
    for connection in [*guard._open]:
        cast("Connected", connection).connection_lost(None)
    if guard._timer is not None:
        guard._timer.cancel()


class TestCheckSending:
    @pytest.mark.parametrize("connected", [Connected, ConnectedWebSocket])
    async def test_drops_a_client_that_takes_less_than_the_least_rate(
        self, config: ServerConfig, guard: Connections, connected: type[Connected | ConnectedWebSocket]
    ) -> None:
        dropped = STATISTICS.refusals["slow_reader"]
        slow = connected(config, guard)
        least = 10 * MIN_BYTES_PER_SECOND
        for now, unsent in ((0, 1_000_000), (5, 1_000_000 - least // 2), (9.9, 1_000_001 - least)):
            slow.fake.unsent = unsent
            slow.check_sending(now)
            assert slow.fake.ended == ""
        slow.check_sending(10)
        assert slow.fake.ended == "aborted"
        assert STATISTICS.refusals["slow_reader"] == dropped + 1

    async def test_keeps_a_client_that_takes_enough(self, config: ServerConfig, guard: Connections) -> None:
        steady = Connected(config, guard)
        for now in range(0, 100, 9):
            steady.fake.unsent = 5_000_000 - now * 2 * MIN_BYTES_PER_SECOND
            steady.check_sending(now)
        assert steady.fake.ended == ""

    async def test_begins_anew_when_everything_was_sent(self, config: ServerConfig, guard: Connections) -> None:
        client = Connected(config, guard)
        for now, unsent in ((0, 100), (9, 0), (11, 100), (20, 100)):
            client.fake.unsent = unsent
            client.check_sending(now)
        assert client.fake.ended == ""


class TestExpire:
    async def test_gives_a_large_body_more_time(self, config: ServerConfig, guard: Connections) -> None:
        client = Connected(config, guard)
        client.data_received(BODY + b"a" * 10 * MIN_BYTES_PER_SECOND)
        client.flow.resume_reading()
        began = client._body_since
        client.expire(began + 10)
        assert (client.fake.ended, client.deadline) == ("", began + 20)
        client.cycle.message_event.clear()
        client.expire(began + 20)
        assert client.fake.written.startswith(b"HTTP/1.1 408 ")
        assert client.cycle.message_event.is_set()  # the application does not wait for the rest

    async def test_waits_while_the_server_does_not_read(self, config: ServerConfig, guard: Connections) -> None:
        client = Connected(config, guard)
        client.data_received(BODY + b"a" * 100_000)
        assert client.flow.read_paused
        client.expire(client._body_since + 1_000)
        assert client.fake.ended == ""

    async def test_does_not_touch_a_request_that_is_complete(self, config: ServerConfig, guard: Connections) -> None:
        client = Connected(config, guard)
        client.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.deadline == inf


class TestAdmit:
    async def test_closes_the_connection_that_waited_longest(self, config: ServerConfig, guard: Connections) -> None:
        clients = [Connected(config, guard) for _ in range(5)]
        assert [client.fake.ended for client in clients] == ["aborted", "aborted", "", "", ""]
        assert len(guard) == 3

    async def test_spares_those_with_a_complete_request(self, config: ServerConfig, guard: Connections) -> None:
        busy = [Connected(config, guard) for _ in range(3)]
        for client in busy[:2]:
            client.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        another = Connected(config, guard)
        assert [client.fake.ended for client in (*busy, another)] == ["", "", "aborted", ""]
        another.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert Connected(config, guard).fake.written.startswith(b"HTTP/1.1 503 ")


class TestStall:
    async def test_drops_the_oldest_until_the_rest_fits(
        self, config: ServerConfig, guard: Connections, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gqlapi.serving.connections.MAX_UNSENT_BYTES", 100)
        clients = [Connected(config, guard) for _ in range(3)]
        for client, unsent in zip(clients, (40, 40, 60), strict=True):
            client.fake.unsent = unsent
            client.pause_writing()
        assert [client.fake.ended for client in clients] == ["aborted", "", ""]

    async def test_never_drops_the_only_one(
        self, config: ServerConfig, guard: Connections, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gqlapi.serving.connections.MAX_UNSENT_BYTES", 100)
        client = Connected(config, guard)
        client.fake.unsent = 1_000
        client.pause_writing()
        assert client.fake.ended == ""


class TestAnswer:
    async def test_is_sent_in_one_piece(self, config: ServerConfig, guard: Connections) -> None:
        client = Connected(config, guard)
        client.data_received(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
        while not client.cycle.response_complete:
            await asyncio.sleep(0)
        answer = client.fake.written
        assert client.fake.writes == 1
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\nready")


class TestCounting:
    @pytest.mark.parametrize(
        ("start", "data", "status"),
        [
            pytest.param(GET, b"X-A: aaaaaaaaaa\r\n", 431, id="headers"),
            pytest.param(GET + b"X-A: ", b"a", 431, id="header value"),
            pytest.param(GET + b"X-A:", b" ", 431, id="spaces"),
            pytest.param(GET, b"a", 431, id="header name"),
            pytest.param(b"GET /", b"a", 414, id="URL"),
            pytest.param(b"", b"\r\n", 431, id="empty lines"),
            pytest.param(CHUNKED + b"0\r\nX: ", b"a", 400, id="trailer"),
            pytest.param(CHUNKED + b"0\r\n", b"X-A: aaaaaaaaaa\r\n", 400, id="trailers"),
            pytest.param(CHUNKED + b"1;", b"a", 400, id="chunk extension"),
            pytest.param(CHUNKED, b"1\r\na\r\n", 400, id="tiny chunks"),
        ],
    )
    @pytest.mark.parametrize("size", [1_000, 250_000])
    async def test_refuses_what_has_no_end(
        self, config: ServerConfig, guard: Connections, start: bytes, data: bytes, status: int, size: int
    ) -> None:
        client = Connected(config, guard)
        client.data_received(start)
        taken, piece = 0, data * (size // len(data))
        while not client.fake.written:
            client.data_received(piece)
            taken += len(piece)
        assert client.fake.written.startswith(b"HTTP/1.1 %d " % status)
        assert taken <= MAX_URL_BYTES + MAX_HEADER_BYTES + size


class TestPipeline:
    async def test_waits_until_the_client_has_taken_the_previous_answer(
        self, config: ServerConfig, guard: Connections
    ) -> None:
        client = Connected(config, guard)
        client.pause_writing()
        client.data_received(GET + b"\r\n")
        assert (len(client.tasks), len(client.pipeline)) == (0, 1)
        client.resume_writing()
        assert (len(client.tasks), len(client.pipeline)) == (1, 0)


class TestBudget:
    async def test_is_not_needed_by_small_requests(self, config: ServerConfig, guard: Connections) -> None:
        guard.receiving_bytes = guard.limits.max_receiving_bytes
        small, large = Connected(config, guard), Connected(config, guard)
        small.data_received(BODY + b"a" * 10_000)
        large.data_received(BODY + b"a" * 20_000)
        assert (small.fake.written, large.fake.written[:13]) == (b"", b"HTTP/1.1 503 ")

    async def test_is_given_back(self, config: ServerConfig, guard: Connections) -> None:
        client = Connected(config, guard)
        client.data_received(BODY + b"a" * 50_000)
        assert guard.receiving_bytes > 30_000
        client.connection_lost(None)
        assert (guard.receiving_bytes, len(guard)) == (0, 0)


class TestFitOpenFiles:
    @pytest.mark.parametrize(
        ("files", "expected"),
        [(1_024, 920), (256, 152), (64, limits.MIN_CONNECTIONS), (100_000, 1_000), (-1, 1_000)],
    )
    def test_leaves_room_for_the_database(self, monkeypatch: pytest.MonkeyPatch, files: int, expected: int) -> None:
        resource = pytest.importorskip("resource")
        monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
        monkeypatch.setattr(resource, "RLIM_INFINITY", -1)
        assert limits.fit_open_files(1_000, 10) == expected
