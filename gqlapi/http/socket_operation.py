"""One operation of a WebSocket: a query, a mutation or a subscription."""

from typing import Any, Protocol

from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from gqlapi.accounts import Client
from gqlapi.accounts.authentication import Authentication
from gqlapi.accounts.tokens import InvalidToken
from gqlapi.context import Context
from gqlapi.errors import ApiError, Unauthenticated, Unavailable, answer_too_large
from gqlapi.http.clients import Headers
from gqlapi.http.events import encode_error
from gqlapi.http.failures import HttpFailure, busy
from gqlapi.http.json import encode_json
from gqlapi.http.requests import GraphQLRequest, read_object
from gqlapi.http.runner import Begun, Runner
from gqlapi.http.subscriptions import Subscription, Subscriptions, body_of

ALL_TYPES = frozenset(OperationType)


class Ended(Exception):
    """The session of the socket has ended."""


class Socket(Protocol):
    """What an operation needs of its socket."""

    subscriptions: Subscriptions
    runner: Runner
    headers: Headers
    client: Client
    request_id: str
    authentication: Authentication | None

    async def send(self, id_: str, kind: bytes, payload: bytes | None = None) -> None:
        """Send a message of an operation."""


class SocketOperation:
    """Runs one operation, and sends its answers."""

    def __init__(self, socket: Socket, id_: str, payload: Any) -> None:
        """Take the operation that a client has named; what it is, is not known yet."""
        self._socket = socket
        self.id = id_
        self._payload = payload

    async def run(self) -> None:
        """Run it to its end.

        Raises:
            Ended: the session of the socket has ended.
        """
        try:
            await self._run()
        except (InvalidToken, Unauthenticated):
            raise Ended from None
        except HttpFailure as failure:
            await self._fail(failure.message, failure.code)
        except Unavailable:
            await self._fail(busy().message, busy().code)
        except ApiError as error:
            await self._fail(error.message, error.code)

    async def _run(self) -> None:
        socket = self._socket
        request = read_object(self._payload)
        place = await socket.runner.database.gate.enter(socket.client.keys)
        context = socket.runner.context(socket.client, socket.authentication, socket.request_id, place)
        result = await socket.runner.execute(request, context, ALL_TYPES, socket.headers)
        if context.events is not None:
            await self._answer_events(request, context)
            return
        socket.runner.report(context, result, request.operation_name)
        if isinstance(result, PreExecutionError):
            errors = [error.formatted for error in result.errors or ()]
            await socket.send(self.id, b"error", encode_json(errors))
        else:
            content = encode_json(body_of(result))
            if len(content) > socket.runner.limits.max_answer_bytes:
                raise answer_too_large(socket.runner.limits.max_answer_bytes)
            await socket.send(self.id, b"next", content)
            await socket.send(self.id, b"complete")

    async def _answer_events(self, request: GraphQLRequest, context: Context) -> None:
        subscription = Subscription(Begun(request, context), self._socket.authentication)
        async for answer in self._socket.subscriptions.answers(subscription):
            await self._socket.send(self.id, b"next", answer)
        await self._socket.send(self.id, b"complete")

    async def _fail(self, message: str, code: str) -> None:
        await self._socket.send(self.id, b"error", encode_error(message, code))
