"""The execution of a request: of the text that it brings, or of a document that is known by its id."""

from collections.abc import Awaitable, Iterable
from typing import Any, Protocol

from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from gqlapi.context import Context
from gqlapi.documents.persisted import PersistedDocuments
from gqlapi.errors import BadRequest
from gqlapi.http.document_ids import APQ
from gqlapi.http.requests import GraphQLRequest, malformed
from gqlapi.operations import BoundOperation, Refused

Types = Iterable[OperationType]


class Schema(Protocol):
    """What executes operations."""

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None,
        context_value: Context,
        root_value: None,
        operation_name: str | None,
        allowed_operation_types: Types | None,
        operation_extensions: dict[str, Any] | None,
        max_cost: int | None,
    ) -> ExecutionResult:
        """Run one operation; `max_cost` replaces the limit of its cost.

        Raises:
            InvalidOperationTypeError: the type of the operation is not allowed.
            InvalidToken: the operation is allowed, and its token is not valid.
        """

    async def respond(self, operation: BoundOperation, context: Context, event: Any) -> ExecutionResult:
        """Run a subscription for one event, in its own context.

        Raises:
            InvalidToken: the token of the subscriber is not valid any more.
        """

    def refuse(self, context: Context, refused: Refused) -> ExecutionResult:
        """Return the result of an operation that does not run."""


class Executor:
    """Executes requests: the one place where it is decided which documents run."""

    def __init__(self, schema: Schema, documents: PersistedDocuments) -> None:
        """Execute by a schema; `documents` finds those that are known by their ids."""
        self._schema = schema
        self._documents = documents

    def execute(self, request: GraphQLRequest, context: Context, types: Types) -> Awaitable[ExecutionResult]:
        """Run the operation of a request; operations of other types than these are not allowed.

        What is awaited raises:
            HttpFailure: the id of the request is not that of its text.
            InvalidOperationTypeError: the type of the operation is not allowed.
            InvalidToken: the operation is allowed, and its token is not valid.
        """
        document_id, text, max_cost = request.document_id, request.query, None
        if document_id is not None or self._documents.requires_ids:
            trusted = None if text or document_id is None else self._documents.trusted.get(document_id)
            if trusted is None or trusted.errors:
                return self._find_and_run(request, context, types)
            text, max_cost, context.is_of_trusted_document = trusted.text, trusted.max_cost, True
        return self._run(text, request, context, types, max_cost)

    def respond(self, operation: BoundOperation, context: Context, event: Any) -> Awaitable[ExecutionResult]:
        """Run a subscription that `execute` has begun for one event, in its own context.

        What is awaited raises:
            InvalidToken: the token of the subscriber is not valid any more.
        """
        return self._schema.respond(operation, context, event)

    async def _find_and_run(self, request: GraphQLRequest, context: Context, types: Types) -> ExecutionResult:
        """Run a document that has to be looked for, or becomes known once it passed validation and the limits."""
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
        context.is_of_trusted_document = self._documents.trusted.get(document_id or "") is document
        result = await self._run(document.text, request, context, types, document.max_cost)
        if document_id is not None and text and not isinstance(result, PreExecutionError):
            await self._documents.register(document_id, document)
        return result

    def _run(
        self, text: str, request: GraphQLRequest, context: Context, types: Types, max_cost: int | None
    ) -> Awaitable[ExecutionResult]:
        name, extensions = request.operation_name, request.extensions
        return self._schema.execute(text, request.variables, context, None, name, types, extensions, max_cost)
