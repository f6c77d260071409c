"""`gqlapi serve` with an address that answers what a request cost it; the tests run it as a separate process.

GET /observe?begin&calls  counts calls of Python functions in the thread of the event loop from now on
GET /observe?begin        notes how long the event loop is held from now on
GET /observe?end          ends both, and returns them and the number of SQL statements since
GET /observe?trim         gives memory back that is not in use
"""

import asyncio
import ctypes
import gc
import os
import time
from cProfile import Profile

import sqlalchemy as sa
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

import gqlapi.app
from gqlapi.app import create_app
from gqlapi.cli import main

PATH = "/observe"
BEAT_SECONDS = 0.002


class Observer:
    """Passes requests on to an application, and observes the thread that runs its event loop."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._profile: Profile | None = None
        self._calls = 0
        self._held = 0.0
        self._statements = 0
        self._beating: asyncio.Task[None] | None = None
        sa.event.listen(sa.Engine, "before_cursor_execute", self._count_statement)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        match scope["query_string"]:
            case b"begin":
                _collect_what_is_due()
                self._held = 0.0
                self._statements = 0
                self._beating = asyncio.create_task(self._beat())
            case b"begin&calls":
                self._profile = Profile(builtins=False)
                self._profile.enable()
            case b"end":
                self._end()
            case _:
                gc.collect()
                ctypes.CDLL(None).malloc_trim(0)
        observed = {"calls": self._calls, "held_seconds": self._held, "statements": self._statements}
        await JSONResponse(observed)(scope, receive, send)

    def _count_statement(self, *_: object) -> None:
        self._statements += 1

    async def _beat(self) -> None:
        # The CPU time of this thread, not the time of the day: a machine with other work to do holds nothing up.
        last = time.thread_time()
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            now = time.thread_time()
            self._held, last = max(self._held, now - last), now

    def _end(self) -> None:
        if self._profile is not None:
            self._profile.disable()
            self._calls = sum(entry.callcount for entry in self._profile.getstats())
            self._profile = None
        if self._beating is not None:
            self._beating.cancel()
            self._beating = None


def _collect_what_is_due() -> None:
    """Collect garbage now, that no full collection, 50 ms, falls into a request."""
    _, _, since_full = gc.get_count()
    gc.collect(2 if since_full > gc.get_threshold()[2] // 2 else 1)


def create_observed_app() -> Observer:
    """Create the application as `gqlapi serve` does, and observe it."""
    return Observer(create_app())


if __name__ == "__main__":
    # What it costs is measured as CPU time; on a busy machine an operation may take longer than the usual ten seconds.
    os.environ["GQLAPI_OPERATION_TIMEOUT_SECONDS"] = "60"
    # uvicorn looks the factory up by its name when it starts.
    setattr(gqlapi.app, "create_app", create_observed_app)  # noqa: B010 - it is of another type
    main()
