"""Subscriptions that have begun: each event becomes an answer, which subscribers with equal rights share."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Hashable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, NamedTuple

import orjson
from strawberry.types import ExecutionResult

from gqlapi.accounts import Client
from gqlapi.accounts.authentication import Authentication
from gqlapi.accounts.tokens import InvalidToken
from gqlapi.errors import Code, LimitExceeded, Unauthenticated
from gqlapi.http.json import encode_json
from gqlapi.http.runner import Begun, Runner
from gqlapi.models import Viewer
from gqlapi.operations import BoundOperation

# Answers that are kept for the subscribers that have not asked for them yet, and for how long: the post of an old one
# may have changed.
MAX_SHARED = 64
SHARED_SECONDS = 1.0
# A database that is not available is asked again after these pauses: no event is lost while another one takes over.
RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
TRANSIENT = frozenset({str(Code.UNAVAILABLE), str(Code.TIMEOUT)})


class Answer(NamedTuple):
    """The answer to an event, and who the viewer was by then."""

    content: bytes
    viewer: Viewer


class Subscription:
    """A subscription that has begun, and what each of its events is answered with."""

    def __init__(self, begun: Begun, authentication: Authentication | None) -> None:
        """Take over a subscription of a client who is known by a token, or by none."""
        request, context = begun
        assert context.operation is not None and context.events is not None  # noqa: S101, PT018 - it has begun
        self.operation: BoundOperation = context.operation
        self.events = context.events
        self.context = context
        self.authentication = authentication
        # As text, because the bytes keep the whole buffer: 4 kB.
        self._variables = orjson.dumps(request.variables, option=orjson.OPT_SORT_KEYS).decode()

    @property
    def key(self) -> Hashable:
        """What answers depend on, beside the event: equal subscriptions of equal viewers have equal ones.

        The token is a part of it: of two of one session, one may have expired.
        """
        context = self.context
        token = None if self.authentication is None else self.authentication.token
        return self.operation.operation, self._variables, context.error_mode, context.viewer, token


class Subscriptions:
    """The subscriptions of a process."""

    def __init__(self, runner: Runner, *, per_user: int, in_all: int) -> None:
        """Allow a user, and all together, so many subscriptions at a time."""
        self.runner = runner
        self._per_user = per_user
        self._in_all = in_all
        self._by_user: Counter[Any] = Counter()
        self._shared: OrderedDict[Hashable, asyncio.Task[Answer]] = OrderedDict()

    @property
    def count(self) -> int:
        """How many there are."""
        return self._by_user.total()

    async def answers(self, subscription: Subscription) -> AsyncGenerator[bytes]:
        """Yield the answers to the events of a subscription.

        What is awaited raises:
            LimitExceeded: the user, or the server, has too many subscriptions.
            Unauthenticated: the session of the subscriber has ended.
            PositionExpired: the subscriber was too slow for the feed.
        """
        with self._counted(subscription.context.viewer):
            async with aclosing(subscription.events) as events:
                async for event in events:
                    try:
                        answer = await self._answer(subscription, event)
                    except InvalidToken:
                        raise Unauthenticated("The session has ended.") from None
                    subscription.context.viewer = answer.viewer
                    if event.is_for(answer.viewer):
                        yield answer.content

    async def check_session(self, authentication: Authentication, client: Client) -> None:
        """Read whether a session is active.

        Raises:
            InvalidToken: it has ended.
            ApiError: the database timed out or is not available.
        """
        unit = self.runner.database.read(client=client.keys)
        try:
            await authentication.find_viewer(unit)
        finally:
            await unit.close()

    @contextmanager
    def _counted(self, viewer: Viewer) -> Iterator[None]:
        if self.count >= self._in_all:
            raise LimitExceeded("The server has too many subscriptions.", limit=self._in_all)
        if viewer.id is not None and self._by_user[viewer.id] >= self._per_user:
            raise LimitExceeded(f"A user may have {self._per_user} subscriptions at a time.", limit=self._per_user)
        self._by_user[viewer.id] += 1
        try:
            yield
        finally:
            self._by_user[viewer.id] -= 1
            if not self._by_user[viewer.id]:
                del self._by_user[viewer.id]

    async def _answer(self, subscription: Subscription, event: Any) -> Answer:
        # The event has who may see its post: where that has changed, it is another one.
        key = (event, subscription.key)
        task = self._shared.get(key)
        if task is None:
            task = self._shared[key] = asyncio.create_task(self._make(subscription, event))
            task.add_done_callback(lambda task: self._forget_soon(key, task))
            if len(self._shared) > MAX_SHARED:
                self._shared.popitem(last=False)
        return await asyncio.shield(task)

    def _forget_soon(self, key: Hashable, task: asyncio.Task[Answer]) -> None:
        if not task.cancelled():
            task.exception()  # there may be no subscriber left to see it
        asyncio.get_running_loop().call_later(SHARED_SECONDS, self._forget, key, task)

    def _forget(self, key: Hashable, task: asyncio.Task[Answer]) -> None:
        if self._shared.get(key) is task:
            del self._shared[key]

    async def _make(self, subscription: Subscription, event: Any) -> Answer:
        result, viewer = await self._respond(subscription, event)
        for pause in RETRY_SECONDS:
            if not _is_transient(result):
                break
            await asyncio.sleep(pause)
            result, viewer = await self._respond(subscription, event)
        return Answer(encode_json(body_of(result)), viewer)

    async def _respond(self, subscription: Subscription, event: Any) -> tuple[ExecutionResult, Viewer]:
        began = subscription.context
        context = self.runner.context(began.client, subscription.authentication, began.request_id)
        context.error_mode = began.error_mode
        result = await self.runner.respond(subscription.operation, context, event)
        self.runner.report(context, result)
        return result, context.viewer


def body_of(result: ExecutionResult) -> dict[str, Any]:
    """Return the response that a result is."""
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = [error.formatted for error in result.errors]
    if result.extensions:
        body["extensions"] = result.extensions
    return body


def _is_transient(result: ExecutionResult) -> bool:
    return any(str((error.extensions or {}).get("code")) in TRANSIENT for error in result.errors or ())
