"""Requests that are too large or malformed are refused while they arrive, and take no memory."""

import sys

import pytest

from gqlapi.serving.limits import LINGER_BYTES, MAX_HEADER_BYTES, MAX_HEADERS, MAX_PIPELINED, MAX_URL_BYTES
from tests.processes import Server
from tests.serving.clients import HEAD, Answer, Client, exchange, request, resident_megabytes

GET = HEAD % b"readyz"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSE = b"Connection: close\r\n\r\n"
MEGABYTE = 1024 * 1024


class TestSizes:
    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            pytest.param(b"GET /%s HTTP/1.1\r\n" % (b"a" * MAX_URL_BYTES), 414, id="URL"),
            pytest.param(GET + b"X: %s\r\n\r\n" % (b"a" * MAX_HEADER_BYTES), 431, id="header"),
            pytest.param(GET + (b"X: %s\r\n" % (b"a" * 1_000)) * 33 + b"\r\n", 431, id="headers"),
            pytest.param(GET + b"X: a\r\n" * MAX_HEADERS + b"\r\n", 431, id="many headers"),
            pytest.param(CHUNKED + b"1;" + b"a" * 2 * MAX_HEADER_BYTES + b"\r\na\r\n", 400, id="chunk extension"),
            pytest.param(CHUNKED + b"1\r\na\r\n" * 20_000, 400, id="tiny chunks"),
        ],
    )
    def test_above_the_limit_are_refused(self, server: Server, sent: bytes, status: int) -> None:
        [answer] = exchange(server, sent)
        assert (answer.status, answer.code) == (status, "BAD_REQUEST")
        assert "connection: close" in answer.head
        assert "x-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\n" in answer.head

    def test_at_the_limit_are_accepted(self, server: Server) -> None:
        headers = b"X: a\r\n" * (MAX_HEADERS - 3) + b"X: %s\r\n" % (b"a" * 30_000)
        [answer] = exchange(server, HEAD % (b"?" + b"a" * (MAX_URL_BYTES - 2)) + headers + CLOSE)
        assert (answer.status, answer.json["url"]) == (200, MAX_URL_BYTES - 2)

    def test_of_bodies_share_a_budget_that_small_requests_do_not_need(self, server: Server) -> None:
        with Client(server, POST + b"Content-Length: 900001\r\n\r\n" + b"a" * 900_000) as first:
            for _ in range(20):  # by then the event loop has read it all
                assert request(server).status == 200
            [refused] = exchange(server, POST + b"Content-Length: 200000\r\n\r\n" + b"a" * 200_000)
            [small] = exchange(server, POST + b"Content-Length: 9000\r\n\r\n" + b"a" * 9_000)
            first.send(b"a")
            [answer] = first.receive_answers()
        assert (refused.status, refused.code, "retry-after: 1" in refused.head) == (503, "UNAVAILABLE", True)
        assert [small.json["body"], answer.json["body"]] == [9_000, 900_001]

    def test_of_bodies_are_given_back_with_the_answer(self, server: Server) -> None:
        body = b"Content-Length: 900000\r\n\r\n" + b"a" * 900_000
        with Client(server, b"POST / HTTP/1.1\r\nHost: a\r\n" + body) as client:
            received = client.socket.recv(1_000)
            client.send(POST + body)
            received += client.receive_all()
        assert received.count(b'"body":900000') == 2


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
class TestWithoutEnd:
    @pytest.mark.parametrize(
        ("start", "data"),
        [
            pytest.param(GET, b"X-A: aaaaaaaaaa\r\n" * 1_000, id="headers"),
            pytest.param(GET + b"X-A: ", b"a" * 1_000, id="header value"),
            pytest.param(GET + b"X-A", b"a" * 1_000, id="header name"),
            pytest.param(b"GET /", b"a" * 1_000, id="URL"),
            pytest.param(CHUNKED + b"0\r\nX: ", b"a" * 1_000, id="trailer"),
            pytest.param(CHUNKED + b"0\r\n", b"X-A: aaaaaaaaaa\r\n" * 100, id="trailers"),
            pytest.param(CHUNKED + b"1;", b"a" * 1_000, id="chunk extension"),
            pytest.param(b"", b"\r\n" * 1_000, id="empty lines"),
            pytest.param(
                b"POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n", b"a" * 9_000, id="body"
            ),
            pytest.param(b"", (GET + b"\r\n") * 100, id="pipeline"),
        ],
    )
    def test_take_no_memory(self, server: Server, start: bytes, data: bytes) -> None:
        before = resident_megabytes(server)
        with Client(server, start) as client:
            taken = client.send_until_closed(data, at_most=10 * LINGER_BYTES)
            assert request(server).status == 200
            assert resident_megabytes(server) - before < 20
        # What the server throws away, and what the kernel holds for both sides.
        assert taken < LINGER_BYTES + 16 * MEGABYTE


class TestHost:
    @pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: a\r\n", b"Host: a\r\nhost: b\r\n"])
    def test_must_be_there_once(self, server: Server, hosts: bytes) -> None:
        [answer] = exchange(server, b"GET / HTTP/1.1\r\n" + hosts + b"\r\n")
        assert (answer.status, answer.code) == (400, "BAD_REQUEST")

    def test_may_be_missing_before_http_1_1(self, server: Server) -> None:
        [answer] = exchange(server, b"GET / HTTP/1.0\r\n\r\n")
        assert answer.status == 200


class TestUpgrades:
    @pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
    def test_are_ignored_and_the_body_is_read(self, server: Server, protocol: bytes) -> None:
        upgrade = b"Connection: Upgrade\r\nUpgrade: " + protocol + b"\r\nContent-Length: 5\r\n\r\nhello"
        head = b"POST / HTTP/1.1\r\nHost: a\r\n"
        first, second = exchange(server, head + upgrade + GET + CLOSE)
        assert (first.json["body"], second.status) == (5, 200)
        assert "upgrade" not in first.json["headers"]

    def test_to_a_tunnel_are_refused(self, server: Server) -> None:
        [answer] = exchange(server, b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (answer.status, answer.code) == (501, "BAD_REQUEST")


class TestParsing:
    def test_answers_nonsense_with_400(self, server: Server) -> None:
        [answer] = exchange(server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
        assert (answer.status, answer.code) == (400, "BAD_REQUEST")

    def test_keeps_trailers_out_of_the_headers(self, server: Server) -> None:
        [answer] = exchange(server, CHUNKED + b"5\r\nhello\r\n0\r\nAuthorization: x\r\n\r\n")
        assert (answer.json["body"], "authorization" in answer.json["headers"]) == (5, False)

    def test_answers_pipelined_requests_in_order_and_not_too_many(self, server: Server) -> None:
        numbers = range(2 * MAX_PIPELINED)
        answers = exchange(server, b"".join(HEAD % b"?%s" % (b"a" * number) + b"\r\n" for number in numbers))
        assert [answer.json["url"] for answer in answers] == [*numbers[: len(answers)]]
        assert MAX_PIPELINED <= len(answers) < len(numbers)

    def test_keeps_the_connection_after_a_body_that_nobody_read(self, server: Server) -> None:
        with Client(server, b"POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe") as client:
            first = client.socket.recv(1_000)
            client.send(b"llo" + GET + CLOSE)
            received = first + client.receive_all()
        assert (Answer(received).body, received.endswith(b"ready")) == (b"ignored", True)
