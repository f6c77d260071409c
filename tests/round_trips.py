"""A proxy in front of PostgreSQL that counts the round trips of a driver."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy as sa

READY_FOR_QUERY = b"Z"
# The server's answer to a client that would like TLS: no message, but one byte.
NO_TLS = b"N"
HEADER_BYTES = 5


class RoundTrips:
    """The answers of a server: it ends each with ReadyForQuery, a BEGIN's like a statement's.

    https://www.postgresql.org/docs/current/protocol-message-formats.html
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.count = 0

    async def forward(self, source: StreamReader, target: StreamWriter) -> None:
        """Pass the messages of a server on, and count those that end an answer."""
        is_first = True
        try:
            while True:
                kind = await source.readexactly(1)
                is_without_tls, is_first = is_first and kind == NO_TLS, False
                if is_without_tls:
                    target.write(kind)
                    continue
                length = await source.readexactly(HEADER_BYTES - 1)
                body = await source.readexactly(int.from_bytes(length) - len(length))
                self.count += kind == READY_FOR_QUERY
                target.write(kind + length + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            target.close()


async def _copy(source: StreamReader, target: StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            target.write(data)
    except ConnectionError:
        pass
    target.close()


@asynccontextmanager
async def counted_round_trips(url: str) -> AsyncIterator[RoundTrips]:
    """Count the round trips to a server through another URL than its own."""
    server_url = sa.make_url(url)

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        upstream = await asyncio.open_connection(server_url.host, server_url.port)
        await asyncio.gather(_copy(reader, upstream[1]), trips.forward(upstream[0], writer))

    proxy = await asyncio.start_server(serve, "127.0.0.1")
    port = proxy.sockets[0].getsockname()[1]
    trips = RoundTrips(server_url.set(port=port).render_as_string(hide_password=False))
    async with proxy:
        yield trips
