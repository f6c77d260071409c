"""Runs a query, and reports what it cost: its points, and each SQL statement with its plan."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from textwrap import indent
from typing import Any

from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types.graphql import OperationType

from gqlapi.app import create_limits
from gqlapi.context import Context
from gqlapi.database.tracing import ExplainedStatement, ExplainingTrace, tracing
from gqlapi.database.unit import create_database
from gqlapi.schema import Schema
from gqlapi.seeding import has_users
from gqlapi.settings import Settings


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of a query after it ran: the points of each root field, the statements, the errors."""

    costs: Mapping[str, int]
    limit: int
    statements: tuple[ExplainedStatement, ...]
    ms: float
    errors: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """Yield the text that a person reads."""
        if self.costs:
            yield f"cost: {sum(self.costs.values())} of {self.limit} points"
        yield from (f"  {name}: {points}" for name, points in self.costs.items())
        for number, statement in enumerate(self.statements, start=1):
            yield f"\nstatement {number}: {statement.rows} rows, {statement.ms} ms"
            yield indent(statement.sql, "  ")
            yield "  plan:"
            yield indent("\n".join(statement.plan), "    ")
        rows = sum(statement.rows for statement in self.statements)
        yield f"\ntotal: {len(self.statements)} statements, {rows} rows, {self.ms} ms"


async def explain(
    settings: Settings, query: str, variables: dict[str, Any] | None = None, operation_name: str | None = None
) -> Explanation:
    """Run a query in one snapshot, as an anonymous viewer, and explain its statements there.

    Raises:
        ApiError: the database cannot be used; the errors of the query would not say why.
    """
    database = create_database(settings)
    trace = ExplainingTrace()
    context = Context(database, request_id="explain", trace=trace)
    try:
        await has_users(database)
        schema = Schema(create_limits(settings))
        with tracing(trace):
            result = await schema.execute(
                query,
                variables,
                context,
                operation_name=operation_name,
                allowed_operation_types=[OperationType.QUERY],
            )
        errors = tuple(error.message for error in result.errors or ())
    except InvalidOperationTypeError:
        errors = ("Only queries can be explained: it runs them.",)
    finally:
        await database.dispose()
    return Explanation(context.costs, settings.max_cost, tuple(trace.explained), trace.ms, errors)
