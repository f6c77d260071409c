"""The transport of the tests' clients, against that of httpx."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from gqlapi import __version__
from tests.api import NO_TLS, Api
from tests.wire import WireTransport

QUERY = {"query": "{ serverInfo { version } }"}
OF_A_MOMENT = {"date", "x-request-id"}
Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def clients(url: str) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Clients with either transport."""
    async with (
        httpx.AsyncClient(base_url=url, transport=WireTransport()) as ours,
        httpx.AsyncClient(base_url=url, verify=NO_TLS) as theirs,
    ):
        yield [ours, theirs]


@asynccontextmanager
async def answering(*parts: bytes) -> AsyncIterator[str]:
    """A server that sends these bytes after the head of a request, and closes the connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def pieces() -> AsyncIterator[bytes]:
    yield b'{"query": '
    yield b'"{ serverInfo { version } }"}'


class TestWireTransport:
    @pytest.mark.parametrize("dialect", ["sqlite"], scope="module")
    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "OPTIONS"])
    async def test_gets_what_httpx_gets(self, api: Api, method: str) -> None:
        async with clients(str(api.http.base_url)) as both:
            answers = [await http.request(method, "/graphql", json=QUERY) for http in both * 2]
        seen = [(answer.status_code, answer.content, answer.headers.multi_items()) for answer in answers]
        plain = [(*rest, [pair for pair in headers if pair[0] not in OF_A_MOMENT]) for *rest, headers in seen]
        assert plain == plain[:1] * 4

    @pytest.mark.parametrize("dialect", ["sqlite"], scope="module")
    async def test_sends_a_body_in_pieces(self, api: Api) -> None:
        headers = {"Content-Type": "application/json"}
        answer = await api.http.post("/graphql", content=pieces(), headers=headers)
        assert answer.json()["data"]["serverInfo"]["version"] == __version__

    @pytest.mark.parametrize(
        "parts",
        [
            [],
            [b"HTTP/1.1 200 OK\r\nContent-"],
            [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"],
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"],
            [b"SMTP\r\n\r\n"],
        ],
    )
    async def test_refuses_an_answer_that_is_cut_off(self, parts: list[bytes]) -> None:
        async with answering(*parts) as url, clients(url) as both:
            for http in both:
                with pytest.raises(httpx.RemoteProtocolError):
                    await http.get("/")

    async def test_reads_an_answer_to_half_a_request(self) -> None:
        answer = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge"
        async with answering(answer) as url, clients(url) as both:
            for http in both:
                response = await http.post("/", content=b"x" * 4_000)
                assert (response.status_code, response.text) == (413, "large")

    async def test_passes_over_what_only_announces_an_answer(self) -> None:
        announced = b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        async with (
            answering(*announced, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as url,
            clients(url) as both,
        ):
            for http in both:
                response = await http.get("/")
                assert (response.status_code, response.text, dict(response.headers)) == (
                    200,
                    "ok",
                    {"content-length": "2"},
                )

    async def test_waits_no_longer_than_it_may(self) -> None:
        async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        async with await asyncio.start_server(wait, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with httpx.AsyncClient(transport=WireTransport(), timeout=0.01) as http:
                with pytest.raises(httpx.ReadTimeout):
                    await http.get(f"http://127.0.0.1:{port}/")

    async def test_refuses_without_a_server(self, unused_tcp_port: int) -> None:
        async with httpx.AsyncClient(transport=WireTransport()) as http:
            with pytest.raises(httpx.ConnectError):
                await http.get(f"http://127.0.0.1:{unused_tcp_port}/")
