"""Live queries: answered again when the feed touches what their answers depend on.

Equal queries of viewers with equal rights are one group, which runs once for all of them. A group keeps its last answer
and no queue: a slow client gets the newest answer, and never learns of those in between.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Sequence
from contextlib import aclosing
from contextvars import Context
from itertools import count
from typing import Any, NamedTuple

import structlog
from graphql import GraphQLError
from strawberry.types import ExecutionResult

from gqlapi.database.types import utc_now
from gqlapi.errors import ApiError, Code
from gqlapi.execution.failures import ErrorMode
from gqlapi.feed.dependencies import Dependencies, Touch, touch_of
from gqlapi.feed.feed import Changes, Feed
from gqlapi.feed.wakeups import is_being_cancelled
from gqlapi.models import Viewer
from gqlapi.operations import BoundOperation
from gqlapi.operations.caching import CachePlan, Observation

# Between two answers of a group: changes in between share one. Longer for a query that takes long.
INTERVAL_SECONDS = 0.1
REST_PER_RUN = 4
# The slot of a query rests as long as it ran: thousands of queries take half of the processor's time at most.
SLOT_REST_PER_RUN = 1
RETRY_SECONDS = 1.0
# Queries that are answered at the same time; the others wait, and leave connections to requests.
MAX_RUNNING = 2
# An answer with more objects of a type depends on all rows of the type.
MAX_IDS = 2_000
MAX_UNSEEN = 10_000

logger = structlog.get_logger()
_numbers = count(1)


class LiveQuery(NamedTuple):
    """A query on behalf of a viewer, whose equals have the same `key`; `plan` is what its answers depend on."""

    key: Hashable
    operation: BoundOperation
    viewer: Viewer
    error_mode: ErrorMode
    plan: CachePlan


# Runs a query, and shows the objects of its answer to the observation; its errors are not yet fit for clients.
Run = Callable[[LiveQuery, Observation], Awaitable[ExecutionResult]]


class LiveAnswer:
    """An answer, shared by all who asked the same with the same rights; it is an event of a subscription."""

    __slots__ = ("position", "result", "viewer")

    def __init__(self, viewer: Viewer, result: ExecutionResult) -> None:
        """Keep an answer that was made on behalf of a viewer."""
        self.viewer = viewer
        self.result = result
        # Unlike that of any other answer of the process.
        self.position = next(_numbers)

    def is_for(self, _viewer: Viewer) -> bool:
        """Return True: a viewer who has other rights by now gets another answer."""
        return True


class Group:
    """The subscribers of equal queries with equal rights."""

    def __init__(self, query: LiveQuery, run: Run, slots: asyncio.Semaphore) -> None:
        """Begin to answer when it is asked to."""
        self.members = 0
        self._query = query
        self._run = run
        self._slots = slots
        self._answer: LiveAnswer | None = None
        self._dependencies: Dependencies | None = None
        self._begun = self._finished = 0
        # What happened while the query ran.
        self._unseen: list[Touch] = []
        self._asked = asyncio.Event()
        self._news = asyncio.Condition()
        self.task = asyncio.create_task(self._keep_answering(), context=Context())  # of no operation

    def ask(self) -> None:
        """Answer again."""
        self._asked.set()

    def note(self, touches: Sequence[Touch]) -> None:
        """Answer again if changes touch the answer."""
        if self._begun > self._finished and len(self._unseen) < MAX_UNSEEN:
            self._unseen.extend(touches)
        elif self._dependencies is None or any(map(self._dependencies.include, touches)):
            self.ask()

    async def fresh(self) -> LiveAnswer:
        """Return an answer whose query began after the call."""
        number = self._begun + 1
        self.ask()
        async with self._news:
            await self._news.wait_for(lambda: self._finished >= number)
        assert self._answer is not None  # noqa: S101 - of the run that has finished
        return self._answer

    async def after(self, seen: LiveAnswer) -> LiveAnswer:
        """Return the next answer that is another one."""
        async with self._news:
            await self._news.wait_for(lambda: self._answer is not seen)
        assert self._answer is not None  # noqa: S101 - once there is one, there always is
        return self._answer

    async def _keep_answering(self) -> None:
        clock = asyncio.get_running_loop().time
        while not is_being_cancelled():
            await self._asked.wait()
            async with self._slots:
                self._asked.clear()
                self._unseen.clear()
                self._begun += 1
                began = clock()
                observation = Observation(MAX_IDS)
                observation.plan = self._query.plan
                result = await self._patiently(observation)
                took = clock() - began
                await self._finish(result, observation)
                await asyncio.sleep(took * SLOT_REST_PER_RUN)
            await asyncio.sleep(max(INTERVAL_SECONDS, took * REST_PER_RUN))

    async def _patiently(self, observation: Observation) -> ExecutionResult:
        while True:
            try:
                result = await self._run(self._query, observation)
            except Exception as error:  # noqa: BLE001 - of this answer, and not of the group
                return ExecutionResult(data=None, errors=[GraphQLError(str(error), original_error=error)])
            if not any(_is_unavailable(error) for error in result.errors or ()):
                return result
            await asyncio.sleep(RETRY_SECONDS)

    async def _finish(self, result: ExecutionResult, observation: Observation) -> None:
        field = self._query.operation.operation.root.fields[0]
        data = (result.data or {}).get(field.name)
        self._dependencies = Dependencies.of(observation, data, self._query.viewer)
        if any(map(self._dependencies.include, self._unseen)) or len(self._unseen) >= MAX_UNSEEN:
            self.ask()
        if self._answer is None or not _is_same(self._answer.result, result):
            self._answer = LiveAnswer(self._query.viewer, result)
        self._finished = self._begun  # from now on, changes are compared with this answer
        async with self._news:
            self._news.notify_all()


class LiveQueries:
    """The live queries of a process, which follow the feed once for all of them."""

    def __init__(self, feed: Feed, run: Run) -> None:
        """Prepare; nothing is followed before the first query."""
        self._feed = feed
        self._run = run
        self._groups: dict[Hashable, Group] = {}
        self._slots = asyncio.Semaphore(MAX_RUNNING)
        self._starting = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None

    @property
    def groups(self) -> int:
        """How many different queries there are."""
        return len(self._groups)

    async def follow(self, query: LiveQuery) -> AsyncGenerator[LiveAnswer]:
        """Yield the answer of a query, and then each that is another one.

        Raises:
            ApiError: the database timed out or is not available at the start; later it is waited for.
        """
        group = self._groups.get(query.key)
        if group is None:
            group = self._groups[query.key] = Group(query, self._run, self._slots)
        group.members += 1
        try:
            await self._start()
            answer = await group.fresh()
            while True:
                yield answer
                answer = await group.after(answer)
        finally:
            group.members -= 1
            if not group.members:
                del self._groups[query.key]
                await self._stop(group)

    async def _start(self) -> None:
        """Follow the feed before the first answer is made: no change after it is missed."""
        async with self._starting:
            if self._following is None:
                self._following = asyncio.create_task(self._follow_feed(await self._feed.follow(None)))

    async def _stop(self, group: Group) -> None:
        ended = [group.task]
        if not self._groups and self._following is not None:
            ended.append(self._following)
            self._following = None
        for task in ended:
            task.cancel()
        await asyncio.wait(ended)

    async def _follow_feed(self, changes: AsyncGenerator[Changes]) -> None:
        while not is_being_cancelled():
            try:
                async with aclosing(changes):
                    async for some in changes:
                        await self._note(some)
            except ApiError as error:
                logger.warning("live queries follow the feed again", exc_info=error)
            changes = await self._follow_again()
            for group in self._groups.values():
                group.ask()

    async def _follow_again(self) -> AsyncGenerator[Changes]:
        while True:
            try:
                return await self._feed.follow(None)
            except ApiError:
                await asyncio.sleep(RETRY_SECONDS)

    async def _note(self, changes: Changes) -> None:
        facts = await self._feed.facts(changes)
        now = utc_now()
        touches = [touch_of(change, facts, now) for change in changes]
        for group in self._groups.values():
            group.note(touches)


def _is_same(one: ExecutionResult, other: ExecutionResult) -> bool:
    return bool(one.data == other.data) and _outline(one) == _outline(other)


def _outline(result: ExecutionResult) -> list[Any]:
    return [(error.message, error.path) for error in result.errors or ()]


def _is_unavailable(error: Any) -> bool:
    return isinstance(error.original_error, ApiError) and error.original_error.code is Code.UNAVAILABLE
