"""Tasks that outlive their callers: a transaction that has begun, a connection that is given back."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

# How long a task that is cancelled may take to close its connection.
CANCEL_TIMEOUT_SECONDS = 2.0

T = TypeVar("T")

logger = structlog.get_logger()


class Background:
    """The tasks of a database that run to their end although their callers are cancelled."""

    def __init__(self) -> None:
        """Start without tasks."""
        self.tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task; its exception goes to the caller, and is dropped if there is none."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, ended: asyncio.Task[Any]) -> None:
        self.tasks.discard(ended)
        if not ended.cancelled():
            ended.exception()  # otherwise asyncio logs an exception that was never retrieved

    async def end(self, grace_seconds: float) -> None:
        """Wait until all tasks have ended, those included that start in the meantime; cancel them after the grace."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + grace_seconds
        while self.tasks and loop.time() < give_up_at:
            await asyncio.wait(self.tasks, timeout=give_up_at - loop.time())
        if not self.tasks:
            return
        logger.error("database tasks given up", tasks=len(self.tasks), seconds=grace_seconds)
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks, timeout=CANCEL_TIMEOUT_SECONDS)
