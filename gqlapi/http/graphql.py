"""The GraphQL endpoint: from a request over HTTP to the bytes of its answer."""

import asyncio
from contextlib import suppress
from http import HTTPStatus

from starlette.types import Receive, Scope, Send

from gqlapi.accounts import Client
from gqlapi.accounts.authentication import Authentication
from gqlapi.database.gate import Place
from gqlapi.errors import Unavailable
from gqlapi.http.batching import Batch, Item, accepts_json_lines, read_body
from gqlapi.http.body import Bodies
from gqlapi.http.clients import Clients, Headers, headers_of
from gqlapi.http.compression import Compression
from gqlapi.http.disconnection import CancelOnDisconnect, ClientDisconnected
from gqlapi.http.events import EventStream
from gqlapi.http.failures import HttpFailure, Pacer, busy
from gqlapi.http.json import NO_STORE, send_json
from gqlapi.http.media_types import check_media_type
from gqlapi.http.methods import BODIES, OPERATIONS, method_not_allowed
from gqlapi.http.origins import Origins
from gqlapi.http.requests import GraphQLRequest, bearer_token, read_parameters, refuse_page
from gqlapi.http.responses import UNAVAILABLE_HEADERS, Negotiation, Representation, Response
from gqlapi.http.runner import Begun
from gqlapi.http.subscriptions import Subscription, Subscriptions
from gqlapi.operations import BatchBudget
from gqlapi.serving.disconnect import EXTENSION, Disconnect

BUSY = busy().content


class GraphQLEndpoint:
    """Answers GraphQL requests: one operation, or a batch of them."""

    def __init__(
        self,
        subscriptions: Subscriptions,
        negotiation: Negotiation,
        origins: Origins,
        compression: Compression,
        *,
        max_body_bytes: int,
    ) -> None:
        """Answer by the runner of operations that the subscriptions have as well."""
        self._subscriptions = subscriptions
        self._runner = runner = subscriptions.runner
        self._gate = runner.database.gate
        self._negotiation = negotiation
        self._origins = origins
        self._compression = compression
        self._bodies = Bodies(max_body_bytes)
        self._clients = Clients()
        self._refusals = Pacer()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is refused before GraphQL begins is refused in GraphQL's shape."""
        try:
            response = await self._answer(scope, receive, send)
        except ClientDisconnected:
            return
        except Unavailable:
            await self._refuse(scope, send)
            return
        except HttpFailure as failure:
            scope["state"]["code"] = str(failure.code)
            response = self._negotiation.failure(failure)
        authentication: Authentication | None = scope["state"].get("authentication")
        if isinstance(response, Begun):
            await self._send_events(scope, receive, send, response, authentication)
        elif response is not None:
            await self._send(scope, send, response)
        if authentication is not None:  # in the background: the client's connection does not wait for it
            authentication.record_use(self._runner.database)

    async def _send(self, scope: Scope, send: Send, response: Response) -> None:
        content, status, headers, may_be_kept = response
        if not may_be_kept:
            headers = (*headers, NO_STORE)
        if self._compression.is_on:
            coding = self._compression.coding_of(scope, headers_of(scope), len(content))
            if coding is not None:
                await self._compression.send(send, status, content, headers, coding)
                return
        await send_json(send, status, content, headers)

    async def _send_events(
        self, scope: Scope, receive: Receive, send: Send, begun: Begun, authentication: Authentication | None
    ) -> None:
        """Send the answers of a subscription until it, the client or the server ends."""
        framing = self._negotiation.choose(scope, headers_of(scope)).events
        assert framing is not None  # noqa: S101 - else it has not begun
        context = begun.context

        async def check_session() -> None:
            if authentication is not None:
                await self._subscriptions.check_session(authentication, context.client)

        stream = EventStream(send, framing, check_session)
        disconnect: Disconnect | None = scope.get("extensions", {}).get(EXTENSION)
        if disconnect is not None:
            disconnect.on_shutdown = stream.leave
        with suppress(ClientDisconnected), CancelOnDisconnect(scope, receive):
            await stream.run(self._subscriptions.answers(Subscription(begun, authentication)))

    async def _refuse(self, scope: Scope, send: Send) -> None:
        """Answer a request that got no place; the gate has counted it, and it gets no line in the log."""
        scope["state"]["is_counted"] = True
        if delay := self._refusals.take():
            await asyncio.sleep(delay)
        await send_json(send, HTTPStatus.SERVICE_UNAVAILABLE, BUSY, UNAVAILABLE_HEADERS)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> Response | Begun | None:
        """Read the body, wait for a place, and only then parse: a refusal for want of places costs next to nothing.

        `Begun` is a subscription whose events are still to be sent. None: the answers of a batch, or the payloads of an
        operation, were sent one by one.

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
        self._gate.check(client.keys)
        try:
            if method in BODIES:
                check_media_type(headers)
                body = await self._bodies.read(receive, headers.get(b"content-length", b""))
            with CancelOnDisconnect(scope, receive):
                place = await self._gate.enter(client.keys)
                try:
                    request = self._read(scope, headers, body)
                except BaseException:
                    place.leave()
                    raise
                if isinstance(request, GraphQLRequest):
                    return await self._runner.stream(request, scope, client, place, representation, send)
                streams = send if accepts_json_lines(headers) else None
                return await self._run_batch(request, scope, client, place, representation, streams)
        finally:
            self._bodies.release(len(body))

    def _read(self, scope: Scope, headers: Headers, body: bytes) -> GraphQLRequest | list[Item]:
        """Read the request: one operation, or several.

        A page of another site may ask for a document that is known: that one was meant to be read.

        Raises:
            HttpFailure: it is no request, comes from a page of another site, or its Authorization header is not that of
                a bearer token.
        """
        method, document_id = scope["method"], scope["state"].get("document_id")
        if (token := bearer_token(headers)) is not None:
            scope["state"]["authentication"] = Authentication(self._runner.accounts.access_tokens, token)
        if method in BODIES:
            request = read_body(body, self._runner.limits.max_batch_size, document_id)
        else:
            request = read_parameters(scope["query_string"], document_id)
        if method != "POST" and not (isinstance(request, GraphQLRequest) and request.is_of_known_document):
            self._origins.check(headers)
        return request

    async def _run_batch(
        self,
        items: list[Item],
        scope: Scope,
        client: Client,
        place: Place,
        representation: Representation,
        send: Send | None,
    ) -> Response | None:
        """Execute the operations of a batch side by side, each with its own slot, like one that came alone.

        Each answer is sent as soon as it is there, or, without `send`, all are returned.
        """
        limits, places = self._runner.limits, [place]
        batch, budget = Batch(items, limits.max_answer_bytes, representation), BatchBudget(limits)

        async def run(request: GraphQLRequest | HttpFailure) -> Response:
            try:
                if isinstance(request, HttpFailure):
                    raise request
                own = places.pop() if places else await self._gate.enter(client.keys)
                return await self._runner.run(request, scope, client, own, representation, budget)
            except Unavailable:
                return self._negotiation.failure(busy())
            except HttpFailure as failure:
                return self._negotiation.failure(failure)

        try:
            if send is None:
                return await batch.run(run)
            await batch.stream(run, send, [NO_STORE])
            return None
        finally:
            for unused in places:
                unused.leave()
