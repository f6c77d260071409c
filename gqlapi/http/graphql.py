"""The GraphQL endpoint: from a request over HTTP to the bytes of its answer."""

import asyncio
from http import HTTPStatus
from typing import Any

from starlette.types import Receive, Scope, Send
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError

from gqlapi.accounts import Accounts, Client
from gqlapi.accounts.authentication import Authentication
from gqlapi.accounts.tokens import InvalidToken
from gqlapi.context import Context
from gqlapi.database.gate import Place
from gqlapi.database.tracing import Trace
from gqlapi.database.unit import Database
from gqlapi.documents.persisted import PersistedDocuments
from gqlapi.errors import BadRequest, Code, Unavailable, answer_too_large
from gqlapi.http.body import Bodies
from gqlapi.http.clients import Clients, Headers, headers_of
from gqlapi.http.disconnection import CancelOnDisconnect, ClientDisconnected
from gqlapi.http.document_ids import APQ
from gqlapi.http.executor import Executor
from gqlapi.http.failures import HttpFailure, Pacer, busy
from gqlapi.http.json import encode_json, send_json
from gqlapi.http.media_types import check_media_type
from gqlapi.http.methods import BODIES, OPERATIONS, method_not_allowed, mutation_not_allowed
from gqlapi.http.origins import Origins
from gqlapi.http.pieces import Pieces
from gqlapi.http.requests import (
    GraphQLRequest,
    bearer_token,
    read_body,
    read_parameters,
    refuse_page,
    unauthenticated,
)
from gqlapi.http.responses import UNAVAILABLE_HEADERS, Negotiation, Representation, Response
from gqlapi.operations import Refused

BUSY = busy().content
OK = 200
NO_STORE = (b"cache-control", b"no-store")
# A document may be known a moment later.
PASSING = {Code.PERSISTED_QUERY_NOT_FOUND, Code.PERSISTED_QUERY_NOT_SUPPORTED}
# Longer texts are encoded piece by piece while they are sent.
MAX_WHOLE_LENGTH = 1_048_576


class GraphQLEndpoint:
    """Answers GraphQL requests; one context for each operation."""

    def __init__(
        self,
        schema: Executor,
        database: Database,
        accounts: Accounts,
        documents: PersistedDocuments,
        negotiation: Negotiation,
        origins: Origins,
        *,
        max_body_bytes: int,
        max_answer_bytes: int,
        reports_costs: bool = False,
    ) -> None:
        """Serve a schema over a database."""
        self._schema = schema
        self._database = database
        self._accounts = accounts
        self._documents = documents
        self._negotiation = negotiation
        self._origins = origins
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
            content, status, headers = self._negotiation.failure(failure)
        authentication: Authentication | None = scope["state"].get("authentication")
        if (authentication is not None or scope["method"] == "POST") and NO_STORE not in headers:
            headers = (*headers, NO_STORE)  # only mutations hand tokens out
        await send_json(send, status, content, headers)
        if authentication is not None:  # in the background: the client's connection does not wait for it
            authentication.note_use(self._database)

    async def _refuse(self, scope: Scope, send: Send) -> None:
        """Answer a request that got no place; the gate has counted it, and it gets no line in the log."""
        scope["state"]["is_counted"] = True
        if delay := self._refusals.take():
            await asyncio.sleep(delay)
        await send_json(send, HTTPStatus.SERVICE_UNAVAILABLE, BUSY, UNAVAILABLE_HEADERS)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        """Read the body, wait for a place, and only then parse: a refusal for want of places costs next to nothing.

        Raises:
            HttpFailure: the request is refused.
            Unavailable: there is no place for it.
            ClientDisconnected: the client has closed the connection.
        """
        method = scope["method"]
        if method not in OPERATIONS:
            raise method_not_allowed(method)
        headers = headers_of(scope)
        if method not in BODIES and "document_id" not in scope["state"]:
            refuse_page(scope["query_string"], headers)
        representation = self._negotiation.choose(scope, headers)
        client, body = self._clients.client_of(scope, headers), b""
        self._database.gate.check(client.keys)
        try:
            if method in BODIES:
                check_media_type(headers)
                body = await self._bodies.read(receive, headers.get(b"content-length", b""))
            with CancelOnDisconnect(scope, receive):
                place = await self._database.gate.enter(client.keys)
                request, context = self._prepare(scope, headers, body, client, place)
                try:
                    result = await self._execute(scope, request, context)
                    return self._encode(result, representation, is_long=context.text_length > MAX_WHOLE_LENGTH)
                finally:
                    await context.close()
        finally:
            self._bodies.release(len(body))

    def _prepare(
        self, scope: Scope, headers: Headers, body: bytes, client: Client, place: Place
    ) -> tuple[GraphQLRequest, Context]:
        """Read the request, and make its context, which owns the place from then on.

        Raises:
            HttpFailure: it is no request, comes from a page of another site, or its Authorization header is not that of
                a bearer token.
        """
        method = scope["method"]
        try:
            token = bearer_token(headers)
            path_id = scope["state"].get("document_id")
            request = read_body(body, path_id) if method in BODIES else read_parameters(scope["query_string"], path_id)
            if method != "POST":
                self._origins.check(headers)
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
        document_id, text, max_cost = request.document_id, request.query, None
        if document_id is not None or self._documents.requires_ids:
            trusted = None if text or document_id is None else self._documents.trusted.get(document_id)
            if trusted is None or trusted.errors:
                return await self._execute_persisted(scope, request, context)
            text, max_cost = trusted.text, trusted.max_cost
        return await self._execute_text(scope, request, context, text, max_cost)

    async def _execute_persisted(self, scope: Scope, request: GraphQLRequest, context: Context) -> ExecutionResult:
        """Execute a document that is known by its id, or becomes known once it passed validation and the limits."""
        document_id, text = request.document_id, request.query
        try:
            document = await self._documents.find(
                document_id,
                text,
                lambda: context.repositories.documents,
                is_automatic=APQ in (request.extensions or ()),
            )
        except Refused as refused:
            return self._schema.refuse(context, refused)
        except BadRequest as error:
            raise HttpFailure(HTTPStatus.UNPROCESSABLE_ENTITY, error.message) from None
        result = await self._execute_text(scope, request, context, document.text, document.max_cost)
        if document_id is not None and text and not isinstance(result, PreExecutionError):
            await self._documents.register(document_id, document)
        return result

    async def _execute_text(
        self, scope: Scope, request: GraphQLRequest, context: Context, text: str, max_cost: int | None = None
    ) -> ExecutionResult:
        try:
            return await self._schema.execute(
                text,
                request.variables,
                context,
                None,
                request.operation_name,
                OPERATIONS[scope["method"]],
                request.extensions,
                max_cost,
            )
        except InvalidToken:
            raise unauthenticated() from None
        except InvalidOperationTypeError:
            raise mutation_not_allowed(scope["method"]) from None

    def _encode(self, result: ExecutionResult, representation: Representation, *, is_long: bool) -> Response:
        """Encode a result; escapes may make it larger than its budget, which counts characters."""
        data: dict[str, Any] = {"data": result.data}
        status, headers = OK, representation.headers
        if result.errors:
            status, headers = representation.of_errors(result)
            if status >= HTTPStatus.BAD_REQUEST or isinstance(result, PreExecutionError):
                del data["data"]
            data["errors"] = [error.formatted for error in result.errors]
        if result.extensions:
            data["extensions"] = result.extensions
        content = Pieces(data) if is_long else encode_json(data)
        if len(content) > self._max_answer_bytes:
            too_large = answer_too_large(self._max_answer_bytes)
            error = {"message": too_large.message, "extensions": too_large.extensions}
            content = encode_json({"data": None, "errors": [error]})
            status, headers = representation.partial, representation.headers
        if result.errors and (result.errors[0].extensions or {}).get("code") in PASSING:
            headers = (*headers, NO_STORE)
        return Response(content, status, headers)
