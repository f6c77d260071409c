"""Starts uvicorn with bounded connections and a bounded shutdown."""

import asyncio
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any, NoReturn

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.lifespan.on import LifespanOn
from uvicorn.server import ServerState
from uvicorn.supervisors import ChangeReload

from gqlapi.serving.connections import Connections
from gqlapi.serving.limits import MAX_MESSAGE_BYTES, ConnectionLimits
from gqlapi.serving.memory import relax_collector, return_freed_memory, start_trimming, without_collector
from gqlapi.serving.protocol import BoundedProtocol
from gqlapi.serving.stopping import STATE_KEY, Stopping, StopSignals
from gqlapi.serving.supervisor import Supervisor, WorkerObserver

# For requests in flight, and then for what the application closes; a worker ends within the sum of both.
GRACEFUL_SHUTDOWN_SECONDS = 25
CLOSE_SECONDS = 3
# After this long a worker that does not answer its supervisor is killed; uvicorn's 5 are too few on a busy machine.
WORKER_START_SECONDS = 30

logger = structlog.get_logger()


class BoundedLifespan(LifespanOn):
    """Relaxes the garbage collector at the start; ends the process when the application takes too long to end."""

    async def startup(self) -> None:
        config, stopping = self.config, Stopping()
        assert isinstance(config, ServerConfig)  # noqa: S101 - it is the one who names this class
        self.state[STATE_KEY] = stopping
        StopSignals(stopping, config.grace_seconds, is_supervised=config.workers > 1).install()
        await super().startup()
        relax_collector()
        start_trimming()

    async def shutdown(self) -> None:
        watchdog = threading.Timer(CLOSE_SECONDS, _abandon)
        watchdog.daemon = True
        watchdog.start()
        await super().shutdown()


class ServerConfig(uvicorn.Config):
    """The configuration of a server; reloader and workers receive it pickled."""

    def __init__(self, app: str, limits: ConnectionLimits, *, grace_seconds: float = 0.0, **options: Any) -> None:
        self.grace_seconds = grace_seconds
        super().__init__(
            app,
            factory=True,
            http=ProtocolFactory(limits),  # type: ignore[arg-type] # uvicorn calls it as it calls a class
            # Our own protocol hands upgrades over to it.
            ws="websockets-sansio",
            ws_max_size=MAX_MESSAGE_BYTES,
            # It would take 70 KB for each socket.
            ws_per_message_deflate=False,
            log_config=None,
            access_log=False,
            # The application has its own setting for trusted proxies, under any ASGI server.
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_SECONDS,
            timeout_worker_healthcheck=WORKER_START_SECONDS,
            **options,
        )

    def load(self) -> None:
        return_freed_memory()
        try:
            with without_collector():
                super().load()
        except Exception:
            logger.exception("the application cannot be loaded")
            # With any other status a supervisor would start the worker again and again.
            sys.exit(STARTUP_FAILURE)
        self.lifespan_class = BoundedLifespan


class ProtocolFactory:
    """Creates the protocols of one process, which share their limits."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._connections = Connections(limits)

    def __call__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> BoundedProtocol:
        """Create the protocol of a new connection."""
        return BoundedProtocol(config, server_state, app_state, _loop, guard=self._connections)


def serve(config: ServerConfig, observer: WorkerObserver | None = None) -> NoReturn:
    """Serve until a signal ends it, then exit: with 0, or with uvicorn's status when it could not serve."""
    # After an orderly shutdown uvicorn raises the signal again, which would make the exit a failure.
    signal.signal(signal.SIGTERM, _exit_cleanly)
    server = uvicorn.Server(config)
    started = True
    try:
        if config.should_reload:
            ChangeReload(config, target=server.run, sockets=[config.bind_socket()]).run()
        elif config.workers > 1:
            shutdown_seconds = config.grace_seconds + GRACEFUL_SHUTDOWN_SECONDS + CLOSE_SECONDS
            started = Supervisor(config, [config.bind_socket()], shutdown_seconds, observer).run()
        else:
            server.run()
            started = server.started
    except KeyboardInterrupt:
        pass
    sys.exit(0 if started else STARTUP_FAILURE)


def _exit_cleanly(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _abandon() -> NoReturn:
    logger.error("shutdown took too long; what was open is abandoned")
    os._exit(0)
