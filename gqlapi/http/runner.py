"""Runs one operation of a request, and encodes its result."""

from http import HTTPStatus
from typing import Any

from starlette.types import Scope
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
from gqlapi.errors import BadRequest, Code
from gqlapi.http.clients import headers_of
from gqlapi.http.document_ids import APQ
from gqlapi.http.executor import Executor
from gqlapi.http.json import encode_json
from gqlapi.http.methods import OPERATIONS, mutation_not_allowed
from gqlapi.http.pieces import Pieces
from gqlapi.http.requests import GraphQLRequest, malformed, unauthenticated
from gqlapi.http.responses import NO_STORE, OK, Representation, Response
from gqlapi.http.usage import UsageCounter
from gqlapi.operations import BatchBudget, Limits, Refused

# A document may be known a moment later.
PASSING = {Code.PERSISTED_QUERY_NOT_FOUND, Code.PERSISTED_QUERY_NOT_SUPPORTED}
# Longer texts are encoded piece by piece while they are sent.
MAX_WHOLE_LENGTH = 1_048_576


class Runner:
    """Runs operations, each in a context of its own."""

    def __init__(
        self,
        schema: Executor,
        database: Database,
        accounts: Accounts,
        documents: PersistedDocuments,
        *,
        limits: Limits,
        reports_costs: bool = False,
        usage: UsageCounter | None = None,
    ) -> None:
        """Run operations on a database."""
        self.database = database
        self.accounts = accounts
        self.limits = limits
        self._schema = schema
        self._documents = documents
        self._reports_costs = reports_costs
        self._usage = usage

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
        context.error_mode, context.budget = request.error_mode, budget
        try:
            result = await self._execute(scope, request, context)
            if self._usage is not None and context.operation is not None:
                self._usage.count(context.operation.operation, request.variables, headers_of(scope))
            return self._encode(result, representation, is_long=context.text_length > MAX_WHOLE_LENGTH)
        finally:
            await context.close()

    def _context(self, scope: Scope, client: Client, place: Place) -> Context:
        state, trace = scope["state"], None
        if self._reports_costs:
            trace = Trace()
            state.setdefault("traces", []).append(trace)
        authentication: Authentication | None = state.get("authentication")
        return Context(
            self.database,
            accounts=self.accounts,
            client=client,
            request_id=state["request_id"],
            trace=trace,
            place=place,
            find_viewer=None if authentication is None else authentication.find_viewer,
        )

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
            raise malformed(error.message) from None
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
            if (result.errors[0].extensions or {}).get("code") in PASSING:
                headers = (*headers, NO_STORE)
        if result.extensions:
            data["extensions"] = result.extensions
        content = Pieces(data) if is_long else encode_json(data)
        if len(content) > self.limits.max_answer_bytes:
            return representation.too_large(self.limits.max_answer_bytes)
        return Response(content, status, headers)
