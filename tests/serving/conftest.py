"""A server of the small application."""

from collections.abc import Iterator

import pytest

from tests.processes import Folder, Server
from tests.serving.clients import start_application

TIMEOUT_SECONDS = 1.5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of one process with short deadlines."""
    with Folder(tmp_path_factory.mktemp("server")) as folder:
        server = start_application(
            folder,
            receive_timeout_seconds=TIMEOUT_SECONDS,
            send_timeout_seconds=TIMEOUT_SECONDS,
            keep_alive_seconds=TIMEOUT_SECONDS,
            max_receiving_bytes=1_000_000,
        )
        server.wait_until_ready()
        yield server
        assert "Traceback" not in server.log.read_text()
