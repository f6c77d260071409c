"""Runs one operation of a request, and encodes its result."""

from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any, NamedTuple

from starlette.types import Scope, Send
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from gqlapi.accounts import Accounts, Client
from gqlapi.accounts.authentication import Authentication
from gqlapi.accounts.tokens import InvalidToken
from gqlapi.context import Context
from gqlapi.database.gate import Place
from gqlapi.database.positions import format_position
from gqlapi.database.unit import Database
from gqlapi.feed import Feed, LiveQueries
from gqlapi.http.caching import CacheableAnswer, Caching
from gqlapi.http.clients import Headers, headers_of
from gqlapi.http.execution import Executor
from gqlapi.http.json import HeaderList, encode_json
from gqlapi.http.methods import OPERATIONS, SUBSCRIPTIONS, type_not_allowed
from gqlapi.http.pieces import Pieces
from gqlapi.http.positions import POSITION_HEADER, position_of
from gqlapi.http.reporting import Reporter
from gqlapi.http.requests import GraphQLRequest, unauthenticated
from gqlapi.http.responses import OK, Representation, Response, headers_of_rate
from gqlapi.http.streaming import StreamedAnswer, Streaming
from gqlapi.http.usage import UsageCounter
from gqlapi.operations import BatchBudget, Limits
from gqlapi.operations.rate import Rates

# Longer texts are encoded piece by piece while they are sent.
MAX_WHOLE_LENGTH = 1_048_576


class Begun(NamedTuple):
    """A subscription that has begun: its context has the operation and the events."""

    request: GraphQLRequest
    context: Context


class Runner:
    """Runs operations, each in its own context."""

    def __init__(
        self,
        executor: Executor,
        database: Database,
        accounts: Accounts,
        caching: Caching,
        *,
        limits: Limits,
        usage: UsageCounter | None = None,
        rates: Rates | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        """Run operations on a database."""
        self._reporter = reporter or Reporter()
        self.respond = executor.respond
        self.database = database
        self.accounts = accounts
        self.limits = limits
        self._executor = executor
        self._caching = caching
        self._usage = usage
        self._rates = rates
        # What subscriptions follow.
        self.feed: Feed | None = None
        self.live: LiveQueries | None = None

    async def run(
        self,
        request: GraphQLRequest,
        scope: Scope,
        client: Client,
        place: Place,
        representation: Representation,
        budget: BatchBudget | None = None,
    ) -> Response:
        """Execute an operation in a context, which owns the place.

        Raises:
            HttpFailure: the operation is refused.
        """
        context = self._context(scope, client, place)
        context.budget = budget
        response = await self._run(request, scope, context, representation)
        assert isinstance(response, Response)  # noqa: S101 - no subscription is part of a batch
        return response

    def stream(
        self,
        request: GraphQLRequest,
        scope: Scope,
        client: Client,
        place: Place,
        representation: Representation,
        send: Send,
    ) -> Awaitable[Response | Begun | None]:
        """Do what `run` does, or send the payloads of an operation that has several, and return None.

        What is awaited raises:
            HttpFailure: the operation is refused.
        """
        context, streaming = self._context(scope, client, place), representation.streaming
        if streaming is None:
            return self._run(request, scope, context, representation)
        return self._stream(request, scope, context, representation, streaming, send)

    async def _stream(
        self,
        request: GraphQLRequest,
        scope: Scope,
        context: Context,
        representation: Representation,
        streaming: Streaming,
        send: Send,
    ) -> Response | Begun | None:
        def headers() -> HeaderList:
            rate = () if context.spent is None else headers_of_rate(context.spent, OK)
            return (*streaming.framing.headers, *rate)

        context.delivery = answer = StreamedAnswer(send, streaming.framing, self.limits.max_answer_bytes, headers)
        response = await self._run(request, scope, context, representation)
        if answer.has_begun:
            return None
        if isinstance(response, Begun):
            return response
        if not streaming.is_only or response.status >= HTTPStatus.MULTIPLE_CHOICES:
            return response
        return Response(streaming.framing.whole(response.content), OK, headers())

    async def _run(
        self, request: GraphQLRequest, scope: Scope, context: Context, representation: Representation
    ) -> Response | Begun:
        """Execute an operation, whose caller is authenticated when it is known to be allowed.

        Raises:
            HttpFailure: the method does not allow the operation, or the token is not valid; an operation never runs as
                if it had none.
        """
        method, types = scope["method"], OPERATIONS[scope["method"]]
        cacheable = self._caching.answer_to(scope, request)
        if cacheable is not None:
            context.observation = cacheable.observation
        # The answer to HEAD has no body, so that no event would reach the client.
        if representation.events is not None and context.budget is None and method != "HEAD":
            types |= SUBSCRIPTIONS
        try:
            result = await self.execute(request, context, types, headers_of(scope))
            if context.events is not None:
                return Begun(request, context)
            response = self._encode(result, representation, context, cacheable)
            return self._report(scope, context, request, result, response)
        except InvalidToken:
            raise unauthenticated() from None
        except InvalidOperationTypeError as error:
            raise type_not_allowed(method, error.operation_type) from None
        finally:
            self._reporter.end(context)

    async def execute(
        self, request: GraphQLRequest, context: Context, types: frozenset[OperationType], headers: Headers
    ) -> ExecutionResult:
        """Execute an operation in its own context, which is closed then.

        Raises:
            HttpFailure: the request is refused.
            InvalidToken: the token is not valid; an operation never runs as if it had none.
            InvalidOperationTypeError: the type of the operation is none of these.
        """
        context.error_mode, context.rates = request.error_mode, self._rates
        try:
            if self.database.replicas is not None:
                context.seen_position = position_of(headers, request)
            result = await self._executor.execute(request, context, types)
            if self._usage is not None and context.operation is not None:
                self._usage.count(context.operation.operation, request.variables, headers)
            return result
        finally:
            if not context.is_closed:
                await context.close()

    def report(self, context: Context, result: ExecutionResult, name: str | None = None) -> None:
        """Report an operation whose answer has no request: `name` is what its client calls it."""
        self._reporter.report(context, result.errors, name or "")
        self._reporter.end(context)

    def _report(
        self, scope: Scope, context: Context, request: GraphQLRequest, result: ExecutionResult, response: Response
    ) -> Response:
        report = self._reporter.report(context, result.errors, request.operation_name or "", response.status)
        scope["state"]["reports"].append(report)
        span = report.span
        if span is not None and not response.may_be_kept:
            response = response._replace(headers=(*response.headers, (b"traceresponse", span.header)))
        return response

    def _context(self, scope: Scope, client: Client, place: Place) -> Context:
        state = scope["state"]
        return self.context(client, state.get("authentication"), state["request_id"], place, headers_of(scope))

    def context(
        self,
        client: Client,
        authentication: Authentication | None,
        request_id: str,
        place: Place | None = None,
        headers: Headers | None = None,
    ) -> Context:
        """Create the context of one operation, which owns the place; `headers` are those of its request."""
        trace = self._reporter.begin(headers or {})
        context = Context(
            self.database,
            accounts=self.accounts,
            client=client,
            request_id=request_id,
            trace=trace,
            place=place,
            find_viewer=None if authentication is None else authentication.find_viewer,
        )
        context.reports_costs = self._reporter.reports_costs
        context.feed, context.live = self.feed, self.live
        return context

    def _encode(
        self,
        result: ExecutionResult,
        representation: Representation,
        context: Context,
        cacheable: CacheableAnswer | None,
    ) -> Response:
        """Encode a result; escapes may make it larger than its budget, which counts characters."""
        data: dict[str, Any] = {"data": result.data}
        status, headers = OK, representation.headers
        if result.errors:
            status, headers = representation.of_errors(result, may_repeat=not context.has_halted_writing)
            if status >= HTTPStatus.BAD_REQUEST or isinstance(result, PreExecutionError):
                del data["data"]
            data["errors"] = [error.formatted for error in result.errors]
        if result.extensions:
            data["extensions"] = result.extensions
        content = Pieces(data) if context.text_length > MAX_WHOLE_LENGTH else encode_json(data)
        if len(content) > self.limits.max_answer_bytes:
            return representation.too_large(self.limits.max_answer_bytes)
        response = Response(content, status, headers)
        if context.written_position:
            position = (POSITION_HEADER, format_position(context.written_position).encode())
            response = response._replace(headers=(*response.headers, position))
        if cacheable is not None:
            response = cacheable.present(response, result)
        if context.spent is not None and not response.may_be_kept:
            response = response._replace(headers=(*response.headers, *headers_of_rate(context.spent, status)))
        return response
