"""Servers as processes, and what Linux knows of their time and memory."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

START_SECONDS = 60
STOP_SECONDS = 30
MEGABYTE = 1024 * 1024
# Attacks on signing in would be refused after a few.
SETTINGS = {
    "GQLAPI_SIGN_IN_LIMIT": "1000000/minute",
    "GQLAPI_SIGN_IN_ADDRESS_LIMIT": "1000000/minute",
    "GQLAPI_SIGN_UP_LIMIT": "1000000/minute",
    "GQLAPI_LOG_LEVEL": "error",
    "GQLAPI_STOP_GRACE_SECONDS": "0",
}


@dataclass(frozen=True, slots=True)
class Service:
    """A running `gqlapi serve`."""

    process: subprocess.Popen[bytes]
    url: str

    @property
    def worker_pids(self) -> list[int]:
        """The processes that answer: the children, or the process itself when it has none."""
        pid = self.process.pid
        # The first child of a supervisor may be the tracker of Python's shared resources.
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(child) for child in children if "resource_tracker" not in _command(child)] or [pid]

    @property
    def cpu_seconds(self) -> float:
        """The CPU time of all workers."""
        return sum(cpu_seconds_of(pid) for pid in self.worker_pids)

    def memory(self, name: str = "VmRSS") -> float:
        """Return the resident memory of all workers in MB, or its peak: `VmHWM`."""
        return sum(memory_of(pid, name) for pid in self.worker_pids)

    def reset_peak(self) -> None:
        """Begin a new peak of memory (proc(5), `clear_refs`)."""
        for pid in self.worker_pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")


def _command(pid: str) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def cpu_seconds_of(pid: int) -> float:
    """Return the CPU time that a process has used."""
    with suppress(OSError):
        # The clock of another process, as clock_getcpuclockid(3) makes its number.
        return time.clock_gettime((~pid << 3) | 2)
    return 0


def memory_of(pid: int, name: str) -> float:
    """Return the resident memory of a process in MB, or its peak: `VmHWM`."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024 / MEGABYTE
    return 0


@contextmanager
def serving(
    database_url: str,
    folder: Path,
    workers: int = 1,
    program: Sequence[str] = ("-m", "gqlapi"),
    settings: Mapping[str, str] = SETTINGS,
) -> Iterator[Service]:
    """Run a server in production mode, by `gqlapi` or a program like it; one that does not stop is killed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GQLAPI_")}
    environment = (
        clean | dict(settings) | {"GQLAPI_DATABASE_URL": database_url, "GQLAPI_SECRET_KEY": secrets.token_hex(32)}
    )
    command = [sys.executable, *program, "serve", "--workers", str(workers), "--port", str(port)]
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)  # noqa: S603 - our own command
    service = Service(process, f"http://127.0.0.1:{port}")
    try:
        _wait_until_ready(service)
        yield service
    finally:
        _end(service)


def _wait_until_ready(service: Service) -> None:
    end = time.monotonic() + START_SECONDS
    with httpx.Client(base_url=service.url) as http:
        while time.monotonic() < end and service.process.poll() is None:
            with suppress(httpx.TransportError):
                if http.get("/readyz").is_success:
                    return
            time.sleep(0.05)
    sys.exit("The server did not start.")


def _end(service: Service) -> None:
    """End a server within a second if it is idle; what still computes for an attack is killed."""
    workers = service.worker_pids if service.process.poll() is None else []
    service.process.terminate()
    try:
        service.process.wait(1)
    except subprocess.TimeoutExpired:
        for pid in {*workers, service.process.pid}:
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        service.process.wait(STOP_SECONDS)
