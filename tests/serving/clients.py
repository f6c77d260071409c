"""Clients that speak HTTP badly, over real sockets."""

import contextlib
import json
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from tests.processes import Folder, Server

APPLICATION = Path(__file__).with_name("application.py")
HEAD = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n"
PATIENCE_SECONDS = 20


def start_application(folder: Folder, *options: str, open_files: int | None = None, **limits: float) -> Server:
    """Start the application of `application.py` with its own limits."""
    command = [sys.executable, str(APPLICATION), *options, "--limits", json.dumps(limits)]
    return folder.start_program(*command, open_files=open_files)


class Client:
    """One connection."""

    def __init__(self, server: Server, sent: bytes = b"") -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS)
        self.send(sent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_until_closed(self, data: bytes, *, at_most: int) -> int:
        """Send the same again and again; return how many bytes were taken."""
        taken = 0
        with contextlib.suppress(ConnectionError):
            while taken < at_most:
                taken += self.socket.send(data)
        return taken

    def receive_all(self) -> bytes:
        """Return what arrives until the server closes."""
        received = bytearray()
        with contextlib.suppress(ConnectionError):
            while data := self.socket.recv(65_536):
                received += data
        return bytes(received)

    def receive_answers(self) -> list["Answer"]:
        """Return the answers that arrive until the server closes."""
        received, answers = self.receive_all(), []
        while received:
            answer = Answer(received)
            answers.append(answer)
            received = received[answer.size :]
        return answers


@contextlib.contextmanager
def many_clients(server: Server, sent: bytes, *, number: int) -> Iterator[list[Client]]:
    """Connect several clients that send the same."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Client(server, sent)) for _ in range(number)]


class Answer:
    """The first response in what a server has sent; its length must be declared."""

    def __init__(self, received: bytes) -> None:
        head, _, rest = received.partition(b"\r\n\r\n")
        self.status = int(head.split()[1])
        self.head = head.decode().lower()
        length = re.search(r"content-length: (\d+)", self.head)
        assert length is not None, self.head
        self.body = rest[: int(length[1])]
        self.size = len(head) + 4 + int(length[1])

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Return the code of the error, which must be the only one."""
        [error] = self.json["errors"]
        assert error["message"].endswith(".")
        return str(error["extensions"]["code"])


def exchange(server: Server, sent: bytes) -> list[Answer]:
    """Send bytes on a new connection, and return all answers once the server has closed it."""
    with Client(server, sent) as client:
        return client.receive_answers()


def request(server: Server, path: str = "readyz") -> Answer:
    """Send an ordinary request on a new connection."""
    [answer] = exchange(server, HEAD % path.encode() + b"Connection: close\r\n\r\n")
    return answer


def resident_megabytes(server: Server) -> float:
    """Return the memory of a server of one process."""
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    [kilobytes] = re.findall(r"VmRSS:\s+(\d+) kB", status)
    return int(kilobytes) / 1024
