"""What both kinds of connections share: `Connections` forgets one that closes, and a slow reader is dropped."""

import asyncio
from math import inf

import structlog

from gqlapi.serving.connections import Connections
from gqlapi.serving.limits import MIN_BYTES_PER_SECOND
from gqlapi.serving.statistics import STATISTICS

logger = structlog.get_logger()


class GuardedConnection(asyncio.Protocol):
    """Mixed into a protocol of uvicorn's, which sets `_guard` before it is connected."""

    deadline = inf
    transport: asyncio.Transport
    client: tuple[str, int] | None
    _guard: Connections
    _send_deadline = inf
    _unsent_goal = 0

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._guard.remove(self)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._guard.stall(self)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._guard.resume(self)

    def unsent_bytes(self) -> int:
        return self.transport.get_write_buffer_size()

    def evict(self) -> None:
        self.transport.abort()

    def drop_slow_reader(self) -> None:
        STATISTICS.refusals["slow_reader"] += 1
        logger.info("slow reader dropped", client=self._client_address(), unsent=self.unsent_bytes())
        self.transport.abort()

    def check_sending(self, now: float) -> None:
        unsent = self.unsent_bytes()
        timeout = self._guard.limits.send_timeout_seconds
        if not unsent:
            self._send_deadline = inf
        elif self._send_deadline == inf or unsent <= self._unsent_goal:
            self._send_deadline = now + timeout
            self._unsent_goal = max(0, unsent - int(MIN_BYTES_PER_SECOND * timeout))
        elif now >= self._send_deadline:
            self.drop_slow_reader()

    def expire(self, now: float) -> None:
        """Do nothing: a connection has no deadline until its protocol sets one."""

    def _client_address(self) -> str:
        return self.client[0] if self.client else ""
