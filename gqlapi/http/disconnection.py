"""Clients that disconnect: their operations are cancelled."""

import asyncio
from types import TracebackType

from starlette.types import Receive, Scope

from gqlapi.serving.disconnect import EXTENSION, Disconnect

# For servers that are not ours: most operations are over by then, and cost no task that watches for them.
WATCH_AFTER_SECONDS = 0.05


class ClientDisconnected(Exception):
    """The client has closed the connection before the answer was complete."""


class CancelOnDisconnect:
    """A block whose task is cancelled when the client disconnects; the request's body must have been read.

    A mutation whose transaction has begun still ends by itself. Our own server calls back at once; others are watched
    through `receive`, after a moment.

    Raises:
        ClientDisconnected: the block was cancelled for this reason.
    """

    __slots__ = ("_disconnect", "_is_gone", "_operation", "_receive", "_timer", "_watching")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        """Watch one request."""
        self._receive = receive
        self._disconnect: Disconnect | None = scope.get("extensions", {}).get(EXTENSION)
        self._timer: asyncio.TimerHandle | None = None
        self._watching: asyncio.Task[None] | None = None
        self._is_gone = False

    def __enter__(self) -> None:
        """Start to watch."""
        operation = asyncio.current_task()
        assert operation is not None  # noqa: S101 - an ASGI application runs in a task
        self._operation = operation
        if self._disconnect is None:
            self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_SECONDS, self._start)
        elif self._disconnect.has_happened:
            raise ClientDisconnected
        else:
            self._disconnect.callback = self._cancel

    def _start(self) -> None:
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._cancel()

    def _cancel(self) -> None:
        self._is_gone = True
        self._operation.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop to watch."""
        if self._disconnect is not None:
            self._disconnect.callback = None
        if self._timer is not None:
            self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()
        if self._is_gone and self._operation.uncancel() == 0 and isinstance(error, asyncio.CancelledError):
            raise ClientDisconnected from error
