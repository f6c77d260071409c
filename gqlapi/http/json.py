"""JSON in answers."""

import json
from collections.abc import Iterable
from typing import Any

import orjson
from starlette.types import Send

HeaderList = Iterable[tuple[bytes, bytes]]
MEDIA_TYPE = "application/json; charset=utf-8"
JSON_HEADERS: HeaderList = ((b"content-type", MEDIA_TYPE.encode()),)


def encode_json(content: Any) -> bytes:
    """Encode as UTF-8; a lone surrogate, which a message may repeat from the request, becomes a question mark."""
    try:
        return orjson.dumps(content)
    except TypeError:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


async def send_json(send: Send, status: int, content: bytes, headers: HeaderList = JSON_HEADERS) -> None:
    """Send a complete response; the headers include its media type."""
    declared = (b"content-length", b"%d" % len(content))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, declared]})
    await send({"type": "http.response.body", "body": content})
