"""The events of a subscription as the body of one HTTP response: server-sent events, or Apollo's multipart protocol.

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md (distinct connections mode) and
https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from http import HTTPStatus
from typing import NamedTuple

from starlette.types import Send

from gqlapi.accounts.authentication import SESSION_SECONDS
from gqlapi.accounts.tokens import InvalidToken
from gqlapi.errors import ApiError, Code, Unauthenticated
from gqlapi.http.json import NO_STORE, HeaderList, encode_json
from gqlapi.http.media_types import EVENT_STREAM, MULTIPART
from gqlapi.http.streaming import UNBUFFERED

# Proxies close what is silent for a minute, and a client must notice that its server has gone.
HEARTBEAT_SECONDS = 12.0
PART = b"\r\ncontent-type: application/json; charset=utf-8\r\n\r\n"
BOUNDARY = b"\r\n--graphql"


class EventFraming(NamedTuple):
    """How the answers of a subscription become a body; `failure` has the place for the errors that end it.

    `leaving` takes the place of `end` when the server shuts down: the client comes back.
    """

    headers: HeaderList
    start: bytes
    before: bytes
    after: bytes
    heartbeat: bytes
    failure: bytes
    leaving: bytes
    end: bytes


def encode_error(message: str, code: str) -> bytes:
    """Encode the errors of a subscription that is ended by one."""
    return encode_json([{"message": message, "extensions": {"code": code}}])


LEAVING = encode_error("The server shuts down. Subscribe again.", Code.UNAVAILABLE)
EVENT_FRAMINGS = {
    # Lines end with LF: urql looks for two of them.
    EVENT_STREAM: EventFraming(
        headers=(*UNBUFFERED, (b"content-type", b"text/event-stream; charset=utf-8")),
        start=b":\n\n",
        before=b"event: next\ndata: ",
        after=b"\n\n",
        heartbeat=b":\n\n",
        failure=b'event: next\ndata: {"errors":%b}\n\nevent: complete\ndata:\n\n',
        leaving=b"retry: 1000\n\n",
        end=b"event: complete\ndata:\n\n",
    ),
    MULTIPART: EventFraming(
        headers=(*UNBUFFERED, (b"content-type", b"multipart/mixed; boundary=graphql; subscriptionSpec=1.0")),
        start=BOUNDARY + PART + b"{}" + BOUNDARY,
        before=PART + b'{"payload":',
        after=b"}" + BOUNDARY,
        heartbeat=PART + b"{}" + BOUNDARY,
        failure=PART + b'{"payload":null,"errors":%b}' + BOUNDARY + b"--\r\n",
        leaving=PART + b'{"payload":null,"errors":' + LEAVING + b"}" + BOUNDARY + b"--\r\n",
        end=b"--\r\n",
    ),
}


class EventStream:
    """Sends the answers of one subscription as they come, and a heartbeat when none comes for some time.

    An answer is made when the client has taken the one before: nothing waits in memory for a slow reader.
    """

    def __init__(self, send: Send, framing: EventFraming, check_session: Callable[[], Awaitable[None]]) -> None:
        """Send in a framing; `check_session` raises InvalidToken when the session of the client has ended."""
        self._send = send
        self._framing = framing
        self._check_session = check_session
        self._checked_at = time.monotonic()
        self._is_leaving = asyncio.Event()

    def leave(self) -> None:
        """End the stream: the server shuts down."""
        self._is_leaving.set()

    async def run(self, answers: AsyncGenerator[bytes]) -> None:
        """Send everything: the answers, and the error that ends them if there is one."""
        framing = self._framing
        headers = [*framing.headers, NO_STORE]
        await self._send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
        await self._write(framing.start)
        end = framing.end
        try:
            async with aclosing(answers), aclosing(self._pieces(answers)) as pieces:
                async for piece in pieces:
                    await self._write(piece)
        except ApiError as error:
            end = framing.failure % encode_error(error.message, error.code)
        await self._write(framing.leaving if self._is_leaving.is_set() else end, more=False)

    async def _pieces(self, answers: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        framing = self._framing
        leaving = asyncio.create_task(self._is_leaving.wait())
        answer: asyncio.Future[bytes] | None = None
        try:
            while True:
                answer = answer or asyncio.ensure_future(anext(answers))
                done, _ = await asyncio.wait(
                    (answer, leaving), timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                if leaving in done:
                    return
                if not done:
                    await self._check()
                    yield framing.heartbeat
                    continue
                try:
                    payload = answer.result()
                except StopAsyncIteration:
                    return
                answer = None
                yield framing.before + payload + framing.after
        finally:
            leaving.cancel()
            if answer is not None and not answer.done():
                answer.cancel()
                await asyncio.wait([answer])

    async def _check(self) -> None:
        """Raise Unauthenticated if the session has ended; a database that is not available decides nothing."""
        if time.monotonic() - self._checked_at < SESSION_SECONDS:
            return
        self._checked_at = time.monotonic()
        try:
            with suppress(ApiError):
                await self._check_session()
        except InvalidToken:
            raise Unauthenticated("The session has ended.") from None

    async def _write(self, body: bytes, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
