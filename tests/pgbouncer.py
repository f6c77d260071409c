"""PgBouncer in front of the PostgreSQL of the tests, in each of its modes; the project itself does not need it."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from tests.postgres import STOP_TIMEOUT_SECONDS, PostgresServer, account_for, free_port

# Where another version than the system's is to be tested.
PROGRAM_VARIABLE = "GQLAPI_PGBOUNCER"
# The mode in which the tests that use PostgreSQL go through PgBouncer.
MODE_VARIABLE = "GQLAPI_TEST_POOLER"
# Debian has it where only root looks for commands.
PGBOUNCER = os.environ.get(PROGRAM_VARIABLE) or shutil.which(
    "pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin"
)
START_TIMEOUT_SECONDS = 10
# Fewer backends than connections in transaction mode: each transaction may have another one.
CONFIGURATION = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
logfile = {folder}/log
pool_mode = {mode}
default_pool_size = {pool_size}
max_client_conn = 1000
query_wait_timeout = 60
{more}
"""


class PgBouncer:
    """A running PgBouncer on 127.0.0.1, for the length of a `with` block."""

    def __init__(
        self, server: PostgresServer, mode: str = "transaction", *, pool_size: int = 20, more: str = ""
    ) -> None:
        self.server = sa.make_url(server.maintenance_url)
        self.mode = mode
        self.pool_size = pool_size
        self.more = more
        self.port = 0
        self.process: subprocess.Popen[Any] | None = None

    def url(self, direct: str) -> str:
        """Return the URL of a database through PgBouncer."""
        url = sa.make_url(direct).set(host="127.0.0.1", port=self.port)
        return url.render_as_string(hide_password=False)

    def __enter__(self) -> Self:
        assert PGBOUNCER is not None
        self.folder = Path(tempfile.mkdtemp(prefix="gqlapi-pgbouncer-"))
        account = account_for(self.folder)
        self.port = free_port()
        configuration = CONFIGURATION.format(
            host=self.server.host,
            port=self.server.port,
            own_port=self.port,
            folder=self.folder,
            mode=self.mode,
            pool_size=self.pool_size,
            more=self.more,
        )
        (self.folder / "pgbouncer.ini").write_text(configuration)
        (self.folder / "users").write_text('"postgres" ""\n"powerless" ""\n')
        self.start(account)
        return self

    def start(self, account: dict[str, Any] | None = None) -> None:
        """Start the program; the second time as it was before."""
        if account is not None:
            self._account = account
        log = (self.folder / "output").open("wb")
        with log:
            self.process = subprocess.Popen(
                [str(PGBOUNCER), f"{self.folder}/pgbouncer.ini"], stdout=log, stderr=log, **self._account
            )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.01)
            else:
                return
        raise AssertionError((self.folder / "output").read_text())

    def kill(self) -> None:
        """End it at once, as a crash does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(STOP_TIMEOUT_SECONDS)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
