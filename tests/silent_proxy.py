"""A proxy in front of PostgreSQL that lets one connection die without a word, as a firewall or a lost host does."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import sqlalchemy as sa

# https://www.postgresql.org/docs/current/protocol-message-formats.html
PROTOCOL_3_0 = 196608
INT_BYTES = 4
# A simple query, a statement to be prepared, and one that was prepared before.
QUERY, PARSE, BIND = b"Q", b"P", b"B"


class SilentProxy:
    """Passes everything on, until a statement matches: nothing comes through that connection any more, either way."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._prefix, self._count = b"", 0
        self._links: dict[asyncio.Task[Any], asyncio.Event] = {}
        # Statements that did not come through.
        self.swallowed: list[bytes] = []
        self.silenced = 0

    def arm(self, prefix: str, *, count: int = 1) -> None:
        """Silence the next connections on which a statement begins so."""
        self._prefix, self._count = prefix.encode(), count

    def silence_all(self) -> None:
        """Silence the connections that are open now, and none that is opened later."""
        for silence in self._links.values():
            silence.set()

    async def serve(self, client: StreamReader, to_client: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        silence = self._links[task] = asyncio.Event()
        server, to_server = await asyncio.open_connection(self._host, self._port)
        back = asyncio.create_task(_copy(server, to_client, silence))
        try:
            await self._forward(client, to_server, silence)
        finally:
            back.cancel()
            for writer in (to_client, to_server):
                writer.close()
            del self._links[task]

    async def _forward(self, client: StreamReader, to_server: StreamWriter, silence: asyncio.Event) -> None:
        prepared: dict[bytes, bytes] = {}
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await _pass_startup(client, to_server)
            while True:
                kind, body = await _message(client)
                text = _statement(kind, body, prepared)
                if not silence.is_set() and self._matches(text):
                    silence.set()
                if not silence.is_set():
                    to_server.write(kind + (len(body) + INT_BYTES).to_bytes(INT_BYTES) + body)
                elif text is not None:
                    self.swallowed.append(text)

    def _matches(self, text: bytes | None) -> bool:
        if text is None or not self._count or not text.startswith(self._prefix):
            return False
        self._count -= 1
        self.silenced += 1
        return True

    async def close(self) -> None:
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links)


async def _copy(source: StreamReader, target: StreamWriter, silence: asyncio.Event) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65_536):
            if not silence.is_set():
                target.write(data)
        if not silence.is_set():
            target.close()


async def _pass_startup(client: StreamReader, to_server: StreamWriter) -> None:
    """Pass the first messages, which have no type: a request for TLS or for a cancellation, and the start itself."""
    protocol = 0
    while protocol != PROTOCOL_3_0:
        length = await client.readexactly(INT_BYTES)
        body = await client.readexactly(int.from_bytes(length) - INT_BYTES)
        to_server.write(length + body)
        protocol = int.from_bytes(body[:INT_BYTES])


async def _message(client: StreamReader) -> tuple[bytes, bytes]:
    kind = await client.readexactly(1)
    length = int.from_bytes(await client.readexactly(INT_BYTES))
    return kind, await client.readexactly(length - INT_BYTES)


def _statement(kind: bytes, body: bytes, prepared: dict[bytes, bytes]) -> bytes | None:
    """Return the text of the statement that a message brings or runs."""
    if kind == QUERY:
        return body
    first, _, rest = body.partition(b"\0")
    if kind == PARSE:
        prepared[first] = rest
        return rest
    return prepared.get(rest.partition(b"\0")[0]) if kind == BIND else None


@asynccontextmanager
async def silent_proxy(url: str) -> AsyncIterator[tuple[SilentProxy, str]]:
    """Start a proxy in front of a server; yield it with the URL that leads through it."""
    parsed = sa.make_url(url)
    proxy = SilentProxy(str(parsed.host), parsed.port or 5432)
    listener = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield proxy, parsed.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    finally:
        listener.close()
        await proxy.close()
