"""The GraphQL endpoint: from a request over HTTP to the bytes of its answer."""

import asyncio
from http import HTTPStatus
from typing import Any

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
from gqlapi.http.answers import Answer
from gqlapi.http.batching import Batch, Item, accepts_json_lines, read_body
from gqlapi.http.body import Bodies
from gqlapi.http.clients import Clients, Headers, headers_of
from gqlapi.http.disconnection import CancelOnDisconnect, ClientDisconnected
from gqlapi.http.failures import RETRY_AFTER, HttpFailure, Pacer, busy
from gqlapi.http.json import encode_json, send_json
from gqlapi.http.pieces import Pieces
from gqlapi.http.requests import GraphQLRequest, bearer_token, check_media_type, read_parameters, unauthenticated
from gqlapi.http.usage import UsageCounter
from gqlapi.operations import BatchBudget, Limits

METHODS: tuple[HTTPMethod, ...] = ("GET", "POST")
OPERATIONS: dict[str, set[OperationType]] = {method: OperationType.from_http(method) for method in METHODS}
BUSY = busy().content
NO_STORE = (b"cache-control", b"no-store")
# Longer texts are encoded piece by piece while they are sent.
MAX_WHOLE_LENGTH = 1_048_576


class GraphQLEndpoint:
    """Answers GraphQL requests; one context for each operation."""

    def __init__(
        self,
        schema: BaseSchema,
        database: Database,
        accounts: Accounts,
        *,
        limits: Limits,
        max_body_bytes: int,
        reports_costs: bool = False,
        usage: UsageCounter | None = None,
    ) -> None:
        """Serve a schema over a database."""
        self._schema = schema
        self._database = database
        self._accounts = accounts
        self._limits = limits
        self._bodies = Bodies(max_body_bytes)
        self._clients = Clients()
        self._refusals = Pacer()
        self._reports_costs = reports_costs
        self._usage = usage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is refused before GraphQL begins is refused in GraphQL's shape."""
        try:
            answer = await self._answer(scope, receive, send)
        except ClientDisconnected:
            return
        except Unavailable:
            await self._refuse(scope, send)
            return
        except HttpFailure as failure:
            answer = Answer(failure.content, failure.status_code, failure.headers)
        authentication: Authentication | None = scope["state"].get("authentication")
        if answer is not None:
            content, status, headers = answer
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

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> Answer | None:
        """Read the body, wait for a place, and only then parse: a refusal for want of places costs next to nothing.

        None: the answers of a batch were sent one by one.

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
                request = self._read(scope, headers, body, place)
                if isinstance(request, GraphQLRequest):
                    return await self._run(request, scope, client, place)
                return await self._run_batch(request, scope, client, place, headers, send)
        finally:
            self._bodies.release(len(body))

    def _read(self, scope: Scope, headers: Headers, body: bytes, place: Place) -> GraphQLRequest | list[Item]:
        """Read the request; the place is given back when there is none.

        Raises:
            HttpFailure: it is no request, or its Authorization header is not that of a bearer token.
        """
        try:
            if (token := bearer_token(headers)) is not None:
                scope["state"]["authentication"] = Authentication(self._accounts.access_tokens, token)
            if scope["method"] == "POST":
                return read_body(body, self._limits.max_batch_size)
            return read_parameters(scope["query_string"], headers)
        except BaseException:
            place.leave()
            raise

    async def _run(
        self, request: GraphQLRequest, scope: Scope, client: Client, place: Place, budget: BatchBudget | None = None
    ) -> Answer:
        """Execute an operation in a context of its own, which owns the place.

        Raises:
            HttpFailure: the operation is refused.
        """
        state, trace = scope["state"], None
        if self._reports_costs:
            trace = Trace()
            state.setdefault("traces", []).append(trace)
        authentication: Authentication | None = state.get("authentication")
        context = Context(
            self._database,
            accounts=self._accounts,
            client=client,
            request_id=state["request_id"],
            trace=trace,
            place=place,
            find_viewer=None if authentication is None else authentication.find_viewer,
        )
        context.error_mode, context.budget = request.error_mode, budget
        try:
            result = await self._execute(request, scope["method"], context)
            if self._usage is not None and context.operation is not None:
                self._usage.count(context.operation.operation, request.variables, headers_of(scope))
            return self._encode(result, context)
        finally:
            await context.close()

    async def _run_batch(
        self, items: list[Item], scope: Scope, client: Client, place: Place, headers: Headers, send: Send
    ) -> Answer | None:
        """Execute the operations of a batch side by side, each behind the gate like one that came alone."""
        batch, budget = Batch(items, self._limits.max_answer_bytes), BatchBudget(self._limits)
        places = [place]

        async def run(request: GraphQLRequest) -> Answer:
            try:
                own = places.pop() if places else await self._database.gate.enter(client.keys)
            except Unavailable:
                raise busy() from None
            return await self._run(request, scope, client, own, budget)

        try:
            if not accepts_json_lines(headers):
                return await batch.run(run)
            await batch.stream(run, send, [NO_STORE])
            return None
        finally:
            for unused in places:
                unused.leave()

    async def _execute(self, request: GraphQLRequest, method: str, context: Context) -> ExecutionResult:
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
                OPERATIONS[method],
                request.extensions,
            )
        except InvalidToken:
            raise unauthenticated() from None
        except InvalidOperationTypeError as error:
            raise HttpFailure(HTTPStatus.BAD_REQUEST, error.as_http_error_reason(method)) from None

    def _encode(self, result: ExecutionResult, context: Context) -> Answer:
        """Encode a result; escapes may make it larger than its budget, which counts characters."""
        data: dict[str, Any] = {"data": result.data}
        if result.errors:
            data["errors"] = [error.formatted for error in result.errors]
        if result.extensions:
            data["extensions"] = result.extensions
        content = Pieces(data) if context.text_length > MAX_WHOLE_LENGTH else encode_json(data)
        if len(content) > self._limits.max_answer_bytes:
            return Answer.of_error(answer_too_large(self._limits.max_answer_bytes))
        if result.errors and _is_unavailable(result) and not context.has_halted_writing:
            return Answer(content, HTTPStatus.SERVICE_UNAVAILABLE, RETRY_AFTER)
        return Answer(content)


def _is_unavailable(result: ExecutionResult) -> bool:
    """Whether a result holds nothing but the news that the database is not available."""
    codes = {(error.extensions or {}).get("code") for error in result.errors or ()}
    return codes == {Code.UNAVAILABLE} and not any((result.data or {}).values())
