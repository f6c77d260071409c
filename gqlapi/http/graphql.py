"""The GraphQL endpoint: from a request over HTTP to the bytes of its answer."""

import asyncio
from http import HTTPStatus
from typing import Any, NamedTuple

from starlette.types import Receive, Scope, Send
from strawberry.http.types import HTTPMethod
from strawberry.schema.base import BaseSchema
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from gqlapi.accounts import Accounts, Client
from gqlapi.accounts.authentication import Authentication
from gqlapi.accounts.tokens import InvalidToken
from gqlapi.context import Context
from gqlapi.database.gate import Place
from gqlapi.database.tracing import Trace
from gqlapi.database.unit import Database
from gqlapi.errors import Code, Unavailable, answer_too_large
from gqlapi.http.body import Bodies
from gqlapi.http.clients import Clients, Headers, headers_of
from gqlapi.http.disconnection import CancelOnDisconnect, ClientDisconnected
from gqlapi.http.failures import RETRY_AFTER, HttpFailure, Pacer, busy
from gqlapi.http.json import HeaderList, Json, encode_json, send_json
from gqlapi.http.pieces import Pieces
from gqlapi.http.requests import (
    GraphQLRequest,
    bearer_token,
    check_media_type,
    read_body,
    read_parameters,
    unauthenticated,
)

METHODS: tuple[HTTPMethod, ...] = ("GET", "POST")
OPERATIONS: dict[str, set[OperationType]] = {method: OperationType.from_http(method) for method in METHODS}
BUSY = busy().content
NO_STORE = (b"cache-control", b"no-store")
# Longer texts are encoded piece by piece while they are sent.
MAX_WHOLE_LENGTH = 1_048_576


class Answer(NamedTuple):
    """A response over HTTP."""

    content: bytes | Json
    status: int = HTTPStatus.OK
    headers: HeaderList = ()


class GraphQLEndpoint:
    """Answers GraphQL requests; one context for each operation."""

    def __init__(
        self,
        schema: BaseSchema,
        database: Database,
        accounts: Accounts,
        *,
        max_body_bytes: int,
        max_answer_bytes: int,
        reports_costs: bool = False,
    ) -> None:
        """Serve a schema over a database."""
        self._schema = schema
        self._database = database
        self._accounts = accounts
        self._bodies = Bodies(max_body_bytes)
        self._clients = Clients()
        self._refusals = Pacer()
        self._max_answer_bytes = max_answer_bytes
        self._reports_costs = reports_costs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is refused before GraphQL begins is refused in GraphQL's shape."""
        try:
            content, status, headers = await self._answer(scope, receive)
        except ClientDisconnected:
            return
        except Unavailable:
            await self._refuse(scope, send)
            return
        except HttpFailure as failure:
            content, status, headers = failure.content, failure.status_code, failure.headers
        authentication: Authentication | None = scope["state"].get("authentication")
        if authentication is not None or scope["method"] == "POST":  # only mutations hand tokens out
            headers = (*headers, NO_STORE)
        await send_json(send, status, content, headers)
        if authentication is not None:  # in the background: the client's connection does not wait for it
            authentication.note_use(self._database)

    async def _refuse(self, scope: Scope, send: Send) -> None:
        """Answer a request that got no place; the gate has counted it, and it gets no line in the log."""
        scope["state"]["is_counted"] = True
        if delay := self._refusals.take():
            await asyncio.sleep(delay)
        await send_json(send, HTTPStatus.SERVICE_UNAVAILABLE, BUSY, RETRY_AFTER)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        """Read the body, wait for a place, and only then parse: a refusal for want of places costs next to nothing.

        Raises:
            HttpFailure: the request is refused.
            Unavailable: there is no place for it.
            ClientDisconnected: the client has closed the connection.
        """
        if scope["method"] not in OPERATIONS:
            message = "GraphQL only supports GET and POST requests."
            raise HttpFailure(HTTPStatus.METHOD_NOT_ALLOWED, message, headers=((b"allow", b"GET, POST"),))
        headers = headers_of(scope)
        client, body = self._clients.client_of(scope, headers), b""
        self._database.gate.check(client.keys)
        try:
            if scope["method"] == "POST":
                check_media_type(headers)
                body = await self._bodies.read(receive, headers.get(b"content-length", b""))
            with CancelOnDisconnect(scope, receive):
                place = await self._database.gate.enter(client.keys)
                request, context = self._prepare(scope, headers, body, client, place)
                try:
                    result = await self._execute(scope, request, context)
                    return self._encode(result, is_long=context.text_length > MAX_WHOLE_LENGTH)
                finally:
                    await context.close()
        finally:
            self._bodies.release(len(body))

    def _prepare(
        self, scope: Scope, headers: Headers, body: bytes, client: Client, place: Place
    ) -> tuple[GraphQLRequest, Context]:
        """Read the request, and make its context, which owns the place from then on.

        Raises:
            HttpFailure: it is no request, or its Authorization header is not that of a bearer token.
        """
        try:
            token = bearer_token(headers)
            is_post = scope["method"] == "POST"
            request = read_body(body) if is_post else read_parameters(scope["query_string"], headers)
        except BaseException:
            place.leave()
            raise
        state, find_viewer, trace = scope["state"], None, None
        if self._reports_costs:
            trace = state["trace"] = Trace()
        if token is not None:
            authentication = state["authentication"] = Authentication(self._accounts.access_tokens, token)
            find_viewer = authentication.find_viewer
        context = Context(
            self._database,
            accounts=self._accounts,
            client=client,
            request_id=state["request_id"],
            trace=trace,
            place=place,
            find_viewer=find_viewer,
        )
        return request, context

    async def _execute(self, scope: Scope, request: GraphQLRequest, context: Context) -> ExecutionResult:
        """Execute an operation, whose caller is authenticated when it is known to be allowed.

        Raises:
            HttpFailure: the method does not allow the operation, or the token is not valid; an operation never runs as
                if it had none.
        """
        try:
            return await self._schema.execute(
                request.query,
                request.variables,
                context,
                None,
                request.operation_name,
                OPERATIONS[scope["method"]],
                request.extensions,
            )
        except InvalidToken:
            raise unauthenticated() from None
        except InvalidOperationTypeError as error:
            raise HttpFailure(HTTPStatus.BAD_REQUEST, error.as_http_error_reason(scope["method"])) from None

    def _encode(self, result: ExecutionResult, *, is_long: bool) -> Answer:
        """Encode a result; escapes may make it larger than its budget, which counts characters."""
        data: dict[str, Any] = {"data": result.data}
        if result.errors:
            data["errors"] = [error.formatted for error in result.errors]
        if result.extensions:
            data["extensions"] = result.extensions
        content = Pieces(data) if is_long else encode_json(data)
        if len(content) > self._max_answer_bytes:
            too_large = answer_too_large(self._max_answer_bytes)
            error = {"message": too_large.message, "extensions": too_large.extensions}
            return Answer(encode_json({"data": None, "errors": [error]}))
        if result.errors and _is_unavailable(result):
            return Answer(content, HTTPStatus.SERVICE_UNAVAILABLE, RETRY_AFTER)
        return Answer(content)


def _is_unavailable(result: ExecutionResult) -> bool:
    """Whether a result holds nothing but the news that the database is not available."""
    codes = {(error.extensions or {}).get("code") for error in result.errors or ()}
    return codes == {Code.UNAVAILABLE} and not any((result.data or {}).values())
