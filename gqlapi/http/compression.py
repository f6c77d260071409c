"""Compressed answers, for servers without a proxy that compresses: RFC 9110, section 8.4.

Compression runs in slices of some milliseconds at most, between which other requests have their turn.
"""

import asyncio
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from starlette.types import Scope, Send

from gqlapi.http.clients import Headers
from gqlapi.http.json import HeaderList, Json, send_json
from gqlapi.http.media_types import weights_of

# The head of a response takes as much.
MIN_BYTES = 1_024
# What is compressed at once: measured 1 ms.
SLICE_BYTES = 32_768
ACCEPT_ENCODING = b"accept-encoding"
GZIP_LEVEL, GZIP_BITS = 6, 31
BROTLI_QUALITY = 4


class Coder(Protocol):
    """Compresses one body."""

    def add(self, data: bytes) -> bytes:
        """Add a piece, and return what is ready to be sent."""

    def end(self) -> bytes:
        """Return the rest."""


class Gzip:
    """RFC 1952."""

    def __init__(self) -> None:
        """Start a body."""
        self._coder = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP_BITS)
        self.add = self._coder.compress
        self.end: Callable[[], bytes] = self._coder.flush


class Brotli:
    """RFC 7932; needs the package of the extra `brotli`."""

    def __init__(self) -> None:
        """Start a body."""
        self._coder: Any = brotli.Compressor(quality=BROTLI_QUALITY)
        self.add: Callable[[bytes], bytes] = self._coder.process
        self.end: Callable[[], bytes] = self._coder.finish


# The better one first.
CODERS: Mapping[bytes, Callable[[], Coder]] = {b"gzip": Gzip}
try:
    import brotli
except ImportError:
    pass
else:
    CODERS = {b"br": Brotli, **CODERS}


class Compression:
    """Decides which answers are compressed, and sends them."""

    def __init__(self, *, is_on: bool) -> None:
        """Compress, or leave that to a proxy."""
        self.is_on = is_on

    def coding_of(self, scope: Scope, headers: Headers, length: int) -> bytes | None:
        """Return the coding of an answer of some length to a request; None: it is sent as it is.

        Of the codings that the client prefers most, the better one. HTTP/1.0 has no bodies of unknown length.
        """
        accepted = headers.get(ACCEPT_ENCODING) if self.is_on and length >= MIN_BYTES else None
        if accepted is None or scope["http_version"] == "1.0":
            return None
        weights = weights_of(accepted)
        rest = weights.get(b"*", 0.0)
        weight, coding = max(
            ((weights.get(name, rest), name) for name in CODERS), key=lambda pair: pair[0], default=(0.0, b"")
        )
        return coding if weight else None

    async def send(self, send: Send, status: int, content: bytes | Json, headers: HeaderList, coding: bytes) -> None:
        """Send an answer in a coding: a long one piece by piece, while it is compressed."""
        headers = [*headers, (b"content-encoding", coding)]
        if not any(name == b"vary" and b"Accept-Encoding" in value for name, value in headers):
            headers.append((b"vary", b"Accept-Encoding"))
        coder = CODERS[coding]()
        if len(content) <= SLICE_BYTES:
            await send_json(send, status, coder.add(b"".join(_slices(content))) + coder.end(), headers)
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for piece in _slices(content):
            if compressed := coder.add(piece):
                await send({"type": "http.response.body", "body": compressed, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": coder.end()})


def _slices(content: bytes | Json) -> Iterator[bytes]:
    for piece in (content,) if isinstance(content, bytes) else content:
        for start in range(0, len(piece), SLICE_BYTES):
            yield piece[start : start + SLICE_BYTES]
