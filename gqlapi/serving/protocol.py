"""One connection: uvicorn's protocol, which bounds nothing, with limits that count while data arrives."""

import asyncio
import time
from enum import Enum
from math import inf
from typing import Any

import httptools
import structlog
from uvicorn import Config
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from gqlapi.serving import refusals
from gqlapi.serving.answers import WholeAnswer
from gqlapi.serving.connections import Connections
from gqlapi.serving.disconnect import EXTENSION, Disconnect
from gqlapi.serving.guarded import GuardedConnection
from gqlapi.serving.limits import (
    LINGER_BYTES,
    LINGER_SECONDS,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_PIPELINED,
    MAX_URL_BYTES,
    MIN_BYTES_PER_SECOND,
    UNMETERED_BYTES,
)
from gqlapi.serving.refusals import Refusal, Refused
from gqlapi.serving.statistics import STATISTICS
from gqlapi.serving.websocket import BoundedWebSocket

# The parser is fed at most this at a time, so that a limit is exceeded by no more.
SLICE_BYTES = 16_384
FRAMING_SHARE = 64  # of the body's size, which a body of many chunks may use for framing

logger = structlog.get_logger()


class Phase(Enum):
    """What the parser expects next."""

    IDLE = 1  # a request
    HEAD = 2  # the rest of a request line and of headers
    BODY = 3  # the rest of a body
    DONE = 4  # nothing: the request is complete
    REFUSED = 5  # nothing any more


# As globals: they are compared several times for each request, and looking up an attribute of the class is slow.
IDLE, HEAD, BODY, DONE, REFUSED = Phase


class BoundedProtocol(GuardedConnection, HttpToolsProtocol):
    """Receives requests and sends answers within the limits of `Connections`."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        guard: Connections,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.url, self.headers = b"", []
        self._guard = guard
        self._limits = guard.limits
        self._phase = IDLE
        self._answering: RequestResponseCycle | None = None
        self._upgrading = False
        self._head_bytes = 0
        self._body_since, self._body_bytes, self._framing_bytes = 0.0, 0, 0
        self._metered_bytes = self._discarded_bytes = 0

    # The transport's side.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self.deadline = time.monotonic() + self._limits.receive_timeout_seconds
        if not self._guard.admit(self):
            self._phase = REFUSED
            STATISTICS.refusals[refusals.TOO_MANY_CONNECTIONS.reason] += 1
            # Without lingering: a file is what there is none of.
            self.transport.write(refusals.TOO_MANY_CONNECTIONS.encode(self.server_state.default_headers))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._release()
        self.pipeline.clear()
        if self._answering is not None:
            _disconnect_of(self._answering).happen()
        self._answering = None

    def data_received(self, data: bytes) -> None:
        if self._phase is REFUSED or (self._phase is BODY and self.cycle.response_complete):
            self._discarded_bytes += len(data)
            if self._discarded_bytes > LINGER_BYTES:
                self.transport.abort()
                return
        if len(data) <= SLICE_BYTES:
            self._parse(data)
            return
        for start in range(0, len(data), SLICE_BYTES):
            self._parse(data[start : start + SLICE_BYTES])

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.pipeline and self._answering is None:
            self._start_asgi_task(*self.pipeline.pop())

    def shutdown(self) -> None:
        """Close now, or after the answers to the requests that have arrived."""
        if self._answering is None and not self.pipeline:
            self.transport.close()
        else:
            self.cycle.keep_alive = False
            if self._answering is not None:
                _disconnect_of(self._answering).shut_down()

    # The parser's side.

    def _parse(self, data: bytes) -> None:
        if self._phase is REFUSED:
            return
        was_body = self._phase is BODY
        try:
            self.parser.feed_data(data)
            if self._phase is not DONE:
                self._count(len(data), was_body=was_body)
        except httptools.HttpParserUpgrade as upgrade:
            if self._is_websocket():
                self._open_websocket(data[upgrade.args[0] :])
            else:
                self._ignore_upgrade(data[upgrade.args[0] :])
        except Refused as refused:
            self.refuse(refused.refusal)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self.refuse(cause.refusal if isinstance(cause, Refused) else refusals.MALFORMED)

    def _count(self, size: int, *, was_body: bool) -> None:
        """Count what the parser has taken, with or without calling back: it buffers without limit."""
        if self._phase is not BODY:  # a request may begin with any number of CRLF
            self._head_bytes += size
            if self._head_bytes - len(self.url) > MAX_HEADER_BYTES or len(self.headers) > MAX_HEADERS:
                raise Refused(refusals.HEADERS_TOO_LARGE)
            self._meter(self._head_bytes, size)
        elif not was_body:
            self._framing_bytes = 0  # the data began with the head
        else:
            self._framing_bytes += size
            if self._framing_bytes > MAX_HEADER_BYTES + self._body_bytes // FRAMING_SHARE:
                raise Refused(refusals.FRAMING_TOO_LARGE)

    def _is_websocket(self) -> bool:
        """Whether a request with an Upgrade header opens a WebSocket (RFC 6455, section 4.1)."""
        is_first = self._answering is None and not self.pipeline  # else an answer would follow on the socket
        return is_first and self.parser.get_method() == b"GET" and self._should_upgrade()

    def _open_websocket(self, rest: bytes) -> None:
        """Hand the connection over to the protocol of WebSockets, which reads the request again."""
        if not self._guard.has_room_for_socket:
            self.refuse(refusals.TOO_MANY_SOCKETS)
            return
        lines = [b"GET %s HTTP/1.1" % self.url, *(b"%s: %s" % header for header in self.headers)]
        self.connections.discard(self)
        self._release()
        protocol = BoundedWebSocket(self.config, self.server_state, self.app_state, guard=self._guard)
        protocol.connection_made(self.transport)
        self._guard.become_socket(self, protocol)
        self.transport.set_protocol(protocol)
        protocol.data_received(b"\r\n".join([*lines, b"", rest]))

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Read a request again without its Upgrade header: httptools would skip the body (RFC 9110, section 7.8)."""
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self._parse(b"\r\n".join([*lines, b"", rest]))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: Any = {EXTENSION: Disconnect()}
        self.scope["extensions"] = extensions
        self._phase = HEAD
        self._upgrading = False
        self._head_bytes = 0
        self.deadline = time.monotonic() + self._limits.receive_timeout_seconds

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > MAX_URL_BYTES:
            raise Refused(refusals.URL_TOO_LONG)

    def on_headers_complete(self) -> None:
        self._check_headers()
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise Refused(refusals.CONNECT_NOT_SUPPORTED)
            self._upgrading = True
            return
        if len(self.pipeline) >= MAX_PIPELINED:
            raise Refused(refusals.TOO_MANY_PIPELINED)
        super().on_headers_complete()
        # A trailer must not pass for a header that a proxy has checked (RFC 9110, section 6.5.1).
        self.headers = []
        self._phase = BODY
        self._body_bytes = self._discarded_bytes = 0
        self._body_since = time.monotonic()
        self.deadline = self._body_since + self._limits.receive_timeout_seconds

    def _check_headers(self) -> None:
        headers = self.headers
        # What arrived in one slice is smaller than the limit.
        size = sum(len(name) + len(value) for name, value in headers) if self._head_bytes else 0
        if size > MAX_HEADER_BYTES or len(headers) > MAX_HEADERS:
            raise Refused(refusals.HEADERS_TOO_LARGE)
        hosts = [name for name, _ in headers if name == b"host"]
        if len(hosts) != 1 and (hosts or self.parser.get_http_version() != "1.0"):
            raise Refused(refusals.HOST_REQUIRED)  # RFC 9112, section 3.2

    def on_body(self, body: bytes) -> None:
        size = len(body)
        self._framing_bytes -= size
        self._body_bytes += size
        if not self.cycle.response_complete:
            self._meter(self._body_bytes, size)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._upgrading:
            return
        super().on_message_complete()
        self._phase = DONE
        self.deadline = inf
        self._guard.stop_waiting(self)
        if self.cycle.response_complete:  # it was answered without waiting for its body
            self._become_idle()

    def _meter(self, total: int, size: int) -> None:
        """Take what a request has received beyond its free share from the budget of all connections."""
        if total <= UNMETERED_BYTES:
            return
        self._metered_bytes += size
        self._guard.receiving_bytes += size
        if self._guard.receiving_bytes > self._limits.max_receiving_bytes:
            raise Refused(refusals.TOO_MANY_BODIES)

    def _release(self) -> None:
        self._guard.receiving_bytes -= self._metered_bytes
        self._metered_bytes = 0

    # The application's side.

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if self.flow.write_paused:
            # The client has not taken the previous answer: another one would only take memory.
            self.pipeline.append((cycle, app))
            self.flow.pause_reading()
            return
        self._answering = cycle
        super()._start_asgi_task(cycle, WholeAnswer(cycle, app))

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self._answering = None
        if self.transport.is_closing():
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._release()
        self.flow.resume_reading()
        if self._phase is BODY:
            self.deadline = time.monotonic() + LINGER_SECONDS
        else:
            self._become_idle()

    def _become_idle(self) -> None:
        now = time.monotonic()
        if self._phase is DONE:
            self._phase = IDLE
            self.deadline = now + self._limits.keep_alive_seconds
        else:  # the next request has begun to arrive
            self.deadline = now + self._limits.receive_timeout_seconds
        self._guard.wait(self)

    # Deadlines and refusals.

    def expire(self, now: float) -> None:
        if self.transport.is_closing():
            self.deadline = inf  # it closes when the rest is sent, or when the client is too slow to read it
        elif self.flow.read_paused or (self._answering is not None and not self._answering.more_body):
            self.deadline = now + self._limits.receive_timeout_seconds  # the client waits for us
        elif self._phase is REFUSED:
            self.transport.abort()
        elif self._phase is IDLE or (self._phase is BODY and self.cycle.response_complete):
            self.transport.close()
        elif self._phase is BODY and self._body_deadline() > now:
            self.deadline = self._body_deadline()
        else:
            self.refuse(refusals.TOO_SLOW)

    def _body_deadline(self) -> float:
        return self._body_since + self._limits.receive_timeout_seconds + self._body_bytes / MIN_BYTES_PER_SECOND

    def refuse(self, refusal: Refusal) -> None:
        """Answer the request that is arriving, after those before it, and close."""
        logger.info(
            "request refused", client=self._client_address(), status=int(refusal.status), reason=refusal.message
        )
        STATISTICS.refusals[refusal.reason] += 1
        refused = self.cycle if self._phase is BODY else None
        self._phase = REFUSED
        self._guard.stop_waiting(self)
        if self.pipeline and self.pipeline[0][0] is refused:
            self.pipeline.popleft()
        earlier = self.pipeline[0][0] if self.pipeline else self._answering
        if earlier is not None and earlier is not refused:
            earlier.keep_alive = False
            return
        if refused is not None:
            refused.disconnected = True
            refused.message_event.set()
            if refused.response_started:
                self.transport.abort()
                return
        self.transport.write(refusal.encode(self.server_state.default_headers))
        self._linger()

    def _linger(self) -> None:
        self._answering = None
        self._release()
        self.deadline = time.monotonic() + LINGER_SECONDS
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()
        else:
            self.transport.close()


def _disconnect_of(cycle: RequestResponseCycle) -> Disconnect:
    extensions: Any = cycle.scope["extensions"]
    disconnect: Disconnect = extensions[EXTENSION]
    return disconnect
