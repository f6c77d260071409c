"""How large an operation may be; one place for every transport."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    get_operation_ast,
)
from graphql.execution.values import VariableValues, get_variable_values
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema_converter import GraphQLCoreConverter

from gqlapi.errors import ApiError, BadUserInput, LimitExceeded
from gqlapi.schema.analysis import MAX_ERRORS, Analysis, Analyzer
from gqlapi.schema.arguments import Arguments
from gqlapi.schema.documents import DocumentCache
from gqlapi.schema.presentation import no_operation
from gqlapi.schema.size import Size
from gqlapi.schema.variables import check_variables, variable_types

# The true size of a hostile document may have hundreds of digits.
MAX_SHOWN_SIZE = 10**9


@dataclass(frozen=True, slots=True)
class Limits:
    """The static limits of an operation, each checked before anything runs, and those of its execution."""

    max_document_length: int = 65_536
    max_tokens: int = 2_000
    max_variable_values: int = 10_000
    max_depth: int = 15
    max_fields: int = 5_000
    max_aliases: int = 30
    max_root_fields: int = 20
    max_mutations: int = 10
    max_directives: int = 50
    max_cost: int = 20_000
    max_answer_bytes: int = 10 * 1_048_576
    operation_timeout_seconds: float = 10.0


class OperationLimits(SchemaExtension):
    """Refuses operations that are too large or wrong in their arguments, before anything runs."""

    def __init__(
        self, schema: GraphQLSchema, converter: GraphQLCoreConverter, cache: DocumentCache, limits: Limits
    ) -> None:
        """Set the limits of a schema; documents that pass them are admitted to the cache."""
        super().__init__()
        self._schema = schema
        self._converter = converter
        self._cache = cache
        self._limits = limits

    def on_validate(self) -> Iterator[None]:
        """Analyze the operation, once it is known to be valid."""
        execution = self.execution_context
        if not execution.pre_execution_errors:
            execution.pre_execution_errors = self._check()
            if not execution.pre_execution_errors and execution.query and execution.graphql_document:
                self._cache.admit(execution.query, execution.graphql_document)
        yield

    async def on_execute(self) -> AsyncIterator[None]:
        """Authenticate the caller: no SQL runs for an operation that is refused."""
        await self.execution_context.context.authenticate()
        yield

    def _check(self) -> list[GraphQLError]:
        execution = self.execution_context
        document = execution.graphql_document
        assert document is not None  # noqa: S101 - parsing came before
        name = execution._provided_operation_name  # noqa: SLF001 - operation_name falls back to the first operation, which the specification forbids
        operation = get_operation_ast(document, name)
        if operation is None:
            return [no_operation(name)]
        given, definitions = execution.variables or {}, operation.variable_definitions or ()
        try:
            check_variables(given, variable_types(self._schema, definitions), self._limits.max_variable_values)
        except LimitExceeded as error:
            return [GraphQLError(error.message, original_error=error)]
        variables = get_variable_values(self._schema, definitions, given, max_errors=MAX_ERRORS)
        if isinstance(variables, list):
            return [_with_code(error, BadUserInput(error.message)) for error in variables[:MAX_ERRORS]]
        return self._analyze(document, operation, variables)

    def _analyze(
        self, document: DocumentNode, operation: OperationDefinitionNode, variables: VariableValues
    ) -> list[GraphQLError]:
        root_type = self._schema.get_root_type(operation.operation)
        assert root_type is not None  # noqa: S101 - the document is valid
        arguments = Arguments(self._converter, variables, self._limits.max_variable_values)
        analyzer = Analyzer(
            self._schema,
            _fragments(document),
            variables,
            arguments,
            max_cost=self._limits.max_cost,
            max_root_fields=self._max_root_fields(operation),
        )
        analysis = analyzer.analyze(root_type, operation.selection_set)
        context = self.execution_context.context
        context.costs = analysis.costs
        context.begin(analysis.attributes, analysis.prepared)
        return analysis.errors or self._exceeded(analysis, operation)

    def _max_root_fields(self, operation: OperationDefinitionNode) -> int:
        is_mutation = operation.operation is OperationType.MUTATION
        return self._limits.max_mutations if is_mutation else self._limits.max_root_fields

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
        most, roots = self._max_root_fields(operation), [name for name, size in analysis.roots.items() if size.fields]
        if (count := len(roots)) > most:
            errors.append(_limit_error("root fields", count, most, roots[most], operation))
        return errors


def _largest_root(analysis: Analysis, name: str) -> str:
    return max(analysis.roots, key=lambda root: getattr(analysis.roots[root], name))


def _limit_error(name: str, size: int, limit: int, root: str, operation: OperationDefinitionNode) -> GraphQLError:
    shown = min(size, MAX_SHOWN_SIZE)
    error = LimitExceeded(f"The operation has {name} {shown}, over the limit of {limit}.", limit=limit, actual=shown)
    return GraphQLError(error.message, operation, path=[root] if root else None, original_error=error)


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


def _with_code(error: GraphQLError, details: ApiError) -> GraphQLError:
    return GraphQLError(error.message, error.nodes, path=error.path, original_error=details)
