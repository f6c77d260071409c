"""Bodies of requests: bounded while they arrive, and read as JSON without surprises."""

import json
import re
from http import HTTPStatus
from typing import Any, NoReturn

import orjson
from starlette.types import Receive

from gqlapi.errors import Code
from gqlapi.http.failures import HttpFailure, busy

# Twice what `variables` may have by default; they are counted again, by the limit that is set.
MAX_VALUES = 20_000
# It matches from every quote, up to the end of the data: a match that fails would be tried from each quote.
JSON_STRING = re.compile(rb'"[^"]*+(?:"|\Z)')
# orjson reads an integer of over 64 bits as a float.
LONG_INTEGER = re.compile(rb"[0-9]{19}")
CHUNK_BYTES = 65_536
SEPARATORS = (b"[", b"{", b",")
# 64 bodies of the largest size; ordinary ones are a thousandth of it.
MAX_BYTES_TOGETHER = 64 * 1_048_576


class Bodies:
    """The bodies of the requests that a process serves: each is bounded, and so are all of them together."""

    def __init__(self, max_bytes: int, *, max_bytes_together: int = MAX_BYTES_TOGETHER) -> None:
        """Allow `max_bytes` for one body."""
        self._max_bytes = max_bytes
        self._max_bytes_together = max_bytes_together
        self.bytes = 0

    async def read(self, receive: Receive, declared: bytes = b"") -> bytes:
        """Read a body, counting while it arrives: its `declared` length may lie.

        Its bytes count until `release`.

        Raises:
            HttpFailure: it is larger than allowed, or the bodies together are, or the client went away.
        """
        if declared.isdigit() and int(declared) > self._max_bytes:
            raise self._too_large()
        size, chunks, more = 0, [], True
        try:
            while more:
                chunk, more = await _receive(receive)
                size += len(chunk)
                self.bytes += len(chunk)
                self._check(size)
                chunks.append(chunk)
        except BaseException:
            self.release(size)
            raise
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def release(self, size: int) -> None:
        """Stop counting a body."""
        self.bytes -= size

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            raise self._too_large()
        if self.bytes > self._max_bytes_together:
            raise busy()

    def _too_large(self) -> HttpFailure:
        return HttpFailure(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {self._max_bytes} bytes.")


def parse_json(data: str | bytes) -> Any:
    """Read JSON as RFC 8259 defines it.

    Raises:
        HttpFailure: it is not JSON, not UTF-8, nested too deeply, has too many values, or holds a number too long to
            read.
    """
    if isinstance(data, bytes) and has_many_values(data):
        message = f"The body has over {MAX_VALUES} values."
        raise HttpFailure(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message, code=Code.LIMIT_EXCEEDED)
    encoded = data if isinstance(data, bytes) else data.encode(errors="surrogatepass")
    if not LONG_INTEGER.search(encoded):
        try:
            return orjson.loads(encoded)
        except orjson.JSONDecodeError:
            pass  # it may hold what only the standard library accepts: a lone surrogate, a number beyond all bounds
    try:
        # As text: given bytes, it would read UTF-16 and UTF-32 as well.
        return json.loads(encoded.decode("utf-8-sig", "surrogatepass"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise _not_json(data) from None


def _not_json(data: str | bytes) -> HttpFailure:
    """Return the refusal of a body, which is bytes, or of a parameter of a URL, which is text."""
    if isinstance(data, bytes):
        return HttpFailure(HTTPStatus.BAD_REQUEST, "The body is not valid JSON.")
    return HttpFailure(HTTPStatus.UNPROCESSABLE_ENTITY, "`variables` or `extensions` is not valid JSON.")


async def _receive(receive: Receive) -> tuple[bytes, bool]:
    """Return a part of a body, and whether another one follows."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise HttpFailure(HTTPStatus.BAD_REQUEST, "The body is not complete.")
    return message.get("body", b""), message.get("more_body", False)


def has_many_values(data: bytes) -> bool:
    """Whether JSON has more values than a request needs, which take up to fifty times their length in memory.

    Counted in the text, before anything is made of it.
    """
    return _count_separators(data) > MAX_VALUES and count_values(data) > MAX_VALUES


def count_values(data: bytes) -> int:
    """Return the number of brackets and commas outside of strings, in linear time and little memory."""
    data = data.replace(rb"\\", b"").replace(rb"\"", b"")
    count, is_inside = 0, False
    for start in range(0, len(data), CHUNK_BYTES):
        chunk = data[start : start + CHUNK_BYTES]
        count += _count_separators(JSON_STRING.sub(b"", b'"' + chunk if is_inside else chunk))
        is_inside ^= chunk.count(b'"') % 2 == 1
    return count


def _count_separators(data: bytes) -> int:
    return sum(map(data.count, SEPARATORS))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
