"""Incremental delivery: the executor of operations with @defer and @stream, and what it hands to a transport.

https://github.com/graphql/graphql-spec/pull/1110
"""

from asyncio import ensure_future
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from graphql import (
    GraphQLError,
    GraphQLOutputType,
    GraphQLResolveInfo,
    SubsequentIncrementalExecutionResult,
)
from graphql.execution import PendingResult
from graphql.execution.incremental import IncrementalExecutor
from graphql.execution.incremental.stream_item_queue import StreamItemQueue
from graphql.pyutils import AwaitableOrValue, Path
from strawberry.types import ExecutionResult

from gqlapi.execution.reference import PacedExecutor

# The first index that a stream delivers, by the path of its list.
StreamStarts = Mapping[tuple[str | int, ...], int]


class Delivery(Protocol):
    """Where the payloads of an operation go, in their order."""

    async def begin(self, result: ExecutionResult, pending: Sequence[PendingResult], starts: StreamStarts) -> None:
        """Deliver the first payload; `starts` grows while the operation runs.

        Raises:
            LimitExceeded: the answer is too large.
        """

    async def add(self, payload: SubsequentIncrementalExecutionResult) -> None:
        """Deliver a later payload.

        Raises:
            LimitExceeded: the answer is too large.
        """

    async def end(self, errors: Sequence[GraphQLError]) -> None:
        """End the delivery, with the errors of an operation that ended early."""


class DeliveringExecutor(PacedExecutor):
    """Delivers deferred fragments and streamed lists after the rest.

    A deferred fragment begins when its payload is due, not before: the first payload waits for none of its statements.
    """

    execute_collected_root_fields = IncrementalExecutor.execute_collected_root_fields
    execute_collected_subfields = IncrementalExecutor.execute_collected_subfields  # type: ignore[assignment] # graphql-core renames a parameter

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Start without streams."""
        super().__init__(*args, **kwargs)
        # Shared by the executors of all payloads, which are copies.
        self.stream_starts: dict[tuple[str | int, ...], int] = self.context_value.stream_starts

    def execute_execution_group(self, *group: Any) -> AwaitableOrValue[Any]:
        """Execute a deferred fragment, in its turn: hundreds may begin at once."""
        if self._pace.expired:
            return self._execute_in_turn(*group)
        return super().execute_execution_group(*group)

    async def _execute_in_turn(self, *group: Any) -> Any:
        await self._pace.turn()
        result = super().execute_execution_group(*group)
        return await result if self.is_awaitable(result) else result

    def get_stream_usage(self, field_details_list: Any, path: Path) -> Any:
        """Return how a list is streamed, or None.

        Raises:
            GraphQLError: `initialCount` is negative or null.
        """
        try:
            return super().get_stream_usage(field_details_list, path)
        except ValueError:
            raise GraphQLError("`initialCount` must be 0 or more.") from None

    def complete_iterable_value(
        self,
        item_type: GraphQLOutputType,
        field_details_list: Any,
        info: GraphQLResolveInfo[Any],
        path: Path,
        items: Iterable[Any],
        position_context: Any,
    ) -> AwaitableOrValue[list[Any]]:
        """Complete a list: of one that is streamed, the first items."""
        rest = item_type, field_details_list, info, path, items, position_context
        if self.get_stream_usage(field_details_list, path) is None:
            return super().complete_iterable_value(*rest)
        return IncrementalExecutor.complete_iterable_value(self, *rest)

    def handle_stream(
        self,
        index: int,
        path: Path,
        iterator: Iterator[Any] | Any,
        is_async: bool,  # noqa: FBT001 - graphql-core's
        stream_usage: Any,
        info: GraphQLResolveInfo[Any],
        item_type: GraphQLOutputType,
    ) -> bool:
        """Stream the items of a list from an index on."""
        self.stream_starts[tuple(path.as_list())] = index
        return IncrementalExecutor.handle_stream(self, index, path, iterator, is_async, stream_usage, info, item_type)

    def build_stream_item_queue(
        self,
        initial_index: int,
        stream_path: Path,
        iterator: Iterator[Any] | Any,
        field_details_list: Any,
        info: GraphQLResolveInfo[Any],
        item_type: GraphQLOutputType,
        is_async: bool,  # noqa: FBT001 - graphql-core's
    ) -> StreamItemQueue:
        """Return the queue of a stream, which completes its items together once it begins.

        graphql-core's completes one item after the other, each with its own statements.
        """
        assert not is_async  # noqa: S101 - repositories return lists

        async def produce(queue: StreamItemQueue) -> None:
            for index, item in enumerate(iterator, initial_index):
                item_path = stream_path.add_key(index, None)
                executor = self.create_sub_executor()
                result = executor.complete_stream_item(item_path, item, field_details_list, info, item_type)
                await queue.push(ensure_future(result) if self.is_awaitable(result) else result)  # type: ignore[arg-type] # it is a coroutine
                if self._pace.expired:
                    await self._pace.turn()

        return StreamItemQueue(produce)
