"""A folder to run commands in, and servers as a person runs them: real processes, on free ports."""

import contextlib
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from tests.api import NO_TLS, internals_in
from tests.commands import environment_of, run_command

GQLAPI = Path(sys.executable).parent / "gqlapi"
START_SECONDS = 10
STOP_SECONDS = 5


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Server:
    """A running server, and what it has written."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log
        self.url = f"http://127.0.0.1:{port}"

    def wait_until_ready(self, path: str = "/readyz") -> float:
        """Return after how many seconds it was ready; with `/healthz`, regardless of its database."""
        started = time.monotonic()
        with self.client() as http:
            while time.monotonic() - started < 3 * START_SECONDS:
                assert self.process.poll() is None, self.log.read_text()
                try:
                    if http.get(path).status_code == 200:
                        return time.monotonic() - started
                except httpx.TransportError:
                    time.sleep(0.05)
        pytest.fail(self.log.read_text())

    def wait_until_logged(self, text: str, *, times: int) -> str:
        """Return the log once it holds a text so many times."""
        started = time.monotonic()
        while (log := self.log.read_text()).count(text) < times:
            assert time.monotonic() - started < 3 * START_SECONDS, log
            time.sleep(0.05)
        return log

    def execute(self, query: str) -> Any:
        with self.client() as http:
            response = http.post("/graphql", json={"query": query})
        assert internals_in(response) == []
        return response.json()["data"]

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=NO_TLS)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Return the exit code, and how many seconds the end took."""
        started = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(3 * STOP_SECONDS), time.monotonic() - started


class Folder:
    """An empty directory to run commands in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GQLAPI_")}
        # Without npm: a development server in a checkout builds GraphiQL when it can.
        clean.pop("PYTHONDONTWRITEBYTECODE", None)  # so many processes would compile everything anew
        # No load balancer has to learn of the end of a server.
        self.environment = clean | {"NO_COLOR": "1", "PATH": str(GQLAPI.parent), "GQLAPI_STOP_GRACE_SECONDS": "0"}
        self.servers: list[Server] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            if server.process.poll() is None:
                server.stop()

    def run(
        self, *arguments: str, standard_input: str | None = None, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in this process."""
        return run_command(*arguments, settings=settings, folder=self.path, standard_input=standard_input)

    def run_process(
        self, *command: str | Path, standard_input: str | None = None, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program, or a command as a person runs it."""
        return subprocess.run(
            command,
            cwd=self.path,
            env=self.environment | environment_of(settings),
            input=standard_input,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def converse(self, *arguments: str, answers: Iterable[tuple[str, str]]) -> tuple[int, str]:
        """Run a command at a terminal and type each answer after its prompt; return the exit code and the screen."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [GQLAPI, *arguments],
            cwd=self.path,
            env=self.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,  # away from the terminal of the person who runs the tests
        )
        os.close(theirs)
        with os.fdopen(ours, "r+b", buffering=0) as terminal:
            shown = b""
            for prompt, answer in answers:
                while not shown.endswith(prompt.encode()):
                    shown += terminal.read(1)
                terminal.write(f"{answer}\n".encode())
            with contextlib.suppress(OSError):  # how Linux says that the other end is closed
                while more := terminal.read(1024):
                    shown += more
        return process.wait(), shown.decode()

    def start(self, *arguments: str, **settings: str) -> Server:
        return self.start_program(GQLAPI, *arguments, settings=settings)

    def start_program(
        self, *command: str | Path, open_files: int | None = None, settings: dict[str, str] | None = None
    ) -> Server:
        """Start a program that takes its port as an option, optionally with a limit of open files."""
        port, log = free_port(), self.path / f"server{len(self.servers)}.log"
        prefix = () if open_files is None else ("/bin/sh", "-c", f'ulimit -n {open_files}; exec "$@"', "sh")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*prefix, *command, "--port", str(port)],
                cwd=self.path,
                env=self.environment | environment_of(settings or {}),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.servers.append(Server(process, port, log))
        return self.servers[-1]
