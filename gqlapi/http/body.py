"""Bodies of requests: bounded while they arrive, and read as JSON without surprises."""

import json
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from gqlapi.http.failures import HttpFailure

HTTP_BAD_REQUEST = 400
HTTP_CONTENT_TOO_LARGE = 413


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Read the body, counting while it arrives: Content-Length may lie.

    Raises:
        HttpFailure: it is larger than `max_bytes`, or the client went away.
    """
    declared = request.headers.get("content-length", "")
    size, chunks = int(declared) if declared.isdigit() else 0, []
    if size <= max_bytes:
        size = 0
        try:
            async for chunk in request.stream():
                size += len(chunk)
                if size > max_bytes:
                    break
                chunks.append(chunk)
        except ClientDisconnect:
            raise HttpFailure(HTTP_BAD_REQUEST, "The body is not complete.") from None
    if size > max_bytes:
        raise HttpFailure(HTTP_CONTENT_TOO_LARGE, f"The body is larger than {max_bytes} bytes.")
    return b"".join(chunks)


def parse_json(data: str | bytes) -> Any:
    """Read JSON as RFC 8259 defines it.

    Raises:
        HttpFailure: it is not JSON, not UTF-8, nested too deeply, or holds a number too long to read.
    """
    try:
        return json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        # The body is bytes; the parameters of a URL are text.
        name = "The body" if isinstance(data, bytes) else "`variables` or `extensions`"
        raise HttpFailure(HTTP_BAD_REQUEST, f"{name} is not valid JSON.") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
