"""The loaders of one operation: each turns the single loads of a level into one call of a repository."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from aiodataloader import DataLoader, Loader, failed_dispatch

from gqlapi.database.read_unit import UnitClosed
from gqlapi.execution.declarations import UNKNOWN, Prepared, Relation
from gqlapi.execution.pacing import Pace

# Up to this many keys are resolved at once, more of them a few at a time: each wakes the completion of an object.
UNPACED_KEYS = 20
KEYS_IN_A_TURN = 4

BatchLoad = Callable[[list[Any]], Coroutine[Any, Any, list[Any]]]


class Loaders:
    """Loaders of one operation, made at their first use: for resolvers that answer one object at a time.

    One loader for each relation, and for each of its arguments where there are any.
    """

    def __init__(self, context: Any, pace: Pace) -> None:
        """Bind the loaders to an operation and to its pace."""
        self._context = context
        self._pace = pace
        self._loaders: dict[Hashable, DataLoader[Any, Any]] = {}
        # Rows of lists by what they count, then by their parents.
        self.counts: dict[Hashable, dict[Any, int]] = {}
        self.counting = asyncio.Lock()

    def load(self, relation: Relation, source: Any, prepared: Prepared) -> Any:
        """Return the value of a relation for one object, or its future."""
        if relation.known is not None and (known := relation.known(source)) is not UNKNOWN:
            return known

        async def load(keys: list[tuple[Any]]) -> list[Any]:
            return [*await relation.load(self._context, [key for (key,) in keys], prepared)]

        loader = self.of(relation if relation.by_argument else (relation, prepared), load)
        return loader.load((relation.key_of(source, prepared),))  # aiodataloader takes no None

    def of(self, key: Hashable, load: BatchLoad) -> DataLoader[Any, Any]:
        """Return the loader that `key` names, made at its first use."""
        loader = self._loaders.get(key)
        if loader is None:
            loader = self._loaders[key] = PacedLoader(load, self._pace)
        return loader


class PacedLoader(DataLoader[Any, Any]):
    """A loader that waits for all slices of a level, and resolves its keys a few at a time.

    aiodataloader dispatches in the next iteration of the event loop, and resolves all keys in one: what their objects
    then do would stop the loop for as long as they are many.
    """

    def __init__(self, load: BatchLoad, pace: Pace) -> None:
        """Load with a batch function, at the pace of an operation."""
        super().__init__(batch_load_fn=load)
        self._pace = pace
        self._dispatches: set[asyncio.Task[None]] = set()

    def do_resolve_reject(self, key: Any, future: asyncio.Future[Any]) -> None:
        """Queue a key; the first one starts the dispatch."""
        self._queue.append(Loader(key, future))
        if len(self._queue) == 1:
            dispatch = asyncio.create_task(self._dispatch())
            self._dispatches.add(dispatch)
            dispatch.add_done_callback(self._dispatches.discard)

    async def _dispatch(self) -> None:
        await self._pace.quiet()
        queue, self._queue = self._queue, []
        try:
            values = await self.batch_load_fn([queued.key for queued in queue])
        except UnitClosed:
            for queued in queue:  # the operation has ended, and none of its fields waits any more
                queued.future.cancel()
            return
        except Exception as error:  # noqa: BLE001 - it reaches every field that waits for a key
            failed_dispatch(self, queue, error)
            return
        is_long = len(queue) > UNPACED_KEYS
        for number, (queued, value) in enumerate(zip(queue, values, strict=True), 1):
            if not queued.future.done():
                _settle(queued.future, value)
            if is_long and number % KEYS_IN_A_TURN == 0:
                await self._pace.turn()


def _settle(future: asyncio.Future[Any], value: object) -> None:
    if isinstance(value, Exception):
        future.set_exception(value)
    else:
        future.set_result(value)
