"""Execution of GraphQL operations; knows graphql-core and Strawberry, and nothing of posts.

Compile (`compiler`): once per document. Bind: the values of variables. Execute (`engine`): level by level.
"""

from typing import Any

from graphql import DocumentNode, ExecutionResult, GraphQLError, GraphQLSchema, get_operation_ast
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
        message = (
            "Must provide an operation." if operation_name is None else f"Unknown operation named '{operation_name}'."
        )
        return ExecutionResult(None, [GraphQLError(message)])
    values = get_variable_values(schema, definition.variable_definitions or (), variables or {}, max_errors=50)
    if isinstance(values, list):
        return ExecutionResult(None, values)
    try:
        operation = compile_operation(schema, definition, fragments_of(document), values)
    except GraphQLError as error:
        return ExecutionResult(None, [error])
    data, errors = await Engine(PlainBound(operation, values), context_value, root_value).execute(error_mode)
    return ExecutionResult(data, errors or None)


__all__ = ["ErrorMode", "run"]
