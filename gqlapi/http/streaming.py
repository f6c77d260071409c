"""Answers of several payloads over HTTP: multipart, and server-sent events.

https://github.com/graphql/graphql-over-http/blob/main/rfcs/IncrementalDelivery.md and `rfcs/GraphQLOverSSE.md`.
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import NamedTuple

from graphql import GraphQLError, SubsequentIncrementalExecutionResult
from graphql.execution import PendingResult
from starlette.types import Message, Send
from strawberry.types import ExecutionResult

from gqlapi.errors import LimitExceeded, answer_too_large
from gqlapi.execution.incremental import StreamStarts
from gqlapi.http.json import NO_STORE, HeaderList, Json, encode_json
from gqlapi.http.media_types import EVENT_STREAM, INCREMENTAL_SPEC, preferred_stream
from gqlapi.http.payloads import Defer20220824, IncrementalV02, Payload, Payloads

# A proxy such as nginx would keep the first payload until the last one is there.
UNBUFFERED = ((b"x-accel-buffering", b"no"), (b"vary", b"Accept"))
PART = b"\r\nContent-Type: application/json; charset=utf-8\r\n\r\n"


class Framing(NamedTuple):
    """How payloads become a body: each is between `before` and `after`, around all are `start` and `end`.

    Clients take a part of a multipart body as complete when they see the boundary behind it: it is sent with the part.
    """

    headers: HeaderList
    start: bytes
    before: bytes
    after: bytes
    end: bytes
    payloads: Callable[[], Payloads]

    def whole(self, payload: bytes | Json) -> bytes:
        """Return the body of a single payload."""
        pieces = [payload] if isinstance(payload, bytes) else payload
        return b"".join((self.start, self.before, *pieces, self.after, self.end))


def _multipart(parameter: bytes, payloads: Callable[[], Payloads]) -> Framing:
    content_type = b'multipart/mixed; boundary="-"; ' + parameter
    return Framing((*UNBUFFERED, (b"content-type", content_type)), b"\r\n---", PART, b"\r\n---", b"--\r\n", payloads)


DEFER_20220824 = _multipart(b"deferSpec=20220824", Defer20220824)
INCREMENTAL_V02 = _multipart(b"incrementalSpec=v0.2", IncrementalV02)
# Lines end with LF: urql looks for two of them.
EVENTS = Framing(
    (*UNBUFFERED, (b"content-type", b"text/event-stream; charset=utf-8")),
    *(b"", b"event: next\ndata: ", b"\n\n", b"event: complete\ndata:\n\n"),
    IncrementalV02,
)


class Streaming(NamedTuple):
    """How the answers to a client are streamed; `is_only`: also those of one payload."""

    framing: Framing
    is_only: bool


def choose_streaming(accept: bytes) -> Streaming | None:
    """Return how a client that sends this Accept header reads answers of several payloads, None if it does not."""
    preference = preferred_stream(accept)
    if preference is None:
        return None
    framing = INCREMENTAL_V02 if INCREMENTAL_SPEC in preference.parameters else DEFER_20220824
    return Streaming(EVENTS if preference.media_type == EVENT_STREAM else framing, preference.is_only)


class StreamedAnswer:
    """Sends the payloads of one operation, each in one piece; all together are bounded like one answer."""

    def __init__(
        self, send: Send, framing: Framing, max_bytes: int, headers: Callable[[], HeaderList] | None = None
    ) -> None:
        """Send in a framing; `headers` returns those of the response, which are known when it begins."""
        self._headers = headers or (lambda: framing.headers)
        self._send = send
        self._framing = framing
        self._payloads = framing.payloads()
        self._max_bytes = self._left = max_bytes
        self._unsent: list[Message] = []
        self._has_ended = False
        self.has_begun = False

    async def begin(self, result: ExecutionResult, pending: Sequence[PendingResult], starts: StreamStarts) -> None:
        """Send the headers and the first payload.

        Raises:
            LimitExceeded: the answer is too large, and nothing was sent.
        """
        encoded = self._encode(self._payloads.first(result, pending, starts))
        self.has_begun = True
        headers = [*self._headers(), NO_STORE]
        self._unsent.append({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
        await self._write(self._framing.start + encoded)

    async def add(self, payload: SubsequentIncrementalExecutionResult) -> None:
        """Send a later payload.

        Raises:
            LimitExceeded: the answer is too large.
        """
        pending = {**self._payloads.pending}
        try:
            encoded = self._encode(self._payloads.later(payload))
        except LimitExceeded:
            self._payloads.pending = pending  # what it completes stays pending
            raise
        self._has_ended = not payload.has_next
        await self._write(encoded + (self._framing.end if self._has_ended else b""))

    async def end(self, errors: Sequence[GraphQLError]) -> None:
        """End the answer: with the errors of an operation that ended early, if there was no last payload.

        A client that has not taken the payloads when the time of the operation is over, gets them from memory.
        """
        if not self.has_begun:
            return
        body = b""
        if not self._has_ended:
            encoded = encode_json(self._payloads.failed(errors))
            body = b"".join((self._framing.before, encoded, self._framing.after, self._framing.end))
        await self._write(body, more=False)

    def _encode(self, payload: Payload) -> bytes:
        encoded = encode_json(payload)
        self._left -= len(encoded)
        if self._left < 0:
            raise answer_too_large(self._max_bytes)
        return self._framing.before + encoded + self._framing.after

    async def _write(self, body: bytes, *, more: bool = True) -> None:
        """Send a piece, after those that are left; of one whose sending is cancelled the server has written nothing."""
        self._unsent.append({"type": "http.response.body", "body": body, "more_body": more})
        while self._unsent:
            await self._send(self._unsent[0])
            del self._unsent[0]
