"""JSON in answers."""

import json
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any, Protocol

import orjson
from starlette.types import Send

HeaderList = Iterable[tuple[bytes, bytes]]
MEDIA_TYPE = "application/json; charset=utf-8"
NO_STORE = (b"cache-control", b"no-store")
NOT_MODIFIED = int(HTTPStatus.NOT_MODIFIED)
JSON_HEADERS: HeaderList = ((b"content-type", MEDIA_TYPE.encode()),)


def encode_json(content: Any) -> bytes:
    """Encode as UTF-8; a lone surrogate, which a message may repeat from the request, becomes a question mark."""
    try:
        return orjson.dumps(content)
    except TypeError:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


class Json(Protocol):
    """Encoded JSON in pieces; `len` is its length in bytes."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


async def send_json(send: Send, status: int, content: bytes | Json, headers: HeaderList = JSON_HEADERS) -> None:
    """Send a complete response; the headers include its media type."""
    if status != NOT_MODIFIED:  # whose length would be that of the body that it leaves out
        headers = (*headers, (b"content-length", b"%d" % len(content)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if isinstance(content, bytes):
        await send({"type": "http.response.body", "body": content})
        return
    for piece in content:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})
