"""One WebSocket: uvicorn's protocol, within the limits of all connections."""

from typing import Any

from uvicorn import Config
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.exceptions import InvalidState
from websockets.frames import CloseCode, Frame

from gqlapi.serving.connections import Connections
from gqlapi.serving.guarded import GuardedConnection

# Pings, and continuations of messages.
MAX_FRAMES_PER_SECOND = 200


class BoundedWebSocket(GuardedConnection, WebSocketsSansIOProtocol):
    """Receives messages one at a time, sends them as fast as the client takes them, and counts as a connection.

    There is no deadline: the application closes sockets that say nothing.
    """

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], *, guard: Connections
    ) -> None:
        super().__init__(config, server_state, app_state)
        self._guard = guard
        self._second = self._frames = 0

    def handle_ping(self) -> None:
        if self._may_have_frame():
            super().handle_ping()

    def handle_cont(self, event: Frame) -> None:
        if self._may_have_frame():
            super().handle_cont(event)

    def _may_have_frame(self) -> bool:
        """Count frames that are no messages: the application counts those. Too many close the socket."""
        second = int(self.loop.time())
        if second != self._second:
            self._second, self._frames = second, 0
        self._frames += 1
        if self._frames > MAX_FRAMES_PER_SECOND and not self.close_sent:
            self._close(CloseCode.POLICY_VIOLATION, "Too many frames")
            self.transport.close()
        return self._frames <= MAX_FRAMES_PER_SECOND

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if message["type"] == "websocket.accept":
            # Of no use from now on; the headers of both take 4 kB.
            self.request = self.response = self.scope["headers"] = ()  # type: ignore[assignment]  # uvicorn reads none again

    def shutdown(self) -> None:
        """Close with 1001, going away: clients connect again, to another server."""
        self.stop_keepalive()
        if not self.handshake_complete:
            self.send_500_response()
        elif not self.close_sent:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": int(CloseCode.GOING_AWAY)})
            self._close(CloseCode.GOING_AWAY, "The server shuts down.")
        self.transport.close()

    def _close(self, code: int, reason: str) -> None:
        try:
            self.conn.send_close(code, reason)
        except InvalidState:
            return
        self.close_sent = True
        self.transport.write(b"".join(self.conn.data_to_send()))
