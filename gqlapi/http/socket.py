"""GraphQL over WebSocket: one socket that speaks `graphql-transport-ws`, under the limits of every other transport.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

import asyncio
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple

import structlog
from starlette.types import Message, Receive, Send

from gqlapi.accounts import Client
from gqlapi.accounts.authentication import SESSION_SECONDS, Authentication
from gqlapi.accounts.tokens import InvalidToken
from gqlapi.errors import ApiError, Code
from gqlapi.http.body import parse_json
from gqlapi.http.clients import Headers
from gqlapi.http.events import encode_error
from gqlapi.http.failures import HttpFailure
from gqlapi.http.json import encode_json
from gqlapi.http.requests import bearer_token
from gqlapi.http.socket_operation import Ended, SocketOperation
from gqlapi.http.subscriptions import Subscriptions

PROTOCOL = "graphql-transport-ws"
INIT_SECONDS = 5.0
MAX_OPERATIONS = 20
MAX_MESSAGES_PER_SECOND = 50
MAX_ID_LENGTH = 128
MAX_REASON_BYTES = 123  # RFC 6455, section 5.5

logger = structlog.get_logger()


class CloseCode(IntEnum):
    """Why the server closes a socket: the codes of the protocol, and one of RFC 6455."""

    TRY_AGAIN_LATER = 1013
    BAD_REQUEST = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    INIT_TIMEOUT = 4408
    SUBSCRIBER_EXISTS = 4409
    TOO_MANY = 4429


class Closed(Exception):
    """The server closes the socket."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Peer(NamedTuple):
    """Who opened a socket: the headers, what finds the client from headers, and the id for the log."""

    headers: Headers
    client_of: Callable[[Headers], Client]
    request_id: str


class Socket:
    """The messages and the operations of one socket."""

    def __init__(self, subscriptions: Subscriptions, peer: Peer, receive: Receive, send: Send) -> None:
        """Serve a socket that was accepted."""
        self.subscriptions = subscriptions
        self.runner = subscriptions.runner
        self.headers = peer.headers
        self.client = peer.client_of(peer.headers)
        self.request_id = peer.request_id
        self.authentication: Authentication | None = None
        self._client_of = peer.client_of
        self._receive = receive
        self._send = send
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._second, self._messages = 0, 0
        self._total = 0
        self._code = 0

    async def serve(self) -> None:
        """Receive messages until one side closes the socket."""
        started, watching = time.monotonic(), None
        try:
            async with asyncio.timeout(INIT_SECONDS):
                if not await self._initialise():
                    return
            watching = asyncio.create_task(self._watch())
            while (message := await self._next()) is not None:
                await self._handle(message)
        except TimeoutError:
            await self.close(CloseCode.INIT_TIMEOUT, "Connection initialisation timeout")
        except Closed as closed:
            await self.close(closed.code, closed.reason)
        finally:
            tasks = [*self._operations.values(), *([watching] if watching else [])]
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)
            seconds = round(time.monotonic() - started, 1)
            logger.info("socket", code=self._code, operations=self._total, seconds=seconds, request_id=self.request_id)

    async def close(self, code: CloseCode, reason: str) -> None:
        """Close the socket, unless it is closed; the loop that receives ends then."""
        if not self._code:
            self._code = int(code)
            reason = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
            await self._send({"type": "websocket.close", "code": int(code), "reason": reason})

    async def send(self, id_: str, kind: bytes, payload: bytes | None = None) -> None:
        """Send a message of an operation, when the client has taken those before."""
        if self._code:
            return
        rest = b"" if payload is None else b',"payload":' + payload
        text = b'{"id":%b,"type":"%b"%b}' % (encode_json(id_), kind, rest)
        await self._send({"type": "websocket.send", "text": text.decode()})

    async def _next(self) -> dict[str, Any] | None:
        """Return the next message, or None when the socket is closed.

        Raises:
            Closed: it is no message of the protocol, or there are too many.
        """
        message: Message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._code = self._code or int(message.get("code") or 0)
            return None
        self._count()
        try:
            data = parse_json(message["text"]) if message.get("text") is not None else None
        except HttpFailure:
            data = None
        if not isinstance(data, dict) or not isinstance(data.get("type"), str):
            raise Closed(CloseCode.BAD_REQUEST, "Invalid message")
        return data

    def _count(self) -> None:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._messages = second, 0
        self._messages += 1
        if self._messages > MAX_MESSAGES_PER_SECOND:
            raise Closed(CloseCode.TOO_MANY, "Too many messages")

    async def _initialise(self) -> bool:
        """Wait for `connection_init`, and authenticate; False when the client has gone.

        Raises:
            Closed: something else came before, or the token is not valid.
        """
        while (message := await self._next()) is not None:
            match message["type"]:
                case "connection_init":
                    await self._authenticate(message.get("payload"))
                    await self._send({"type": "websocket.send", "text": '{"type":"connection_ack"}'})
                    return True
                case "ping":
                    await self._pong()
                case "pong":
                    pass
                case _:
                    raise Closed(CloseCode.UNAUTHORIZED, "Unauthorized")
        return False

    async def _authenticate(self, payload: Any) -> None:
        """Take the token from `connection_init`, as the header that it would be over HTTP, or from the handshake."""
        headers = self.headers
        authorization = _authorization_of(payload)
        if authorization is not None:
            if not isinstance(authorization, str):
                raise Closed(CloseCode.FORBIDDEN, "Forbidden")
            headers = {**headers, b"authorization": authorization.encode(errors="replace")}
        try:
            token = bearer_token(headers)
        except HttpFailure:
            raise Closed(CloseCode.FORBIDDEN, "Forbidden") from None
        self.client = self._client_of(headers)
        if token is not None:
            self.authentication = Authentication(self.runner.accounts.access_tokens, token)
            await self._check_session()
            self.authentication.record_use(self.runner.database)

    async def _check_session(self) -> None:
        """Raise Closed if the session of the socket has ended."""
        assert self.authentication is not None  # noqa: S101 - it has a token
        try:
            await self.subscriptions.check_session(self.authentication, self.client)
        except InvalidToken:
            raise Closed(CloseCode.FORBIDDEN, "Forbidden") from None
        except ApiError:
            raise Closed(CloseCode.TRY_AGAIN_LATER, "Try again later") from None

    async def _watch(self) -> None:
        """Close the socket when its session has ended; a database that is not available decides nothing."""
        while self.authentication is not None:
            await asyncio.sleep(SESSION_SECONDS)
            try:
                await self._check_session()
            except Closed as closed:
                if closed.code is CloseCode.FORBIDDEN:
                    await self.close(closed.code, closed.reason)
                    return

    async def _handle(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "subscribe":
                await self._subscribe(message.get("id"), message.get("payload"))
            case "complete":
                if (task := self._operations.pop(str(message.get("id")), None)) is not None:
                    task.cancel()
            case "ping":
                await self._pong()
            case "pong":
                pass
            case "connection_init":
                raise Closed(CloseCode.TOO_MANY, "Too many initialisation requests")
            case _:
                raise Closed(CloseCode.BAD_REQUEST, "Invalid message")

    async def _pong(self) -> None:
        await self._send({"type": "websocket.send", "text": '{"type":"pong"}'})

    async def _subscribe(self, id_: Any, payload: Any) -> None:
        if not isinstance(id_, str) or not id_ or len(id_) > MAX_ID_LENGTH:
            raise Closed(CloseCode.BAD_REQUEST, "Invalid message")
        if id_ in self._operations:
            raise Closed(CloseCode.SUBSCRIBER_EXISTS, f"Subscriber for {id_} already exists")
        if len(self._operations) >= MAX_OPERATIONS:
            message = f"A socket may have {MAX_OPERATIONS} operations at a time."
            await self.send(id_, b"error", encode_error(message, Code.LIMIT_EXCEEDED))
            return
        self._total += 1
        operation = SocketOperation(self, id_, payload)
        task = self._operations[id_] = asyncio.create_task(self._run(operation))
        task.add_done_callback(lambda task: self._forget(id_, task))

    async def _run(self, operation: SocketOperation) -> None:
        try:
            await operation.run()
        except Ended:
            await self.close(CloseCode.FORBIDDEN, "Forbidden")
        except Exception:
            if self._code:
                return
            logger.exception("operation of a socket failed", request_id=self.request_id)
            message = f"Internal server error. The server's log has details under request id {self.request_id}."
            await self.send(operation.id, b"error", encode_error(message, Code.INTERNAL_SERVER_ERROR))

    def _forget(self, id_: str, task: asyncio.Task[None]) -> None:
        if self._operations.get(id_) is task:
            del self._operations[id_]
        if not task.cancelled():
            task.exception()  # the client has gone


def _authorization_of(payload: Any) -> Any:
    """Return what the payload of `connection_init` has as Authorization, beside other fields or in its `headers`."""
    given = payload if isinstance(payload, dict) else {}
    nested = given.get("headers")
    fields = [*given.items(), *(nested.items() if isinstance(nested, dict) else ())]
    return next((value for name, value in fields if name.lower() == "authorization" and value is not None), None)
