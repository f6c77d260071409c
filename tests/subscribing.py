"""Subscriptions without a transport: their events, and what each is answered with."""

import asyncio
from typing import Any

from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from gqlapi.accounts.authentication import Authentication
from gqlapi.context import Context
from gqlapi.operations import BoundOperation
from tests.api import Api
from tests.signing_in import accounts_of

PATIENCE_SECONDS = 10


class Subscriber:
    """A subscription of a client, which takes its events one by one."""

    def __init__(self, api: Api, context: Context, operation: BoundOperation) -> None:
        self.api = api
        self.context = context
        self.operation = operation

    async def event(self) -> Any:
        """Return the next event that is for the client, and wait for it."""
        assert self.context.events is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await anext(self.context.events)

    async def result(self, event: Any) -> ExecutionResult:
        """Return what an event is answered with, and know the viewer as they were by then."""
        context = new_context(self.api)
        result: ExecutionResult = await self.api.app.state.schema.respond(self.operation, context, event)
        self.context.viewer = context.viewer
        return result

    async def data(self, event: Any) -> Any:
        """Return the data of an answer that has no errors."""
        result = await self.result(event)
        assert result.errors is None, result.errors
        return result.data

    async def close(self) -> None:
        """End the subscription."""
        events: Any = self.context.events
        await events.aclose()


async def subscribe(api: Api, query: str, **variables: Any) -> Subscriber:
    """Begin a subscription, which must be possible."""
    context = new_context(api)
    result = await begin(api, context, query, variables)
    assert result.errors is None, result.errors
    assert context.operation is not None
    assert context.events is not None
    return Subscriber(api, context, context.operation)


async def refusal(api: Api, query: str, **variables: Any) -> Any:
    """Return the extensions of the one error of a subscription that does not begin."""
    context = new_context(api)
    result = await begin(api, context, query, variables)
    assert (context.events, result.data) == (None, None)
    [error] = result.errors or []
    return error.extensions


async def begin(api: Api, context: Context, query: str, variables: dict[str, Any]) -> ExecutionResult:
    """Execute a subscription as a transport does."""
    types = [OperationType.SUBSCRIPTION]
    result: ExecutionResult = await api.app.state.schema.execute(query, variables, context, None, None, types)
    return result


def new_context(api: Api) -> Context:
    """Return a context for one operation or one event of a client."""
    token = api.headers.get("Authorization", "").removeprefix("Bearer ")
    authentication = Authentication(accounts_of(api).access_tokens, token)
    context = Context(
        api.database, accounts=accounts_of(api), find_viewer=authentication.find_viewer if token else None
    )
    context.feed, context.live = api.app.state.feed, api.app.state.live
    return context
