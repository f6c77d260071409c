"""Answers that are sent in one piece."""

from uvicorn._types import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGISendCallable,
    ASGISendEvent,
    HTTPResponseBodyEvent,
    HTTPResponseStartEvent,
    Scope,
)
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

# With one of these, or without a length, an answer is left to uvicorn.
CONNECTION_HEADERS = frozenset({b"connection", b"transfer-encoding"})
STATUSES_WITHOUT_BODY = frozenset({204, 304})
# Most answers share the values of these headers: each is checked once, which saves a third of the time of a head.
SHARED_HEADERS = frozenset({b"content-type", b"vary", b"cache-control", b"x-content-type-options", b"referrer-policy"})
CHECKED: set[tuple[bytes, bytes]] = set()
MAX_CHECKED = 100
# A larger body would be copied for nothing: it is sent in several packets anyway.
MAX_JOINED_BYTES = 65_536


class WholeAnswer:
    """Sends the head of an answer together with its body.

    uvicorn writes one after the other: two system calls, and the client wakes up twice.
    """

    __slots__ = ("_app", "_cycle", "_start")

    def __init__(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Answer one request by an application."""
        self._cycle = cycle
        self._app = app
        self._start: HTTPResponseStartEvent | None = None

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, _send: ASGISendCallable) -> None:
        await self._app(scope, receive, self.send)

    async def send(self, message: ASGISendEvent) -> None:
        """Keep the head until the body follows, and then send both."""
        cycle = self._cycle
        if message["type"] == "http.response.start" and not cycle.response_started:
            self._start = message
            return
        if (start := self._start) is not None:
            self._start = None
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                if cycle.flow.write_paused and not cycle.disconnected:
                    await cycle.flow.drain()
                if cycle.disconnected:
                    return
                if (head := self._head(start, message)) is not None:
                    self._finish(head + message.get("body", b""))
                    return
            await cycle.send(start)
        await cycle.send(message)

    def _head(self, start: HTTPResponseStartEvent, message: HTTPResponseBodyEvent) -> bytes | None:
        """Return the head, or None where it is not plain."""
        cycle, status, size = self._cycle, start["status"], len(message.get("body", b""))
        if size > MAX_JOINED_BYTES or cycle.scope["method"] == "HEAD" or status in STATUSES_WITHOUT_BODY:
            return None
        lines, length = [STATUS_LINE[status]], None
        for name, value in (*cycle.default_headers, *start.get("headers", ())):
            if (name, value) not in CHECKED and not _is_plain(name, value):
                return None  # uvicorn knows what it means, or refuses it
            if name == b"content-length":
                length = value
            lines += (name, b": ", value, b"\r\n")
        if length is None or int(length) != size:
            return None
        lines.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        return b"".join(lines)

    def _finish(self, answer: bytes) -> None:
        cycle = self._cycle
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(answer)
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()


def _is_plain(name: bytes, value: bytes) -> bool:
    """Whether a header is well-formed and says nothing about the connection."""
    if name in CONNECTION_HEADERS or HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
        return False
    if name in SHARED_HEADERS and len(CHECKED) < MAX_CHECKED:
        CHECKED.add((name, value))
    return True
