"""Execution of GraphQL operations; knows graphql-core and Strawberry, and nothing of posts.

Compile (`compiler`): once per document. Bind: the values of variables. Execute (`engine`): level by level.
"""

from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    get_operation_ast,
)
from graphql.execution.values import get_variable_values

from gqlapi.execution.compiler import compile_operation, fragments_of
from gqlapi.execution.engine import Engine, PlainBound
from gqlapi.execution.failures import ErrorMode


async def run(
    schema: GraphQLSchema,
    document: DocumentNode,
    *,
    variables: dict[str, Any] | None = None,
    operation_name: str | None = None,
    root_value: Any = None,
    context_value: Any = None,
    error_mode: ErrorMode = ErrorMode.PROPAGATE,
) -> ExecutionResult:
    """Execute an operation of a valid document, with the results of graphql-core's `execute`."""
    definition = get_operation_ast(document, operation_name)
    if definition is None:
        return ExecutionResult(None, [GraphQLError(_missing(document, operation_name))])
    values = get_variable_values(schema, definition.variable_definitions or (), variables or {}, max_errors=50)
    if isinstance(values, list):
        return ExecutionResult(None, values)
    try:
        operation = compile_operation(schema, definition, fragments_of(document), values)
    except GraphQLError as error:
        return ExecutionResult(None, [error])
    data, errors = await Engine(PlainBound(operation, values), context_value, root_value).execute(error_mode)
    return ExecutionResult(data, errors or None)


def _missing(document: DocumentNode, operation_name: str | None) -> str:
    """Return why a document has no operation of a name, or not exactly one."""
    if operation_name is not None:
        return f"Unknown operation named '{operation_name}'."
    if any(isinstance(node, OperationDefinitionNode) for node in document.definitions):
        return "Must provide operation name if query contains multiple operations."
    return "Must provide an operation."


__all__ = ["ErrorMode", "run"]
