"""The GraphQL endpoint: Strawberry's view, with bounded bodies and errors in JSON."""

from typing import Any

import structlog
from cross_web import AsyncHTTPRequestAdapter, HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLRequestData
from strawberry.schema.base import BaseSchema
from strawberry.types import ExecutionResult

from gqlapi.accounts import Accounts, Client
from gqlapi.accounts.authentication import Authentication
from gqlapi.accounts.tokens import InvalidToken
from gqlapi.context import Context
from gqlapi.database.tracing import Trace
from gqlapi.database.unit import Database
from gqlapi.errors import Code, Unavailable, answer_too_large
from gqlapi.http.body import HTTP_BAD_REQUEST, Bodies, parse_json
from gqlapi.http.clients import client_of
from gqlapi.http.disconnection import CancelOnDisconnect, ClientDisconnected
from gqlapi.http.failures import HTTP_SERVICE_UNAVAILABLE, RETRY_AFTER_SECONDS, HttpFailure, busy
from gqlapi.http.json import encode_json

HTTP_UNAUTHORIZED = 401
HTTP_METHOD_NOT_ALLOWED = 405
HTTP_UNSUPPORTED_MEDIA_TYPE = 415
MEDIA_TYPE = "application/json"

logger = structlog.get_logger()


class GraphQLEndpoint(GraphQL[Context, None]):
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
        super().__init__(schema, graphql_ide=None, subscription_protocols=())
        self._database = database
        self._accounts = accounts
        self._bodies = Bodies(max_body_bytes)
        self._max_answer_bytes = max_answer_bytes
        self._reports_costs = reports_costs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is refused before GraphQL begins is refused in GraphQL's shape."""
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnected:
            return
        except HttpFailure as failure:
            response = failure.to_response(failure.headers)
        except HTTPException as failure:
            headers = {"Allow": "GET, POST"} if failure.status_code == HTTP_METHOD_NOT_ALLOWED else None
            response = HttpFailure(failure.status_code, failure.reason).to_response(headers)
        await response(scope, receive, send)
        self._note_use(request)

    async def _answer(self, request: Request) -> Response:
        """Read the body, wait for a place, and only then parse: a refusal for want of places costs next to nothing.

        Raises:
            HttpFailure: the request is refused.
            ClientDisconnected: the client has closed the connection.
        """
        client, body = client_of(request), b""
        try:
            self._database.gate.check(client.keys)
            if request.method == "POST":
                _check_media_type(request)
                # Starlette keeps what `body()` reads in this attribute: Strawberry finds the bounded body there.
                request._body = body = await self._bodies.read(request)  # noqa: SLF001
            with CancelOnDisconnect(request.receive):
                return await self._run(request, client)
        except Unavailable:
            raise busy() from None
        finally:
            self._bodies.release(len(body))

    async def _run(self, request: Request, client: Client) -> Response:
        state = request.scope["state"]
        state["place"] = await self._database.gate.enter(client.keys)
        state["client"] = client
        try:
            return await self.run(request)
        finally:
            # Strawberry may refuse a request before it makes a context, and between that and executing anything.
            if (place := state.pop("place", None)) is not None:
                place.leave()
            if (context := state.pop("context", None)) is not None:
                await context.close()

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        """Make the context of one operation, which authenticates its caller when it is known to be allowed.

        Raises:
            HttpFailure: the Authorization header is not that of a bearer token.
        """
        state = request.scope["state"]
        trace = state["trace"] = Trace() if self._reports_costs else None
        authentication = None
        if (token := bearer_token(request)) is not None:
            authentication = state["authentication"] = Authentication(self._accounts.access_tokens, token)
        context = state["context"] = Context(
            self._database,
            accounts=self._accounts,
            client=state["client"],
            request_id=state["request_id"],
            trace=trace,
            place=state.pop("place"),
            find_viewer=None if authentication is None else authentication.find_viewer,
        )
        return context

    def _note_use(self, request: Request) -> None:
        """Note in the background that an API token was used; the client's connection does not wait for it."""
        authentication: Authentication | None = request.scope["state"].get("authentication")
        if authentication is not None:
            authentication.note_use(self._database)

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData | list[GraphQLRequestData]:
        """Read the request.

        Raises:
            HttpFailure: it is not JSON, or no object.
        """
        try:
            data = await super().parse_http_body(request)
        except AttributeError:  # a body that is JSON, but no object
            raise HttpFailure(HTTP_BAD_REQUEST, "The body must be a JSON object.") from None
        if not isinstance(data, list) and not isinstance(data.operation_name, str | None):
            raise HttpFailure(HTTP_BAD_REQUEST, "`operationName` must be a string or null.")
        return data

    async def execute_single(self, *args: Any, **kwargs: Any) -> ExecutionResult:
        """Run one operation; when nothing of it could run for want of the database, answer 503.

        Raises:
            HttpFailure: the request has a token that is not valid; it never runs as if it had none.
        """
        try:
            result: ExecutionResult = await super().execute_single(*args, **kwargs)
        except InvalidToken:
            raise _unauthenticated() from None
        if _is_unavailable(result):
            sub_response: Response = kwargs["sub_response"]
            sub_response.status_code = HTTP_SERVICE_UNAVAILABLE
            sub_response.headers["Retry-After"] = RETRY_AFTER_SECONDS
        return result

    def decode_json(self, data: str | bytes) -> object:
        """Read JSON, and refuse everything else with 400."""
        return parse_json(data)

    def encode_json(self, data: object) -> bytes:
        """Encode a result; escapes may make it larger than its budget, which counts characters."""
        content = encode_json(data)
        limit = self._max_answer_bytes
        return content if len(content) <= limit else encode_json({"data": None, "errors": [_too_large(limit)]})


def bearer_token(request: Request | WebSocket) -> str | None:
    """Return the token of a request, if it has one (RFC 6750, section 2.1).

    Raises:
        HttpFailure: the header is there, and is not that of a bearer token.
    """
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _unauthenticated()
    return token.strip()


def _too_large(limit: int) -> dict[str, Any]:
    error = answer_too_large(limit)
    return {"message": error.message, "extensions": error.extensions}


def _unauthenticated() -> HttpFailure:
    message = "The token is not valid: it has expired, was revoked, or is none of this server's."
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return HttpFailure(HTTP_UNAUTHORIZED, message, code=Code.UNAUTHENTICATED, headers=headers)


def _check_media_type(request: Request) -> None:
    """Take JSON and nothing else: Strawberry looks for the name anywhere in the header.

    Browsers send other sites' `text/plain` without asking first.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if media_type != MEDIA_TYPE:
        raise HttpFailure(HTTP_UNSUPPORTED_MEDIA_TYPE, f"The Content-Type must be {MEDIA_TYPE}.")


def _is_unavailable(result: ExecutionResult) -> bool:
    """Tell whether a result holds nothing but the news that the database is not available."""
    codes = {(error.extensions or {}).get("code") for error in result.errors or ()}
    return codes == {Code.UNAVAILABLE} and not any((result.data or {}).values())
