"""The executor: graphql-core's, which yields to the event loop and stops at a budget of bytes."""

from collections.abc import Iterable
from typing import Any, Protocol

from graphql import (
    GraphQLLeafType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
)
from graphql.execution import Executor
from graphql.pyutils import AwaitableOrValue, Path, gather_with_cancel
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from gqlapi.execution.atomic import is_atomic
from gqlapi.execution.failures import ErrorMode
from gqlapi.execution.pacing import Pace

# A list of up to this many items is completed in one slice.
UNPACED_ITEMS = 20
# Quotes, colon and comma around a field in JSON, and the least that a value takes.
FIELD_BYTES = 6


class Answer:
    """The size of an answer while it is completed, in bytes of JSON; characters that JSON escapes count as one."""

    def __init__(self, max_bytes: int) -> None:
        """Allow `max_bytes`."""
        self._left = max_bytes

    @property
    def is_too_large(self) -> bool:
        """Whether the answer has exceeded its budget; everything completed after that is discarded."""
        return self._left < 0

    def add(self, size: int) -> None:
        """Count bytes."""
        self._left -= size


class PacedContext(Protocol):
    """What the executor needs of an operation's context."""

    pace: Pace
    answer: Answer
    error_mode: ErrorMode


class PacedExecutor(StrawberryGraphQLCoreExecutionContext):
    """Completes long lists in slices, and completes nothing more once the answer is too large.

    Ignores @defer and @stream, which the class that Strawberry has here would obey.
    """

    execute_collected_subfields = Executor.execute_collected_subfields  # type: ignore[assignment] # graphql-core renames a parameter
    handle_stream = Executor.handle_stream

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Start with no object seen."""
        super().__init__(*args, **kwargs)
        context: PacedContext = self.context_value
        self._pace = context.pace
        self._answer = context.answer
        self.error_propagation = context.error_mode is not ErrorMode.NULL
        self._halts = context.error_mode is ErrorMode.HALT
        # The bytes of the names of an object's fields, by the identity of its grouped field set, which is kept alive.
        self._name_bytes: dict[int, tuple[int, Any]] = {}

    def execute_collected_root_fields(
        self,
        root_type: GraphQLObjectType,
        root_value: Any,
        grouped_field_set: Any,
        serially: bool,  # noqa: FBT001 - the base's own
        new_defer_usages: Any,
    ) -> AwaitableOrValue[dict[str, Any]]:
        """Execute the root fields; those of an operation with @atomic wait for each other before they write."""
        serially = serially and not is_atomic(self.operation)
        return Executor.execute_collected_root_fields(
            self, root_type, root_value, grouped_field_set, serially, new_defer_usages
        )

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: Any,
        position_context: Any,
    ) -> AwaitableOrValue[dict[str, Any]]:
        """Execute the fields of one object, and count their names."""
        if self._answer.is_too_large:
            return {}
        known = self._name_bytes.get(id(grouped_field_set))
        if known is None:
            size = sum(len(name) + FIELD_BYTES for name in grouped_field_set)
            known = self._name_bytes[id(grouped_field_set)] = size, grouped_field_set
        self._answer.add(known[0])
        return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)

    def handle_field_error(
        self, raw_error: Exception, return_type: GraphQLOutputType, field_details_list: Any, path: Path
    ) -> None:
        """Record the error of a field, or propagate it; up to the root in an operation that halts.

        Raises:
            GraphQLError: the error propagates.
        """
        if self._halts and not isinstance(return_type, GraphQLNonNull):
            return_type = GraphQLNonNull(return_type)
        super().handle_field_error(raw_error, return_type, field_details_list, path)

    def complete_leaf_value(self, return_type: GraphQLLeafType, result: Any) -> Any:  # type: ignore[override] # the base has a static method, which it calls through the instance
        """Complete a leaf, and count it when it is a text."""
        coerced = super().complete_leaf_value(return_type, result)
        if isinstance(coerced, str):
            self._answer.add(len(coerced) if coerced.isascii() else len(coerced.encode(errors="replace")))
        return coerced

    def complete_iterable_value(
        self,
        item_type: GraphQLOutputType,
        field_details_list: Any,
        info: GraphQLResolveInfo[Any],
        path: Path,
        items: Iterable[Any],
        position_context: Any,
    ) -> AwaitableOrValue[list[Any]]:
        """Complete a list: a long one in slices."""
        items = items if isinstance(items, list | tuple) else [*items]
        if len(items) <= UNPACED_ITEMS:
            return super().complete_iterable_value(item_type, field_details_list, info, path, items, position_context)
        return self._complete_in_slices(item_type, field_details_list, info, path, items, position_context)

    async def _complete_in_slices(
        self,
        item_type: GraphQLOutputType,
        field_details_list: Any,
        info: GraphQLResolveInfo[Any],
        path: Path,
        items: Iterable[Any],
        position_context: Any,
    ) -> list[Any]:
        """Complete the items one by one, a few milliseconds at a time, then wait for those that load something."""
        completed: list[Any] = []
        pending: list[int] = []
        shared = item_type, field_details_list, info
        try:
            for index, item in enumerate(items):
                item_path = path.add_key(index, None)
                if self.is_awaitable(item):
                    completed.append(
                        self.complete_awaitable_list_item_value(item, *shared, item_path, position_context)
                    )
                    pending.append(index)
                elif self.complete_list_item_value(item, completed, *shared, item_path, position_context):
                    pending.append(index)
                if self._pace.expired:
                    await self._pace.turn()
        except BaseException:
            self.settle_in_background([completed[index] for index in pending])
            raise
        for index, value in zip(pending, await gather_with_cancel(*(completed[i] for i in pending)), strict=True):
            completed[index] = value
        return completed

    async def complete_awaitable_value(
        self,
        return_type: GraphQLOutputType,
        field_details_list: Any,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        """Complete what a resolver awaits, in its turn: one loader may wake hundreds of objects at once."""
        return await super().complete_awaitable_value(
            return_type, field_details_list, info, path, self._in_turn(result), position_context
        )

    async def complete_awaitable_list_item_value(
        self,
        item: Any,
        item_type: GraphQLOutputType,
        field_details_list: Any,
        info: GraphQLResolveInfo[Any],
        item_path: Path,
        position_context: Any,
    ) -> Any:
        """Complete an item that is awaited, in its turn."""
        return await super().complete_awaitable_list_item_value(
            self._in_turn(item), item_type, field_details_list, info, item_path, position_context
        )

    async def _in_turn(self, awaitable: Any) -> Any:
        value = await awaitable
        if self._pace.expired:
            await self._pace.turn()
        return value
