"""The announcement that the server stops, and the time in which it still accepts connections.

A load balancer learns from it to send requests elsewhere before connections are refused.
"""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import MutableMapping
from types import FrameType
from typing import Any

import structlog

# Where the server leaves the event: in the `state` of ASGI's lifespan, and so of every scope.
STATE_KEY = "stopping"

logger = structlog.get_logger()


class Stopping(asyncio.Event):
    """Set when SIGTERM arrives; connections are accepted and kept for the grace that follows."""


def stopping_of(scope: MutableMapping[str, Any]) -> Stopping:
    """Return the event of the server that sent a scope; under other servers it is never set."""
    stopping: Stopping | None = scope.get("state", {}).get(STATE_KEY)
    return Stopping() if stopping is None else stopping


class StopSignals:
    """Delays SIGTERM by the grace, unless a supervisor replaces this process by another one.

    A replaced worker leaves at once: the server it is part of stays ready.
    """

    def __init__(self, stopping: Stopping, grace_seconds: float, *, is_supervised: bool) -> None:
        """Announce through an event; a supervised process delays only what its supervisor announces by SIGUSR1."""
        self._stopping = stopping
        self._grace_seconds = grace_seconds
        self._loop = asyncio.get_running_loop()
        self._stop: Any = signal.getsignal(signal.SIGTERM)
        self._is_announced = not is_supervised
        self._is_delayed = False

    def install(self) -> None:
        """Replace the handler of SIGTERM, which is called when the grace is over."""
        if threading.current_thread() is not threading.main_thread():
            return
        signal.signal(signal.SIGTERM, self._on_term)
        if sys.platform != "win32":
            signal.signal(signal.SIGUSR1, self._on_announcement)

    def _on_announcement(self, _number: int, _frame: FrameType | None) -> None:
        self._is_announced = True

    def _on_term(self, number: int, frame: FrameType | None) -> None:
        """Begin the grace; a second signal ends it."""
        if not self._is_announced or self._is_delayed or not self._grace_seconds:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._stop(number, frame)
            return
        self._is_delayed = True
        self._loop.call_soon_threadsafe(self._begin, number)

    def _begin(self, number: int) -> None:
        logger.info("stopping", grace_seconds=self._grace_seconds)
        self._stopping.set()
        self._loop.call_later(self._grace_seconds, self._stop, number, None)


def announce_to(pid: int) -> None:
    """Announce to a worker that the SIGTERM which follows is the end of the whole server."""
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)
