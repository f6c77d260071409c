"""An id for each request, which joins a client's report to the server's log."""

import re
import time
from collections.abc import Awaitable
from http import HTTPStatus

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from gqlapi.database.tracing import Trace
from gqlapi.errors import Code
from gqlapi.http.json import encode_json, send_json
from gqlapi.logs import REQUEST_ID, create_request_log

HEADER = "X-Request-Id"
NAME = HEADER.lower().encode()
SECURITY_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
ACCEPTABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")

logger = structlog.get_logger()


class RequestIdMiddleware:
    """Takes `X-Request-Id` over from a proxy, or makes one; returns it, and logs each request with it.

    All answers pass here: it forbids browsers to guess another type than the declared one, and to name our addresses
    to other sites. A failure that nothing else caught becomes an answer with status 500.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app
        self._log = create_request_log()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        encoded = _request_id(scope)
        request_id, started, status = encoded.decode(), time.perf_counter(), 0
        state = scope.setdefault("state", {})
        state["request_id"] = request_id

        def send_with_id(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (NAME, encoded), *SECURITY_HEADERS]
            return send(message)

        token = REQUEST_ID.set(request_id)
        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            if status:  # the answer has begun
                raise
            logger.exception("request failed")
            await send_json(send_with_id, HTTPStatus.INTERNAL_SERVER_ERROR, _failed(request_id))
        finally:
            REQUEST_ID.reset(token)
            if "is_counted" not in state:
                milliseconds = round((time.perf_counter() - started) * 1000, 1)
                sql = _sql_of(state.get("traces"))
                self._log(scope["method"], scope["path"], int(status), milliseconds, request_id, **sql)


def _failed(request_id: str) -> bytes:
    message = f"Internal server error. The server's log has details under request id {request_id}."
    extensions = {"code": str(Code.INTERNAL_SERVER_ERROR), "requestId": request_id}
    return encode_json({"errors": [{"message": message, "extensions": extensions}]})


def _sql_of(traces: list[Trace] | None) -> dict[str, float]:
    """Return what the endpoint left for the log, one for each operation; it leaves nothing in production."""
    if traces is None:
        return {}
    return {"sql": sum(trace.statements for trace in traces), "sql_ms": round(sum(trace.ms for trace in traces), 1)}


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        # Only what is safe to log and to send back.
        if name == NAME and ACCEPTABLE.fullmatch(value):
            found: bytes = value
            return found
    return str(uuid7()).encode()
