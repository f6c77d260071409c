"""Clients that send or read too slowly, or not at all, lose their connection; the others do not notice."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.processes import Folder, Server
from tests.serving.clients import HEAD, Answer, Client, many_clients, request, resident_megabytes, start_application
from tests.serving.conftest import TIMEOUT_SECONDS

POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"
ANSWER_BYTES = 20_000_000
UNSENT_MEGABYTES = 32


class Ending:
    """What a client got, and after how long its connection was closed."""

    def __init__(self, server: Server, sent: bytes, drip: bytes = b"") -> None:
        started, ended = time.monotonic(), threading.Event()
        with Client(server, sent) as client, ThreadPoolExecutor() as threads:
            threads.submit(self._drip, client, drip, ended)
            try:
                self.received = client.receive_all()
            finally:
                ended.set()
        self.seconds = time.monotonic() - started

    def _drip(self, client: Client, drip: bytes, ended: threading.Event) -> None:
        while drip and not ended.wait(0.1):
            client.send(drip)


@pytest.fixture(scope="module")
def endings(server: Server) -> dict[str, Ending]:
    """The endings of several clients, which wait at the same time."""
    clients: dict[str, Callable[[], Ending]] = {
        "silent": partial(Ending, server, b""),
        "half a head": partial(Ending, server, HEAD % b"readyz"),
        "dripping head": partial(Ending, server, HEAD % b"readyz" + b"X: ", b"a"),
        "half a body": partial(Ending, server, POST + b"a"),
        "dripping body": partial(Ending, server, POST.replace(b"10", b"1000") + b"a", b"a"),
        "half a body that is not read": partial(Ending, server, POST.replace(b"/", b"/ignore", 1) + b"a"),
        "idle": partial(Ending, server, HEAD % b"readyz" + b"\r\n"),
        "waiting": partial(Ending, server, HEAD % b"late/3.5" + b"Connection: close\r\n\r\n"),
        "half a pipeline": partial(Ending, server, HEAD % b"late/3.5" + b"\r\n" + HEAD % b"readyz"),
    }
    with ThreadPoolExecutor(len(clients)) as threads:
        futures = {name: threads.submit(client) for name, client in clients.items()}
        assert request(server).status == 200
        return {name: future.result() for name, future in futures.items()}


class TestReceiving:
    def test_closes_a_connection_that_sends_nothing(self, endings: dict[str, Ending]) -> None:
        assert endings["silent"].received == b""
        assert endings["silent"].seconds >= TIMEOUT_SECONDS

    @pytest.mark.parametrize("name", ["half a head", "dripping head", "half a body", "dripping body"])
    def test_answers_408_when_a_request_is_late(self, endings: dict[str, Ending], name: str) -> None:
        answer = Answer(endings[name].received)
        assert (answer.status, answer.code, answer.size) == (408, "TIMEOUT", len(endings[name].received))

    def test_closes_after_the_answer_when_the_body_does_not_come(self, endings: dict[str, Ending]) -> None:
        assert endings["half a body that is not read"].received.endswith(b"ignored")

    def test_closes_an_idle_connection(self, endings: dict[str, Ending]) -> None:
        assert endings["idle"].received.endswith(b"ready")
        assert endings["idle"].seconds >= TIMEOUT_SECONDS

    def test_lets_a_client_wait_for_the_application(self, endings: dict[str, Ending]) -> None:
        assert endings["waiting"].seconds > 2 * TIMEOUT_SECONDS
        assert endings["waiting"].received.endswith(b"late")

    def test_answers_earlier_requests_before_a_late_one(self, endings: dict[str, Ending]) -> None:
        received = endings["half a pipeline"].received
        first = Answer(received)
        assert (first.body, Answer(received[first.size :]).code) == (b"late", "TIMEOUT")


class TestSlowReaders:
    def test_are_dropped_and_their_answers_forgotten(self, server: Server) -> None:
        before = resident_megabytes(server)
        with Client(server, HEAD % b"bytes/%d" % ANSWER_BYTES + b"\r\n") as client:
            log = server.wait_until_logged("slow reader dropped", times=1)
            assert len(client.receive_all()) < ANSWER_BYTES
        assert "unsent=" in log
        assert resident_megabytes(server) - before < 10

    def test_together_hold_no_more_than_the_budget(self, folder: Folder) -> None:
        server = start_application(folder)
        server.wait_until_ready()
        before = resident_megabytes(server)
        with many_clients(server, HEAD % b"bytes/%d" % ANSWER_BYTES + b"\r\n", number=20):
            # The kernel takes some megabytes of each; those that do not fit are dropped long before the timeout.
            server.wait_until_logged("slow reader dropped", times=15)
            assert resident_megabytes(server) - before < 2 * UNSENT_MEGABYTES + ANSWER_BYTES / 1e6
            assert request(server, "bytes/1000000").body == b"x" * 1_000_000

    def test_do_not_start_another_answer(self, server: Server) -> None:
        big = HEAD % b"bytes/%d" % ANSWER_BYTES + b"\r\n"
        with Client(server, big + HEAD % b"late/0.0" + b"Connection: close\r\n\r\n") as client:
            received = client.receive_all()
        first = Answer(received)
        assert (len(first.body), Answer(received[first.size :]).body) == (ANSWER_BYTES, b"late")


class TestCrowds:
    @pytest.fixture
    def crowded(self, folder: Folder) -> Iterator[Server]:
        server = start_application(folder, max_connections=20)
        server.wait_until_ready()
        yield server
        assert server.log.read_text().count("connection limit reached") == 1

    @pytest.mark.parametrize("sent", [b"", HEAD % b"readyz", HEAD % b"readyz" + b"\r\n", POST])
    def test_of_waiting_connections_make_room(self, crowded: Server, sent: bytes) -> None:
        with many_clients(crowded, sent, number=40) as clients:
            for _ in range(5):
                assert request(crowded).status == 200
            for client in clients[:20]:  # those that waited longest are closed already
                client.receive_all()

    def test_of_busy_connections_are_protected(self, crowded: Server) -> None:
        with many_clients(crowded, HEAD % b"late/1.5" + b"Connection: close\r\n\r\n", number=20) as clients:
            with Client(crowded) as another:
                [refused] = another.receive_answers()
            assert (refused.status, refused.code, "retry-after: 1" in refused.head) == (503, "UNAVAILABLE", True)
            assert [Answer(client.receive_all()).body for client in clients] == [b"late"] * 20
        assert request(crowded).status == 200
