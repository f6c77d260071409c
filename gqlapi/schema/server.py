"""The schema that the server runs: limits, deadline and presentation of errors for every transport."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from contextlib import aclosing
from functools import cache, cached_property
from inspect import isawaitable
from typing import Any, cast

import graphql
import strawberry
from graphql import (
    DocumentNode,
    ExperimentalIncrementalExecutionResults,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLSchema,
    OperationType,
    experimental_execute_incrementally,
)
from graphql.pyutils import Undefined
from graphql.utilities.print_schema import print_description
from strawberry.exceptions import MissingQueryError
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType as AllowedType

from gqlapi.context import Context
from gqlapi.database.positions import format_position
from gqlapi.database.tracing import Trace
from gqlapi.errors import ApiError, BadUserInput, OperationTimeout, answer_too_large
from gqlapi.execution.atomic import ATOMIC
from gqlapi.execution.declarations import attach_rules, install_resolvers
from gqlapi.execution.engine import Engine
from gqlapi.execution.incremental import DeliveringExecutor
from gqlapi.execution.observing import ObservingEngine
from gqlapi.execution.pacing import Pace, Turns
from gqlapi.execution.reference import Answer, PacedExecutor
from gqlapi.execution.sizes import text_length
from gqlapi.feed import LiveAnswer, LiveQuery
from gqlapi.operations import BoundOperation, Limits, Operations, Refused
from gqlapi.operations.caching import Observation, cache_plan_of
from gqlapi.operations.limits import MAX_SHOWN_SIZE
from gqlapi.operations.presentation import present
from gqlapi.operations.rate import RateLimited
from gqlapi.schema.caching import CACHE_RULES
from gqlapi.schema.fields import declared_rules, resolver_of
from gqlapi.schema.live import LIVE, is_shared_by
from gqlapi.schema.mutations import Mutation
from gqlapi.schema.queries import Query
from gqlapi.schema.scalars import SCALARS
from gqlapi.schema.subscriptions import Subscription
from gqlapi.schema.types import ApiToken, Post, Session, Tag, User
from gqlapi.schema.user_errors import USER_ERRORS
from gqlapi.settings import ExecutorName

DESCRIPTION = """\
Posts, their authors and their tags.

Read: `posts`, `users` and `tags` are lists with filters, orderings and pages; `post`, `user`, `tag` and `node` \
find one object; `search` looks through all texts. Public data can be read without signing in.

Write: `signIn` returns an access token for the header `Authorization: Bearer …`, and a refresh token for \
`refreshSession`. Every mutation takes one `input` and returns a payload whose `errors` are empty on success.

Ids are opaque and unique across all types. Times are in UTC. Each operation has a cost, see `rateLimit`, and a limit, \
see `serverInfo`."""
# Types that are read from the record of another.
EMBEDDED = {"Content": "Post", "PostPayload": "Post"}


class Schema(strawberry.Schema):
    """Strawberry's schema, under limits; every transport executes through it."""

    def __init__(self, limits: Limits, executor: ExecutorName = "compiled") -> None:
        """Build the schema of the API; `executor` runs what was compiled, or is graphql-core's as a reference."""
        super().__init__(
            query=Query,
            mutation=Mutation,
            subscription=Subscription,
            types=[User, Post, Tag, ApiToken, Session, *USER_ERRORS],
            config=StrawberryConfig(scalar_map=SCALARS, enable_experimental_incremental_execution=True),
        )
        if self._schema.get_directive(ATOMIC.name) is None:
            self._schema.directives = (*self._schema.directives, ATOMIC)
        self.limits = limits
        attach_rules(self._schema, declared_rules)
        install_resolvers(self._schema, resolver_of)
        _mark_one_of(self._schema)
        _leave_out_null_defaults(self._schema)
        self._schema.description = DESCRIPTION
        self.operations = Operations(self._schema, self.schema_converter, limits, EMBEDDED)
        self._run = self._run_compiled if executor == "compiled" else self._run_reference
        self._turns = Turns()

    def _extend_introspection(self) -> None:
        """Leave `isOneOf` to graphql-core: Strawberry's resolver fails on lists and on types that cannot be null."""

    @cached_property
    def sdl(self) -> str:
        """The schema as SDL."""
        # Strawberry prints neither the description of a schema nor the definition that would have it.
        roots = "  query: Query\n  mutation: Mutation\n  subscription: Subscription\n"
        definition = f"{print_description(self._schema)}schema {{\n{roots}}}"
        return f"{definition}\n\n{self.as_str()}\n"

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
        allowed_operation_types: Iterable[AllowedType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
        max_cost: int | None = None,
    ) -> ExecutionResult:
        """Run one operation within the deadline, give its connection back, and make its errors fit for clients.

        `max_cost` replaces the limit of the cost. What the context's `delivery` has begun to deliver has no result.

        Raises:
            MissingQueryError: there is no document.
            InvalidOperationTypeError: the type of the operation is not allowed.
            InvalidToken: the operation is allowed, and its token is not valid.
        """
        if not query:
            raise MissingQueryError
        context = cast("Context", context_value)
        context.pace = Pace(self._turns)
        context.max_cost = max_cost or self.limits.max_cost
        check_type, delivers = _allow(allowed_operation_types), context.delivery is not None
        try:
            bind = self.operations.bind
            operation = bind(query, operation_name, variable_values, check_type, max_cost, delivers=delivers)
            if context.budget is not None:
                context.budget.take(operation)
        except Refused as refused:
            await context.close()
            return self.refuse(context, refused)
        context.begin(operation)
        executed = await self._execute_bound(operation, context, root_value, variable_values)
        result = self._present(context, executed, is_refused=False)
        if operation.is_incremental and context.delivery is not None:
            await context.delivery.end(result.errors or ())
        return result

    async def respond(self, operation: BoundOperation, context: Context, event: Any) -> ExecutionResult:
        """Run a subscription for one event, in its own context, as `execute` runs an operation.

        Raises:
            InvalidToken: the token of the subscriber is not valid any more.
        """
        context.pace = Pace(self._turns)
        context.max_cost = self.limits.max_cost
        context.begin(operation)
        executed = await self._execute_bound(operation, context, event, operation.given)
        return self._present(context, executed, is_refused=False)

    async def answer_live(self, query: LiveQuery, context: Context, observation: Observation) -> ExecutionResult:
        """Run a live query, whose errors are not yet fit for clients, and observe the objects of its answer."""
        context.pace = Pace(self._turns)
        context.error_mode, context.observe = query.error_mode, observation.note
        context.begin(query.operation)
        if self._run == self._run_reference:  # it shows no objects
            observation.overfull |= {"Post", "User", "Tag"}
        return await self._execute_bound(query.operation, context, LIVE, query.operation.given)

    def refuse(self, context: Context, refused: Refused) -> ExecutionResult:
        """Return the result of an operation that does not run."""
        context.costs = refused.costs
        return self._present(context, PreExecutionError(data=None, errors=refused.errors), is_refused=True)

    async def _execute_bound(
        self, operation: BoundOperation, context: Context, root: Any, variables: dict[str, Any] | None
    ) -> ExecutionResult:
        try:
            async with asyncio.timeout(self.limits.operation_timeout_seconds):
                await context.authenticate()
                await context.spend()
                if operation.is_subscription and root is None:
                    return await self._subscribe(operation, context)
                if isinstance(root, LiveAnswer) and is_shared_by(context, root):
                    return ExecutionResult(data=root.result.data, errors=root.result.errors)
                run = self._run_incrementally if operation.is_incremental else self._run
                result = await run(operation, context, root, variables)
                await context.record_position()
                return result
        except TimeoutError:
            context.note_timeout()
            seconds = self.limits.operation_timeout_seconds
            failure: ApiError = OperationTimeout(f"The operation took over {seconds:g} seconds.")
        except RateLimited as error:
            return PreExecutionError(data=None, errors=[_wrapped(error)])
        except ApiError as error:
            failure = error
        finally:
            await context.close()
        begins = operation.is_subscription and root is None  # what has not begun has no answer
        return (PreExecutionError if begins else ExecutionResult)(data=None, errors=[_wrapped(failure)])

    async def _subscribe(self, operation: BoundOperation, context: Context) -> ExecutionResult:
        """Begin the events of a subscription, which the transport takes from the context."""
        fields = operation.operation.root.fields
        if len(fields) != 1:  # @skip and @include may leave none
            raise BadUserInput("A subscription must have one root field.")
        subscribe = fields[0].rules.subscribe
        assert subscribe is not None  # noqa: S101 - all fields of the subscription type have one
        context.events = await subscribe(context, operation.prepared(fields[0]))
        return ExecutionResult(data=None, errors=None)

    async def _run_compiled(
        self, operation: BoundOperation, context: Context, root: Any, _variables: dict[str, Any] | None
    ) -> ExecutionResult:
        if context.observe is not None:
            engine = ObservingEngine(operation, context, root, context.pace, context.observe)
            data, errors = await engine.execute(context.error_mode)
        elif context.observation is not None:
            data, errors = await self._run_observed(operation, context, root, context.observation)
        else:
            data, errors = await Engine(operation, context, root, context.pace).execute(context.error_mode)
        if data is not None:
            context.text_length = text_length(operation.operation.root, [data])
            if context.text_length > self.limits.max_answer_bytes:
                raise answer_too_large(self.limits.max_answer_bytes)
        return ExecutionResult(data=data, errors=errors or None)

    async def _run_observed(
        self, operation: BoundOperation, context: Context, root: Any, observation: Observation
    ) -> tuple[dict[str, Any] | None, list[GraphQLError]]:
        """Execute an operation whose answer a cache may keep, and note until when it may.

        The next publication is read last: where statements have no snapshot in common, none is missed.
        """
        observation.plan = plan = cache_plan_of(operation.operation, CACHE_RULES)
        if not plan.max_age:
            return await Engine(operation, context, root, context.pace).execute(context.error_mode)
        engine = ObservingEngine(operation, context, root, context.pace, observation.note)
        data, errors = await engine.execute(context.error_mode)
        if not errors:
            observation.changes_at = await context.repositories.posts.get_next_publication()
        return data, errors

    async def _run_reference(
        self, operation: BoundOperation, context: Context, root: Any, variables: dict[str, Any] | None
    ) -> ExecutionResult:
        result = await self._start(PacedExecutor, operation, context, root, variables)
        assert isinstance(result, graphql.ExecutionResult)  # noqa: S101 - this executor delivers nothing later
        return ExecutionResult(data=result.data, errors=result.errors)

    async def _run_incrementally(
        self, operation: BoundOperation, context: Context, root: Any, variables: dict[str, Any] | None
    ) -> ExecutionResult:
        """Deliver the payloads of an operation one by one, or return its result if nothing of it is left for later."""
        result = await self._start(DeliveringExecutor, operation, context, root, variables)
        if isinstance(result, graphql.ExecutionResult):
            return ExecutionResult(data=result.data, errors=result.errors)
        delivery, initial = context.delivery, result.initial_result
        assert delivery is not None  # noqa: S101 - else the operation is not bound as an incremental one
        async with aclosing(result.subsequent_results) as payloads:
            first = self._present(context, ExecutionResult(initial.data, initial.errors), is_refused=False)
            await delivery.begin(first, initial.pending, context.stream_starts)
            async for payload in payloads:
                self._check_size(context)
                for part in (*(payload.incremental or ()), *(payload.completed or ())):
                    if part.errors:
                        part.errors = [present(error, context.request_id, is_refused=False) for error in part.errors]
                await delivery.add(payload)
        return ExecutionResult(data=None, errors=None)

    async def _start(
        self,
        executor: type[PacedExecutor],
        operation: BoundOperation,
        context: Context,
        root: Any,
        variables: dict[str, Any] | None,
    ) -> graphql.ExecutionResult | ExperimentalIncrementalExecutionResults:
        """Execute by graphql-core, as far as its first payload."""
        context.answer = Answer(self.limits.max_answer_bytes)
        compiled = operation.operation
        document = DocumentNode(definitions=(compiled.definition, *compiled.fragments.values()))
        executed = experimental_execute_incrementally(
            self._schema, document, root, context, variables, executor_class=executor
        )
        result = await executed if isawaitable(executed) else executed
        self._check_size(context)
        return result

    def _check_size(self, context: Context) -> None:
        """Raise when what was completed so far is too large.

        Raises:
            LimitExceeded: it is.
        """
        if context.answer.is_too_large:
            raise answer_too_large(self.limits.max_answer_bytes)

    def _present(self, context: Context, result: ExecutionResult, *, is_refused: bool) -> ExecutionResult:
        """Prepare the errors of a result for clients, and report its cost."""
        if result.errors:
            result.errors = [present(error, context.request_id, is_refused=is_refused) for error in result.errors]
        if context.reports_costs and context.trace is not None:
            result.extensions = self._report(context, context.trace)
        if context.written_position:
            result.extensions = {**(result.extensions or {}), "position": format_position(context.written_position)}
        return result

    def _report(self, context: Context, trace: Trace) -> dict[str, Any]:
        """Return what a developer learns of an operation in addition to its result."""
        report: dict[str, Any] = {"sql": {"statements": trace.statements, "ms": trace.ms}}
        if context.costs:  # empty for a document that is not valid
            requested = min(sum(context.costs.values()), MAX_SHOWN_SIZE)
            report["cost"] = {"requested": requested, "limit": context.max_cost}
        return report


def _wrapped(error: ApiError) -> GraphQLError:
    return GraphQLError(error.message, original_error=error)


def _allow(types: Iterable[AllowedType] | None) -> Callable[[OperationType], None]:
    """Return the check of the type of an operation: all types are allowed where none are named."""
    return _allow_all_of(None if types is None else frozenset(types))


@cache
def _allow_all_of(types: frozenset[AllowedType] | None) -> Callable[[OperationType], None]:
    allowed = None if types is None else {type_.value for type_ in types}

    def check(type_: OperationType) -> None:
        if allowed is not None and type_.value not in allowed:
            raise InvalidOperationTypeError(AllowedType(type_.value))

    return check


def _leave_out_null_defaults(schema: GraphQLSchema) -> None:
    """Remove the default null of optional inputs: clients omit them, and the Python classes have None."""
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLInputObjectType):
            for field in type_.fields.values():
                if field.default_value is None:
                    field.default_value = Undefined


def _mark_one_of(schema: GraphQLSchema) -> None:
    """Leave @oneOf to graphql-core: Strawberry's rule fails on a fragment before its operation."""
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLInputObjectType):
            type_.is_one_of = type_.extensions["strawberry-definition"].is_one_of
