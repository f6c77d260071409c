"""Answers of the server itself, in the shape of the API's errors."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from gqlapi.errors import Code

RETRY_AFTER_SECONDS = 1


@dataclass(frozen=True)
class Refusal:
    """An answer after which the connection is closed."""

    status: HTTPStatus
    message: str
    # Its label in the metrics.
    reason: str
    code: Code = Code.BAD_REQUEST

    def encode(self, default_headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Return the whole response."""
        content = {"errors": [{"message": self.message, "extensions": {"code": str(self.code)}}]}
        body = json.dumps(content, separators=(",", ":")).encode()
        headers = [
            *default_headers,
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"connection", b"close"),
        ]
        if self.status is HTTPStatus.SERVICE_UNAVAILABLE:
            headers.append((b"retry-after", b"%d" % RETRY_AFTER_SECONDS))
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}".encode()]
        lines += [name + b": " + value for name, value in headers]
        return b"\r\n".join([*lines, b"", body])


class Refused(Exception):
    """Raised while a request is parsed."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


MALFORMED = Refusal(HTTPStatus.BAD_REQUEST, "The request is not valid HTTP/1.1.", "malformed")
HOST_REQUIRED = Refusal(HTTPStatus.BAD_REQUEST, "The request must have exactly one Host header.", "host")
FRAMING_TOO_LARGE = Refusal(
    HTTPStatus.BAD_REQUEST, "The chunk sizes, extensions and trailers are too large.", "framing"
)
URL_TOO_LONG = Refusal(HTTPStatus.REQUEST_URI_TOO_LONG, "The URL is too long. Send the operation with POST.", "url")
HEADERS_TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too large or too many.", "headers"
)
CONNECT_NOT_SUPPORTED = Refusal(HTTPStatus.NOT_IMPLEMENTED, "CONNECT is not supported.", "connect")
TOO_MANY_PIPELINED = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "Too many pipelined requests.", "pipelined", Code.UNAVAILABLE
)
TOO_SLOW = Refusal(HTTPStatus.REQUEST_TIMEOUT, "The request did not arrive in time.", "slow_request", Code.TIMEOUT)
TOO_MANY_CONNECTIONS = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "The server has too many connections.", "connections", Code.UNAVAILABLE
)
TOO_MANY_SOCKETS = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "The server has too many WebSockets.", "sockets", Code.UNAVAILABLE
)
TOO_MANY_BODIES = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "The server is receiving too much data.", "receiving", Code.UNAVAILABLE
)
