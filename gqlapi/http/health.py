"""Health, for load balancers and orchestrators."""

import asyncio
import time
from dataclasses import asdict

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gqlapi.database.failures import describe
from gqlapi.database.readiness import Checks, Probe
from gqlapi.serving.stopping import stopping_of

HTTP_SERVICE_UNAVAILABLE = 503
# Many probes at once, and a flood of them, cost the database one query a second.
REUSE_SECONDS = 1.0

logger = structlog.get_logger()


async def healthz(_request: Request) -> Response:
    """Return 200 while the process answers; the state of the database is no reason to restart it."""
    return JSONResponse({"status": "ok"})


class Startup:
    """Whether the application has started; it has not where the server does not run its lifespan first."""

    def __init__(self) -> None:
        self.is_complete = False

    async def startupz(self, _request: Request) -> Response:
        """Return 200 or 503; a database that is down does not delay the start."""
        if self.is_complete:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "starting"}, HTTP_SERVICE_UNAVAILABLE)


class Readiness:
    """Whether to send requests here."""

    def __init__(self, probe: Probe) -> None:
        """Watch a database through its probe."""
        self._probe = probe
        self._running: asyncio.Task[Checks] | None = None
        self._last: Checks | None = None
        self._checked_at = float("-inf")

    async def readyz(self, request: Request) -> Response:
        """Return 200 or 503, with the state of each part; a server that stops looks at none."""
        if stopping_of(request.scope).is_set():
            return JSONResponse({"status": "stopping"}, HTTP_SERVICE_UNAVAILABLE)
        checks = await self._check()
        status = "ok" if checks.passed else "unavailable"
        body = {"status": status, "checks": asdict(checks)}
        return JSONResponse(body, 200 if checks.passed else HTTP_SERVICE_UNAVAILABLE)

    async def _check(self) -> Checks:
        if self._running is None:
            if self._last is not None and time.monotonic() - self._checked_at < REUSE_SECONDS:
                return self._last
            self._running = asyncio.create_task(self._run())
        # The one who asked first may hang up; the others still wait.
        return await asyncio.shield(self._running)

    async def _run(self) -> Checks:
        try:
            checks, failure = await self._probe.check()
            self._note(checks, failure)
            return checks
        finally:
            self._running = None

    def _note(self, checks: Checks, failure: Exception | None) -> None:
        """Log a change, and keep the result."""
        before, self._last, self._checked_at = self._last, checks, time.monotonic()
        if checks == before or (before is None and checks.passed):
            return
        log = logger.info if checks.passed else logger.error
        log("readiness changed", **asdict(checks), **({} if failure is None else describe(failure)))
