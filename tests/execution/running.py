"""One operation on graphql-core, with all that it could report, and on the executor under test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    NameNode,
    OperationDefinitionNode,
    execute,
    is_non_null_type,
    parse,
    print_schema,
)
from graphql.execution import Executor
from graphql.pyutils import is_awaitable

from gqlapi.execution import ErrorMode, run
from tests.execution.comparing import Path
from tests.execution.objects import World
from tests.execution.random_documents import Request

CONTEXT = {"context": 1}
# graphql-core's own form of the error mode NULL: https://github.com/graphql/graphql-js/pull/4192
NO_PROPAGATION = DirectiveNode(name=NameNode(value="experimental_disableErrorPropagation"), arguments=())


@dataclass
class Case:
    """A schema with its resolvers, and a request."""

    schema: GraphQLSchema
    world: World
    request: Request
    root: str | None

    def __str__(self) -> str:
        request = self.request
        values = f"root: {self.root}, operation: {request.operation_name}, variables: {request.variables}"
        return "\n".join([print_schema(self.schema), str(self.world), request.document, values])

    def arguments(self) -> dict[str, Any]:
        """Return a fresh root, the context and the operation's name."""
        root = self.world.make(self.root, "Query") if self.root else None
        return {"root_value": root, "context_value": CONTEXT, "operation_name": self.request.operation_name}


@dataclass
class Outcome:
    """A result, and the root fields of the mutation in the order in which their resolvers and those below ran."""

    result: ExecutionResult
    log: list[str]


@dataclass
class Reference:
    """What graphql-core answers, with and without propagation; `non_null` are the paths where null is not allowed."""

    expected: Outcome
    unpropagated: Outcome
    non_null: dict[Path, bool]

    @property
    def possible(self) -> list[GraphQLError]:
        """All errors of the operation; propagation leaves some out."""
        return self.unpropagated.result.errors or []


class Observer(Executor[Any]):
    """Notes at which paths null is not allowed."""

    def __init__(self, *arguments: Any, non_null: dict[Path, bool], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._non_null = non_null

    def complete_value(self, return_type: Any, fields: Any, info: Any, path: Any, *arguments: Any) -> Any:
        self._note(path, return_type)
        return super().complete_value(return_type, fields, info, path, *arguments)

    def handle_field_error(self, raw_error: Exception, return_type: Any, fields: Any, path: Any) -> None:
        self._note(path, return_type)
        super().handle_field_error(raw_error, return_type, fields, path)

    def _note(self, path: Any, type_: Any) -> None:
        # The first call has the whole type, those below it what it wraps.
        self._non_null.setdefault(tuple(path.as_list()), is_non_null_type(type_))


async def refer(case: Case) -> Reference:
    """Run a case on graphql-core."""
    document = parse(case.request.document)
    non_null: dict[Path, bool] = {}
    expected = await _core(case, document)
    unpropagated = await _core(case, _without_propagation(document), executor_class=Observer, non_null=non_null)
    return Reference(expected, unpropagated, non_null)


async def run_case(case: Case, mode: ErrorMode) -> Outcome:
    """Run a case on the executor under test."""
    document = parse(case.request.document)
    async with _to_the_end(case.world):
        result = await run(
            case.schema, document, variables=dict(case.request.variables), error_mode=mode, **case.arguments()
        )
        return Outcome(result, _read_log(case.world))


async def _core(case: Case, document: DocumentNode, **options: Any) -> Outcome:
    async with _to_the_end(case.world):
        result: Any = execute(
            case.schema, document, variable_values=dict(case.request.variables), **case.arguments(), **options
        )
        if is_awaitable(result):
            result = await result
        return Outcome(ExecutionResult(result.data, copy(result.errors)), _read_log(case.world))


@asynccontextmanager
async def _to_the_end(world: World) -> AsyncIterator[None]:
    """Wait for what still runs after a block, and forget it: an operation need not wait for fields that are nulled."""
    before = asyncio.all_tasks()
    yield
    while late := asyncio.all_tasks() - before:
        await asyncio.wait(late)
    world.log.clear()


def _read_log(world: World) -> list[str]:
    return [name for name, _ in groupby(world.log)]


def _without_propagation(document: DocumentNode) -> DocumentNode:
    """Return a document of the same text whose operations have graphql-core's directive."""
    definitions = [
        replace(node, directives=(*(node.directives or ()), NO_PROPAGATION))
        if isinstance(node, OperationDefinitionNode)
        else node
        for node in document.definitions
    ]
    return replace(document, definitions=tuple(definitions))
