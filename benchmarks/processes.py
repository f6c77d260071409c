"""Servers as processes: started, watched and ended, with the processes that they start themselves."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.attacks.processes import START_SECONDS, STOP_SECONDS, cpu_seconds_of, memory_of

PROBE = {"query": "query W5 { __typename }", "operationName": "W5"}
PARENT = 1  # of /proc/<pid>/stat behind the name, from 0
IDLE = slice(3, 5)  # idle and iowait of /proc/stat, from 0
TIMES = 8  # user to steal; guests are counted in user


class ServerFailed(Exception):
    """A server did not start; the text is the end of its log."""


def tree(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with suppress(OSError):
                parent = int((path / "stat").read_text().rpartition(")")[2].split()[PARENT])
                children.setdefault(parent, []).append(int(path.name))
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found


class CpuClock:
    """The CPU time of a process and its descendants; what ended in the meantime counts as far as it was seen."""

    def __init__(self, pid: int) -> None:
        """Watch a process."""
        self._pid = pid
        self._seen: dict[int, float] = {}

    def seconds(self) -> float:
        """Return the time so far."""
        self._seen |= {pid: cpu_seconds_of(pid) or self._seen.get(pid, 0) for pid in tree(self._pid)}
        return sum(self._seen.values())


def machine_seconds() -> float:
    """Return the time that all processors of the machine have been busy."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1 : TIMES + 1]]
    return (sum(fields) - sum(fields[IDLE])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs."""

    pid: int
    url: str

    def memory_mb(self, name: str = "VmRSS") -> float:
        """Return the resident memory of its processes."""
        return sum(memory_of(pid, name) for pid in tree(self.pid))


@contextmanager
def running(
    command: Callable[[int], Sequence[str]], environment: Mapping[str, str], folder: Path, log: Path
) -> Iterator[Running]:
    """Run a server on a free port for the length of a block, and wait until it answers.

    Raises:
        ServerFailed: it did not.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GQLAPI_")}
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own commands
            command(port),
            cwd=folder,
            env={**clean, **environment},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        server = Running(process.pid, f"http://127.0.0.1:{port}")
        _wait_until_ready(server, process, log)
        yield server
    finally:
        _end(process)


def _wait_until_ready(server: Running, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(base_url=server.url) as http:
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(httpx.TransportError):
                if http.post("/graphql", json=PROBE).is_success:
                    return
            time.sleep(0.05)
    raise ServerFailed(f"a server did not start:\n{log.read_text()[-2_000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server and what it started; the session that it leads is ours alone."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
