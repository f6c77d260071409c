"""JSON in answers."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import orjson
from starlette.types import Send

HeaderList = Iterable[tuple[bytes, bytes]]


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


async def send_json(send: Send, status: int, content: bytes | Json, headers: HeaderList = ()) -> None:
    """Send a complete response."""
    declared = (b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))
    await send({"type": "http.response.start", "status": status, "headers": [*declared, *headers]})
    if isinstance(content, bytes):
        await send({"type": "http.response.body", "body": content})
        return
    for piece in content:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})
