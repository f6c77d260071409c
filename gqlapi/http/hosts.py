"""Which names a request may give as its Host."""

import ipaddress
from collections.abc import Collection
from functools import lru_cache
from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from gqlapi.http.failures import HttpFailure
from gqlapi.http.json import send_json

MAX_SHOWN_LENGTH = 100


class HostCheck:
    """Refuses requests to other names than the server's own, against DNS rebinding.

    A page of another site can make its own name lead to this machine, and then reads what it asks for. IP addresses and
    names under `localhost` cannot be made to lead elsewhere.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        """Wrap an application; `names` are allowed as well, in any case."""
        self._app = app
        self._names = frozenset(name.lower() for name in names)
        self._is_allowed = lru_cache(maxsize=256)(self._compute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or refuse it."""
        hosts = [value for name, value in scope.get("headers", ()) if name == b"host"]
        if scope["type"] in {"http", "websocket"} and not all(map(self._is_allowed, hosts)):
            if scope["type"] == "websocket":
                await receive()  # websocket.connect
                await send({"type": "websocket.close"})  # before it is accepted: the response is 403
                return
            failure = _refusal(next(host for host in hosts if not self._is_allowed(host)))
            await send_json(send, failure.status_code, failure.content)
            return
        await self._app(scope, receive, send)

    def _compute(self, host: bytes) -> bool:
        name = _name_of(host.decode("latin-1"))
        return name in self._names or name == "localhost" or name.endswith(".localhost") or _is_address(name)


def _name_of(host: str) -> str:
    """Return a host without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _refusal(host: bytes) -> HttpFailure:
    shown = host[:MAX_SHOWN_LENGTH].decode("latin-1")
    return HttpFailure(HTTPStatus.BAD_REQUEST, f"The Host {shown!r} is not allowed. GQLAPI_ALLOWED_HOSTS allows names.")
