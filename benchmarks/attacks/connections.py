"""Attacks by connections that never finish what they began: slow, endless, or deaf."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.attacks.attack import aliased
from benchmarks.attacks.light import Light, querying
from benchmarks.attacks.processes import Service, serving

MEGABYTE = 1024 * 1024
CHUNK = b"a" * 65_536
# An endless stream ends here when the server takes it all.
MAX_SENT_BYTES = 100 * MEGABYTE
HEAD = b"POST /graphql HTTP/1.1\r\nHost: attacked\r\nContent-Type: application/json\r\n"
BODIES = json.dumps({"query": "{posts(first:100){nodes{" + aliased(5, "content{html}") + "}}}"}).encode()


@dataclass(frozen=True, slots=True)
class Stream:
    """Connections that send a beginning, and then the same bytes again and again; deaf ones read no answer."""

    name: str
    connections: int
    beginning: bytes
    repeated: bytes = b""
    is_deaf: bool = False


STREAMS = (
    Stream("idle", 300, b""),
    Stream("half a head", 300, HEAD),
    Stream("half a body", 300, HEAD + b'Content-Length: 1000\r\n\r\n{"query":"'),
    Stream("headers without end", 1, HEAD, b"X-Header: a\r\n" * 5_000),
    Stream("a header without end", 1, HEAD + b"X-Header: ", CHUNK),
    Stream("a URL without end", 1, b"GET /graphql?query=", CHUNK),
    Stream("a body without end", 1, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + CHUNK + b"\r\n"),
    Stream(
        "answers that are not read", 20, HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(BODIES), BODIES), is_deaf=True
    ),
)


@dataclass(frozen=True, slots=True)
class Held:
    """What connections held after some seconds: how many were still open, bytes taken, and memory."""

    stream: Stream
    still_open: int
    sent_mb: float
    growth_mb: float
    light: Light


async def hold_all(database_url: str, folder: Path, seconds: float) -> list[Held]:
    """Hold connections of each kind. Each kind has a new server."""
    held = []
    for stream in STREAMS:
        with serving(database_url, folder) as service:
            held.append(await _hold(service, stream, seconds))
    return held


async def _hold(service: Service, stream: Stream, seconds: float) -> Held:
    async with querying(service.url) as light:
        rss, end = service.memory(), asyncio.get_running_loop().time() + seconds
        ended = await asyncio.gather(*(_connect(service, stream, end) for _ in range(stream.connections)))
        growth = service.memory("VmHWM") - rss
    sent = sum(sent for sent, _ in ended) / MEGABYTE
    return Held(stream, sum(is_open for _, is_open in ended), sent, max(0.0, growth), light)


async def _connect(service: Service, stream: Stream, end: float) -> tuple[int, bool]:
    """Return the bytes that were sent, and whether the connection is still open at the end."""
    address = urlsplit(service.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=1)
    sent = 0
    try:
        async with asyncio.timeout_at(end):
            writer.write(stream.beginning)
            await writer.drain()
            while stream.repeated and sent < MAX_SENT_BYTES:
                writer.write(stream.repeated)
                await writer.drain()
                sent += len(stream.repeated)
            if stream.is_deaf:  # a reader of one byte at most, which stops the kernel from taking more
                await asyncio.get_running_loop().create_future()
            while await reader.read(65_536):
                pass
    except TimeoutError:
        return sent, not writer.is_closing()
    except OSError:
        return sent, False
    finally:
        writer.transport.abort()
    return sent, False
