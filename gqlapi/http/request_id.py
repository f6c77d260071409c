"""An id for each request, which joins a client's report to the server's log."""

import re
import time
from typing import Any

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from gqlapi.database.tracing import Trace

HEADER = "X-Request-Id"
ACCEPTABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")

logger = structlog.get_logger()


class RequestIdMiddleware:
    """Takes `X-Request-Id` over from a proxy, or makes one; returns it, and logs each request with it."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            milliseconds = round((time.perf_counter() - started) * 1000, 1)
            sql = _sql_of(scope["state"].get("trace"))
            logger.info("request", method=scope["method"], path=scope["path"], status=status, ms=milliseconds, **sql)
            structlog.contextvars.unbind_contextvars("request_id")


def _sql_of(trace: Trace | None) -> dict[str, float]:
    """Return what the endpoint left for the log; the endpoint leaves nothing in production."""
    return {} if trace is None else {"sql": trace.statements, "sql_ms": trace.ms}


def _request_id(scope: Scope) -> str:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    for name, value in headers:
        # Only what is safe to log and to send back.
        if name == b"x-request-id" and ACCEPTABLE.fullmatch(value):
            return value.decode("ascii")
    made: Any = uuid7()
    return str(made)
