"""The endpoint of WebSockets: who may open one, and as whom."""

from uuid import uuid4

from starlette.types import Receive, Scope, Send

from gqlapi.http.clients import Clients, headers_of
from gqlapi.http.failures import HttpFailure
from gqlapi.http.origins import Origins
from gqlapi.http.socket import PROTOCOL, CloseCode, Peer, Socket
from gqlapi.http.subscriptions import Subscriptions


class WebSocketEndpoint:
    """Accepts sockets, which then run operations beside those of the HTTP endpoint."""

    def __init__(self, subscriptions: Subscriptions, origins: Origins) -> None:
        """Accept sockets of these origins, and of programs that are no browsers."""
        self._subscriptions = subscriptions
        self._origins = origins
        self._clients = Clients()
        # How many sockets there are.
        self.open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket until one side closes it."""
        await receive()  # websocket.connect
        headers = headers_of(scope)
        try:
            self._origins.check(headers)
        except HttpFailure:
            await send({"type": "websocket.close"})  # before it is accepted: the response is 403
            return
        if PROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            reason = f"Subprotocol not acceptable: use {PROTOCOL}"
            await send({"type": "websocket.close", "code": CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, "reason": reason})
            return
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        peer = Peer(headers, lambda given: self._clients.client_of(scope, given), str(uuid4()))
        self.open += 1
        try:
            await Socket(self._subscriptions, peer, receive, send).serve()
        finally:
            self.open -= 1
