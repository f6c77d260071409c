"""Runs a query, and reports what it cost: its points, and each SQL statement with its plan."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from textwrap import indent
from typing import Any

from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types.graphql import OperationType

from gqlapi.advice import advise
from gqlapi.app import create_limits
from gqlapi.context import Context
from gqlapi.database.tracing import ExplainedStatement, ExplainingTrace, tracing
from gqlapi.database.unit import Database, create_database
from gqlapi.documents.ids import normalize_id
from gqlapi.models.viewer import ANONYMOUS, Viewer
from gqlapi.repositories.documents import DocumentRepository
from gqlapi.repositories.user_writes import UserWriteRepository
from gqlapi.repositories.write_scope import WriteScope
from gqlapi.schema import Schema
from gqlapi.seeding import has_users
from gqlapi.settings import Settings
from gqlapi.words import fold


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
            yield from (f"  suggestion: {text}" for text in advise(statement.plan))
        rows = sum(statement.rows for statement in self.statements)
        yield f"\ntotal: {len(self.statements)} statements, {rows} rows, {self.ms} ms"


class NotFound(Exception):
    """There is no user, or no document, of this name."""


async def explain(
    settings: Settings,
    query: str,
    variables: dict[str, Any] | None = None,
    operation_name: str | None = None,
    *,
    username: str | None = None,
    document_id: str | None = None,
) -> Explanation:
    """Run a query in one snapshot, as a user or as an anonymous viewer, and explain its statements there.

    With a `document_id` it is that of a trusted document, and `query` is not used.

    Raises:
        ApiError: the database cannot be used; the errors of the query would not say why.
        NotFound: there is no such user or document.
    """
    database = create_database(settings)
    trace = ExplainingTrace()
    context = None
    try:
        await has_users(database)
        viewer = ANONYMOUS if username is None else await _viewer(database, username)
        query = query if document_id is None else await _document(database, document_id)
        context = Context(database, viewer=viewer, request_id="explain", trace=trace)
        execute = Schema(create_limits(settings)).execute
        types = [OperationType.QUERY]
        with tracing(trace):
            result = await execute(query, variables, context, None, operation_name, allowed_operation_types=types)
        errors = tuple(error.message for error in result.errors or ())
    except InvalidOperationTypeError:
        errors = ("Only queries can be explained: it runs them.",)
    finally:
        await database.dispose()
    costs = {} if context is None else context.costs
    return Explanation(costs, settings.max_cost, tuple(trace.explained), trace.ms, errors)


async def _viewer(database: Database, username: str) -> Viewer:
    async with database.write() as session:
        user = await UserWriteRepository(WriteScope(session)).get_by_username_key(fold(username))
    if user is None:
        raise NotFound(f"There is no user {username}.")
    return Viewer(user.id, user.role)


async def _document(database: Database, document_id: str) -> str:
    unit = database.read()
    try:
        documents = await DocumentRepository(unit).list_all()
    finally:
        await unit.close()
    wanted = normalize_id(document_id)
    text = next((document.text for document in documents if document.document_id == wanted), None)
    if text is None:
        raise NotFound(f"There is no trusted document {document_id}.")
    return text
