"""The schema that the server runs: limits, deadline and presentation of errors for every transport."""

import asyncio
import hashlib
from collections.abc import Iterable
from functools import cached_property
from typing import Any, cast

import strawberry
from graphql import GraphQLError, GraphQLInputObjectType, GraphQLSchema
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from gqlapi.accounts.tokens import InvalidToken
from gqlapi.context import Context
from gqlapi.errors import OperationTimeout, answer_too_large
from gqlapi.execution.executor import Answer, PacedExecutor
from gqlapi.execution.pacing import Pace, Turns
from gqlapi.schema.documents import DocumentCache, Documents
from gqlapi.schema.fields import install_resolvers
from gqlapi.schema.limits import MAX_SHOWN_SIZE, Limits, OperationLimits
from gqlapi.schema.mutations import Mutation
from gqlapi.schema.presentation import no_operation, present
from gqlapi.schema.queries import Query
from gqlapi.schema.scalars import SCALARS
from gqlapi.schema.types import ApiToken, Post, Session, Tag, User
from gqlapi.schema.user_errors import USER_ERRORS


class Schema(strawberry.Schema):
    """Strawberry's schema, under limits; every transport executes through it."""

    def __init__(self, limits: Limits) -> None:
        """Build the schema of the API."""
        super().__init__(
            query=Query,
            mutation=Mutation,
            types=[User, Post, Tag, ApiToken, Session, *USER_ERRORS],
            config=StrawberryConfig(scalar_map=SCALARS),
            extensions=[
                lambda: Documents(
                    self._schema, self.documents, max_length=limits.max_document_length, max_tokens=limits.max_tokens
                ),
                lambda: OperationLimits(self._schema, self.schema_converter, self.documents, limits),
            ],
            execution_context_class=PacedExecutor,
        )
        self.limits = limits
        self.documents = DocumentCache()
        self._turns = Turns()
        install_resolvers(self._schema)
        _mark_one_of(self._schema)

    @cached_property
    def sdl(self) -> str:
        """The schema as SDL."""
        return self.as_str() + "\n"

    @cached_property
    def sdl_hash(self) -> str:
        """A name of this very schema."""
        return hashlib.sha256(self.sdl.encode()).hexdigest()

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """Run one operation within the deadline, give its connection back, and make its errors fit for clients.

        Raises:
            InvalidToken: the operation is allowed, and its token is not valid.
        """
        context = cast("Context", context_value)
        context.pace, context.answer = Pace(self._turns), Answer(self.limits.max_answer_bytes)
        try:
            async with asyncio.timeout(self.limits.operation_timeout_seconds):
                result = await super().execute(
                    query,
                    variable_values,
                    context_value,
                    root_value,
                    operation_name,
                    allowed_operation_types,
                    operation_extensions,
                )
        except TimeoutError:
            context.note_timeout()
            timeout = OperationTimeout(f"The operation took over {self.limits.operation_timeout_seconds:g} seconds.")
            result = ExecutionResult(data=None, errors=[GraphQLError(timeout.message, original_error=timeout)])
        except CannotGetOperationTypeError:
            result = PreExecutionError(data=None, errors=[no_operation(operation_name)])
        finally:
            await context.close()
        return self._present(context, result)

    def _present(self, context: Context, result: ExecutionResult) -> ExecutionResult:
        """Make the errors of a result fit for clients, and report its cost."""
        if context.answer.is_too_large:
            error = answer_too_large(self.limits.max_answer_bytes)
            result = ExecutionResult(data=None, errors=[GraphQLError(error.message, original_error=error)])
        if result.errors:
            if isinstance(result.errors[0].original_error, InvalidToken):
                raise result.errors[0].original_error
            is_refused = isinstance(result, PreExecutionError)
            result.errors = [present(error, context.request_id, is_refused=is_refused) for error in result.errors]
        result.extensions = {**(result.extensions or {}), **self._report(context)}
        return result

    def _report(self, context: Context) -> dict[str, Any]:
        """Return what a developer learns of an operation besides its result; nothing where nothing was traced."""
        if context.trace is None:
            return {}
        report: dict[str, Any] = {"sql": {"statements": context.trace.statements, "ms": context.trace.ms}}
        if context.costs:  # empty for a document that is not valid
            requested = min(sum(context.costs.values()), MAX_SHOWN_SIZE)
            report["cost"] = {"requested": requested, "limit": self.limits.max_cost}
        return report

    def process_errors(self, *_: object, **__: object) -> None:
        """Log nothing here: `present` logs what it masks, and the rest is the client's own."""


def _mark_one_of(schema: GraphQLSchema) -> None:
    """Leave @oneOf to graphql-core: Strawberry's rule fails on a fragment that stands before its operation."""
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLInputObjectType):
            type_.is_one_of = type_.extensions["strawberry-definition"].is_one_of
