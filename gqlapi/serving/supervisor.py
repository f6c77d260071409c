"""The parent of several workers."""

import itertools
import socket
import time
from typing import Protocol

import structlog
from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from gqlapi.serving.stopping import announce_to

SIGNAL_SECONDS = 0.1
HEALTH_CHECK_TICKS = 5
# Workers that die one after the other before one is ready: the next ones will.
MAX_VAIN_STARTS = 5

logger = structlog.get_logger()


class WorkerObserver(Protocol):
    """What learns of the end of workers."""

    def note_end(self, pid: int, *, has_died: bool) -> None:
        """Note that a worker has ended: by itself, or because it was replaced."""


class Supervisor(Multiprocess):
    """Starts workers, replaces those that die, and ends them all in time."""

    def __init__(
        self,
        config: Config,
        sockets: list[socket.socket],
        shutdown_seconds: float,
        observer: WorkerObserver | None = None,
    ) -> None:
        super().__init__(config, sockets)
        self._observer = observer
        self._pids: set[int] = set()
        self._shutdown_seconds = shutdown_seconds
        self._vain_starts = 0

    def run(self) -> bool:  # type: ignore[override]  # uvicorn's returns nothing
        """Supervise until a signal arrives; return whether the workers could start."""
        self.init_processes()
        for tick in itertools.count(1):
            if self.should_exit.wait(SIGNAL_SECONDS):
                break
            self.handle_signals()
            if tick % HEALTH_CHECK_TICKS == 0:
                self.keep_subprocess_alive()
        failed = any(process.exitcode == STARTUP_FAILURE for process in self.processes)
        self.terminate_all()
        self.join_all()
        return not failed and self._vain_starts < MAX_VAIN_STARTS

    def init_processes(self) -> None:
        super().init_processes()
        self._close_ends()

    def _close_ends(self) -> None:
        """Close the workers' ends of the pipes: while they are open here, the end of a worker is not seen.

        A worker that ended between two looks at it would be waited for as if it were busy.
        """
        for process in self.processes:
            process.child_conn.close()

    def keep_subprocess_alive(self) -> None:
        before = [*self.processes]
        super().keep_subprocess_alive()
        self._close_ends()
        for old, new in zip(before, self.processes, strict=True):
            if old is not new:
                logger.warning("worker died", pid=old.pid, exit_code=old.exitcode, replaced_by=new.pid)
                self._vain_starts += 1
        if self._vain_starts:
            self._check_starts()
        self._report_ends(died={old.pid for old, new in zip(before, self.processes, strict=True) if old is not new})

    def _report_ends(self, died: set[int | None]) -> None:
        pids = {process.pid for process in self.processes if process.pid is not None}
        if self._observer is not None:
            for pid in self._pids - pids:
                self._observer.note_end(pid, has_died=pid in died)
        self._pids = pids

    def _check_starts(self) -> None:
        """Stop where workers die before they are ready: a supervisor of this process sees that it cannot serve."""
        if any(process.is_ready(self.config.timeout_worker_healthcheck) for process in self.processes):
            self._vain_starts = 0
        elif self._vain_starts >= MAX_VAIN_STARTS:
            logger.error("workers die before they are ready", starts=self._vain_starts)
            self.should_exit.set()

    def terminate_all(self) -> None:
        # The workers close the sockets that they have; while one is open here, the kernel accepts for it.
        for listener in self.sockets:
            listener.close()
        for process in self.processes:
            if process.pid is not None and process.exitcode is None:
                announce_to(process.pid)
        super().terminate_all()

    def join_all(self) -> None:
        deadline = time.monotonic() + self._shutdown_seconds
        for process in self.processes:
            process.process.join(max(0.0, deadline - time.monotonic()))
            if process.exitcode is None:
                logger.error("worker did not end in time", pid=process.pid)
                process.kill()
                process.join()
