"""The schema that the server runs: limits, deadline and presentation of errors for every transport."""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, cast

import strawberry
import structlog
from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    get_operation_ast,
)
from graphql.execution.values import get_variable_values
from strawberry.extensions import ParserCache, SchemaExtension, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from gqlapi.context import Context
from gqlapi.errors import ApiError, BadUserInput, Code, LimitExceeded, OperationTimeout
from gqlapi.schema.analysis import Analysis, Analyzer, Size
from gqlapi.schema.fields import install_resolvers
from gqlapi.schema.limits import Limits
from gqlapi.schema.queries import Query
from gqlapi.schema.scalars import SCALARS
from gqlapi.schema.types import Post, Tag, User

# Documents that are kept parsed and validated; a client sends a handful, an attacker at most these.
DOCUMENT_CACHE_SIZE = 512
TOO_LONG = "Document contains more than"

logger = structlog.get_logger()


class Schema(strawberry.Schema):
    """Strawberry's schema, under limits; every transport executes through it."""

    def __init__(self, limits: Limits) -> None:
        """Build the schema of the API."""
        super().__init__(
            query=Query,
            types=[User, Post, Tag],
            config=StrawberryConfig(scalar_map=SCALARS),
            extensions=[
                lambda: ParserCache(maxsize=DOCUMENT_CACHE_SIZE),
                lambda: ValidationCache(maxsize=DOCUMENT_CACHE_SIZE),
                lambda: OperationLimits(limits),
            ],
        )
        self.limits = limits
        install_resolvers(self._schema)

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
        """Run one operation within the deadline, give its connection back, and make its errors fit for clients."""
        context = cast("Context", context_value)
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
            timeout = OperationTimeout(f"The operation took over {self.limits.operation_timeout_seconds:g} seconds.")
            result = ExecutionResult(data=None, errors=[GraphQLError(timeout.message, original_error=timeout)])
        finally:
            await context.close()
        if result.errors:
            fallback = Code.GRAPHQL_VALIDATION_FAILED if isinstance(result, PreExecutionError) else Code.BAD_USER_INPUT
            result.errors = [present(error, context.request_id, fallback) for error in result.errors]
        return result

    def process_errors(self, *_: object, **__: object) -> None:
        """Log nothing here: `present` logs what it masks, and the rest is the client's own."""


class OperationLimits(SchemaExtension):
    """Refuses operations that are too large or wrong in their arguments, before anything runs."""

    def __init__(self, limits: Limits) -> None:
        """Set the limits."""
        super().__init__()
        self._limits = limits

    def on_operation(self) -> Iterator[None]:
        """Bound the tokens, before the parser runs."""
        self.execution_context.parse_options["max_tokens"] = self._limits.max_tokens
        yield

    def on_validate(self) -> Iterator[None]:
        """Analyse the operation, once it is known to be valid."""
        if not self.execution_context.pre_execution_errors:
            self.execution_context.pre_execution_errors = self._check()
        yield

    def _check(self) -> list[GraphQLError]:
        execution = self.execution_context
        document = execution.graphql_document
        assert document is not None  # noqa: S101 - parsing came before
        operation = get_operation_ast(document, execution._provided_operation_name)  # noqa: SLF001 - operation_name falls back to the first operation, which the specification forbids
        if operation is None:
            return [GraphQLError("Name one of the document's operations in `operationName`.")]
        schema: Schema = execution.schema  # type: ignore[assignment] # the only class of schema there is
        variables = get_variable_values(schema._schema, operation.variable_definitions or (), execution.variables or {})  # noqa: SLF001 - Strawberry exposes graphql-core's schema nowhere else
        if isinstance(variables, list):
            return [_with_code(error, BadUserInput(error.message)) for error in variables]
        root_type = schema._schema.get_root_type(operation.operation)  # noqa: SLF001
        assert root_type is not None  # noqa: S101 - the document is valid
        analyzer = Analyzer(schema._schema, schema.schema_converter, _fragments(document), variables)  # noqa: SLF001
        analysis = analyzer.analyze(root_type, operation.selection_set)
        execution.context.begin(analysis.attributes, analysis.prepared)
        return analysis.errors or self._exceeded(analysis, operation)

    def _exceeded(self, analysis: Analysis, operation: OperationDefinitionNode) -> list[GraphQLError]:
        total = sum(analysis.roots.values(), Size())
        checks = (
            ("depth", total.depth, self._limits.max_depth),
            ("fields", total.fields, self._limits.max_fields),
            ("aliases", total.aliases, self._limits.max_aliases),
            ("directives", total.directives, self._limits.max_directives),
            ("cost", total.cost, self._limits.max_cost),
        )
        errors = [
            _limit_error(name, size, limit, _largest_root(analysis, name), operation)
            for name, size, limit in checks
            if size > limit
        ]
        if len(analysis.roots) > self._limits.max_root_fields:
            path = list(analysis.roots)[self._limits.max_root_fields]
            count = len(analysis.roots)
            errors.append(_limit_error("root fields", count, self._limits.max_root_fields, path, operation))
        return errors


def _largest_root(analysis: Analysis, name: str) -> str:
    return max(analysis.roots, key=lambda root: getattr(analysis.roots[root], name))


def _limit_error(name: str, size: int, limit: int, root: str, operation: OperationDefinitionNode) -> GraphQLError:
    # The true size of a hostile document may have hundreds of digits.
    shown = min(size, 10**9)
    error = LimitExceeded(f"The operation has {name} {shown}, over the limit of {limit}.", limit=limit, actual=shown)
    return GraphQLError(error.message, operation, path=[root.split(":", 1)[1]], original_error=error)


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


def _with_code(error: GraphQLError, details: ApiError) -> GraphQLError:
    return GraphQLError(error.message, error.nodes, path=error.path, original_error=details)


def present(error: GraphQLError, request_id: str, fallback: Code) -> GraphQLError:
    """Return what a client is told: our own errors and the specification's as they are, all others masked."""
    original = error.original_error
    while isinstance(original, GraphQLError):
        original = original.original_error
    if original is None or isinstance(original, ApiError):
        code = _code_of(error, fallback)
        return GraphQLError(
            error.message,
            error.nodes,
            error.source,
            error.positions,
            error.path,
            extensions={**(original.extensions if original else {}), **(error.extensions or {}), "code": code},
        )
    logger.error("masked error", request_id=request_id, path=error.path, exc_info=original)
    message = f"Internal server error. The server's log has details under request id {request_id}."
    extensions = {"code": str(Code.INTERNAL_SERVER_ERROR), "requestId": request_id}
    return GraphQLError(message, error.nodes, path=error.path, extensions=extensions)


def _code_of(error: GraphQLError, fallback: Code) -> str:
    if isinstance(error.original_error, ApiError):
        return str(error.original_error.code)
    if isinstance(error, GraphQLSyntaxError):
        too_long = TOO_LONG in error.message
        return str(Code.LIMIT_EXCEEDED if too_long else Code.GRAPHQL_PARSE_FAILED)
    return str((error.extensions or {}).get("code", fallback))
