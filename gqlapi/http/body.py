"""Bodies of requests: bounded while they arrive, and read as JSON without surprises."""

import json
import re
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from gqlapi.errors import Code
from gqlapi.http.failures import HttpFailure, busy

HTTP_BAD_REQUEST = 400
HTTP_CONTENT_TOO_LARGE = 413
# Twice what `variables` may have by default; they are counted again, by the limit that is set.
MAX_VALUES = 20_000
# It matches from every quote, up to the end of the data if need be: a match that fails would be tried from each quote.
JSON_STRING = re.compile(rb'"[^"]*+(?:"|\Z)')
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

    async def read(self, request: Request) -> bytes:
        """Read a body, counting while it arrives: Content-Length may lie.

        Its bytes count until `release`.

        Raises:
            HttpFailure: it is larger than allowed, or the bodies together are, or the client went away.
        """
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._max_bytes:
            raise self._too_large()
        size, chunks = 0, []
        try:
            async for chunk in request.stream():
                size += len(chunk)
                self.bytes += len(chunk)
                self._check(size)
                chunks.append(chunk)
        except BaseException as error:
            self.release(size)
            if isinstance(error, ClientDisconnect):
                raise HttpFailure(HTTP_BAD_REQUEST, "The body is not complete.") from None
            raise
        return b"".join(chunks)

    def release(self, size: int) -> None:
        """Stop counting a body."""
        self.bytes -= size

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            raise self._too_large()
        if self.bytes > self._max_bytes_together:
            raise busy()

    def _too_large(self) -> HttpFailure:
        return HttpFailure(HTTP_CONTENT_TOO_LARGE, f"The body is larger than {self._max_bytes} bytes.")


def parse_json(data: str | bytes) -> Any:
    """Read JSON as RFC 8259 defines it.

    Raises:
        HttpFailure: it is not JSON, not UTF-8, nested too deeply, has too many values, or holds a number too long to
            read.
    """
    if isinstance(data, bytes) and has_many_values(data):
        message = f"The body has over {MAX_VALUES} values."
        raise HttpFailure(HTTP_BAD_REQUEST, message, code=Code.LIMIT_EXCEEDED)
    try:
        return json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        # The body is bytes; the parameters of a URL are text.
        name = "The body" if isinstance(data, bytes) else "`variables` or `extensions`"
        raise HttpFailure(HTTP_BAD_REQUEST, f"{name} is not valid JSON.") from None


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
