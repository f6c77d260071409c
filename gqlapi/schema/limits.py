"""How large an operation may be; one place for every transport."""

from collections.abc import Iterator
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
from graphql.execution.values import get_variable_values
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema_converter import GraphQLCoreConverter

from gqlapi.errors import ApiError, BadUserInput, LimitExceeded
from gqlapi.schema.analysis import Analysis, Analyzer, Size
from gqlapi.schema.presentation import no_operation

# The true size of a hostile document may have hundreds of digits.
MAX_SHOWN_SIZE = 10**9


@dataclass(frozen=True, slots=True)
class Limits:
    """The static limits of an operation, each refused before anything runs."""

    max_tokens: int = 2_000
    max_depth: int = 15
    max_fields: int = 5_000
    max_aliases: int = 30
    max_root_fields: int = 20
    max_mutations: int = 10
    max_directives: int = 50
    max_cost: int = 10_000
    operation_timeout_seconds: float = 10.0


class OperationLimits(SchemaExtension):
    """Refuses operations that are too large or wrong in their arguments, before anything runs."""

    def __init__(self, schema: GraphQLSchema, converter: GraphQLCoreConverter, limits: Limits) -> None:
        """Set the limits of a schema."""
        super().__init__()
        self._schema = schema
        self._converter = converter
        self._limits = limits

    def on_validate(self) -> Iterator[None]:
        """Analyse the operation, once it is known to be valid."""
        if not self.execution_context.pre_execution_errors:
            self.execution_context.pre_execution_errors = self._check()
        yield

    def _check(self) -> list[GraphQLError]:
        execution, schema = self.execution_context, self._schema
        document = execution.graphql_document
        assert document is not None  # noqa: S101 - parsing came before
        name = execution._provided_operation_name  # noqa: SLF001 - operation_name falls back to the first operation, which the specification forbids
        operation = get_operation_ast(document, name)
        if operation is None:
            return [no_operation(name)]
        variables = get_variable_values(schema, operation.variable_definitions or (), execution.variables or {})
        if isinstance(variables, list):
            return [_with_code(error, BadUserInput(error.message)) for error in variables]
        root_type = schema.get_root_type(operation.operation)
        assert root_type is not None  # noqa: S101 - the document is valid
        analyzer = Analyzer(schema, self._converter, _fragments(document), variables)
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
        is_mutation = operation.operation is OperationType.MUTATION
        most = self._limits.max_mutations if is_mutation else self._limits.max_root_fields
        if (count := len(analysis.roots)) > most:
            errors.append(_limit_error("root fields", count, most, list(analysis.roots)[most], operation))
        return errors


def _largest_root(analysis: Analysis, name: str) -> str:
    return max(analysis.roots, key=lambda root: getattr(analysis.roots[root], name))


def _limit_error(name: str, size: int, limit: int, root: str, operation: OperationDefinitionNode) -> GraphQLError:
    shown = min(size, MAX_SHOWN_SIZE)
    error = LimitExceeded(f"The operation has {name} {shown}, over the limit of {limit}.", limit=limit, actual=shown)
    return GraphQLError(error.message, operation, path=[root.split(":", 1)[1]], original_error=error)


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


def _with_code(error: GraphQLError, details: ApiError) -> GraphQLError:
    return GraphQLError(error.message, error.nodes, path=error.path, original_error=details)
