"""An id for each request, which joins a client's report to the server's log."""

import re
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from gqlapi.errors import Code
from gqlapi.http.json import encode_json, send_json
from gqlapi.logs import REQUEST_ID, create_request_log
from gqlapi.telemetry.reports import OperationReport, fields_of

HEADER = "X-Request-Id"
NAME = HEADER.lower().encode()
SECURITY_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
ACCEPTABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")

# A client may send any word as the method.
METHODS = frozenset({"GET", "HEAD", "POST", "QUERY", "OPTIONS"})

# Called with the method and the status of a request; the status is 0 when its client has disconnected.
OnRequest = Callable[[str, int], None]

logger = structlog.get_logger()


class RequestIdMiddleware:
    """Takes `X-Request-Id` over from a proxy, or makes one; returns it, and logs each request with it.

    All answers pass here: it forbids browsers to guess another type than the declared one, and to name our addresses
    to other sites. A failure that nothing else caught becomes an answer with status 500.
    """

    def __init__(self, app: ASGIApp, on_request: OnRequest | None = None) -> None:
        """Wrap an application, and call a function for each request that was answered."""
        self._app = app
        self._on_request = on_request
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
        reports: list[OperationReport] = []
        state["reports"] = reports

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
            if self._on_request is not None:
                method = scope["method"]
                self._on_request(method if method in METHODS else "other", int(status))
            if "is_counted" not in state:
                milliseconds = round((time.perf_counter() - started) * 1000, 1)
                fields = fields_of(reports) if reports else _refusal_of(state)
                self._log(scope["method"], scope["path"], int(status), milliseconds, request_id, fields)


def _failed(request_id: str) -> bytes:
    message = f"Internal server error. The server's log has details under request id {request_id}."
    extensions = {"code": str(Code.INTERNAL_SERVER_ERROR), "requestId": request_id}
    return encode_json({"errors": [{"message": message, "extensions": extensions}]})


def _refusal_of(state: dict[str, Any]) -> dict[str, Any]:
    """Return the code of a request that was refused before an operation ran."""
    return {"codes": (state["code"],)} if "code" in state else {}


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        # Only what is safe to log and to send back.
        if name == NAME and ACCEPTABLE.fullmatch(value):
            found: bytes = value
            return found
    return str(uuid7()).encode()
