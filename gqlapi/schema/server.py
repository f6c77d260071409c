"""The schema that the server runs: limits, deadline and presentation of errors for every transport."""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from typing import Any, cast

import strawberry
import structlog
from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    get_operation_ast,
    validate,
)
from graphql.execution.values import get_variable_values
from graphql.validation.rules import overlapping_fields_can_be_merged as overlap
from strawberry.extensions import ParserCache, SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import CannotGetOperationTypeError
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
TOO_COMPLEX = "Validation aborted."
TOO_MANY_DIGITS = "Exceeds the limit"
# A developer reads the first few; finding a hundred, each with suggestions, took 2 seconds for a hostile document.
MAX_VALIDATION_ERRORS = 10
# graphql-core compares all fields of one response name with each other: 500,000 by default, which took 0.9 seconds.
overlap.MAX_COMPLEXITY_BUDGET = 20_000
# A message may repeat what the client sent.
MAX_MESSAGE_LENGTH = 500
# The true size of a hostile document may have hundreds of digits.
MAX_SHOWN_SIZE = 10**9

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
                Validation,
                lambda: OperationLimits(limits),
            ],
        )
        self.limits = limits
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
        except CannotGetOperationTypeError:
            result = PreExecutionError(data=None, errors=[_no_operation(operation_name)])
        finally:
            await context.close()
        if result.errors:
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


class Validation(SchemaExtension):
    """Validates a document once, whatever the number of requests that send it, and with bounded effort."""

    def on_validate(self) -> Iterator[None]:
        """Validate, or take over what is known of the document."""
        execution = self.execution_context
        schema, document = cast("Schema", execution.schema), execution.graphql_document
        assert document is not None  # noqa: S101 - parsing came before
        execution.pre_execution_errors = _validate(schema._schema, document, execution.validation_rules)  # noqa: SLF001 - Strawberry exposes graphql-core's schema nowhere else
        yield


@lru_cache(maxsize=DOCUMENT_CACHE_SIZE)
def _validate(schema: GraphQLSchema, document: DocumentNode, rules: Any) -> list[GraphQLError]:
    return validate(schema, document, rules, max_errors=MAX_VALIDATION_ERRORS)


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
        name = execution._provided_operation_name  # noqa: SLF001 - operation_name falls back to the first operation, which the specification forbids
        operation = get_operation_ast(document, name)
        if operation is None:
            return [_no_operation(name)]
        schema: Schema = execution.schema  # type: ignore[assignment] # the only class of schema there is
        variables = get_variable_values(schema._schema, operation.variable_definitions or (), execution.variables or {})  # noqa: SLF001 - Strawberry exposes graphql-core's schema nowhere else
        if isinstance(variables, list):
            return [_with_code(error, BadUserInput(error.message)) for error in variables]
        root_type = schema._schema.get_root_type(operation.operation)  # noqa: SLF001
        assert root_type is not None  # noqa: S101 - the document is valid
        analyzer = Analyzer(schema._schema, schema.schema_converter, _fragments(document), variables)  # noqa: SLF001
        analysis = analyzer.analyze(root_type, operation.selection_set)
        execution.context.costs = analysis.costs
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
    shown = min(size, MAX_SHOWN_SIZE)
    error = LimitExceeded(f"The operation has {name} {shown}, over the limit of {limit}.", limit=limit, actual=shown)
    return GraphQLError(error.message, operation, path=[root.split(":", 1)[1]], original_error=error)


def _no_operation(name: str | None) -> GraphQLError:
    message = "Name one of the document's operations in `operationName`."
    if name is not None:
        message = f"The document has no operation named {name[:MAX_MESSAGE_LENGTH]!r}."
    return GraphQLError(message, extensions={"code": str(Code.OPERATION_RESOLUTION_FAILURE)})


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


def _with_code(error: GraphQLError, details: ApiError) -> GraphQLError:
    return GraphQLError(error.message, error.nodes, path=error.path, original_error=details)


def present(error: GraphQLError, request_id: str, *, is_refused: bool) -> GraphQLError:
    """Return what a client is told: our own errors and the specification's as they are, all others masked.

    `is_refused`: nothing ran, hence a ValueError is that of a scalar, which says what is wrong with a literal.
    """
    original = error.original_error
    while isinstance(original, GraphQLError):
        original = original.original_error
    if is_refused and isinstance(original, RecursionError):  # how deep is too deep depends on the server's own stack
        original = LimitExceeded("The operation is nested too deeply.")
        error = GraphQLError(original.message, error.nodes, path=error.path, original_error=original)
    if original is None or isinstance(original, ApiError) or (is_refused and isinstance(original, ValueError)):
        details = original.extensions if isinstance(original, ApiError) else {}
        fallback = Code.GRAPHQL_VALIDATION_FAILED if is_refused else Code.BAD_USER_INPUT
        return GraphQLError(
            _message_of(error, original),
            error.nodes,
            error.source,
            error.positions,
            error.path,
            extensions={**details, **(error.extensions or {}), "code": _code_of(error, original, fallback)},
        )
    logger.error("masked error", request_id=request_id, path=error.path, exc_info=original)
    message = f"Internal server error. The server's log has details under request id {request_id}."
    extensions = {"code": str(Code.INTERNAL_SERVER_ERROR), "requestId": request_id}
    return GraphQLError(message, error.nodes, path=error.path, extensions=extensions)


def _message_of(error: GraphQLError, original: Exception | None) -> str:
    message = error.message
    if message == TOO_COMPLEX:
        return "The document selects the same fields too often to be checked."
    if isinstance(original, ValueError) and str(original).startswith(TOO_MANY_DIGITS):
        return "A number has too many digits."
    return message if len(message) <= MAX_MESSAGE_LENGTH else message[: MAX_MESSAGE_LENGTH - 1] + "…"


def _code_of(error: GraphQLError, original: Exception | None, fallback: Code) -> str:
    if isinstance(original, ApiError):
        return str(original.code)
    if isinstance(error, GraphQLSyntaxError):
        too_long = TOO_LONG in error.message
        return str(Code.LIMIT_EXCEEDED if too_long else Code.GRAPHQL_PARSE_FAILED)
    if error.message == TOO_COMPLEX:
        return str(Code.LIMIT_EXCEEDED)
    return str((error.extensions or {}).get("code", fallback))
