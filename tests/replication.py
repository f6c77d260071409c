"""A primary and a replica that follows it by streaming replication, made from one copy of an empty cluster."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
import sqlalchemy as sa

from tests.postgres import OPTIONS, PostgresServer, PrivatePostgres, account_for, memory

# A commit is on the way to the replica when it is acknowledged; nothing is forced to the disk all the same.
REPLICATED = {
    **OPTIONS,
    "wal_level": "replica",
    "max_wal_senders": "4",
    "synchronous_commit": "on",
    "wal_keep_size": "256MB",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "100ms",
}


class Replication(NamedTuple):
    """A running primary, and its replica, which a test may stop and start again."""

    primary: PostgresServer
    replica: "Standby"
    kill_primary: Callable[[], None]


class Standby:
    """The replica: always at the same port, so that its URL stays the same."""

    def __init__(self, folder: Path, primary: PostgresServer) -> None:
        url = sa.make_url(primary.maintenance_url)
        source = f"host={url.host} port={url.port} user={url.username}"
        # Late enough that a read right after a write is stale, unless it waits.
        options = {**REPLICATED, "primary_conninfo": source, "recovery_min_apply_delay": "10ms"}
        self._server = PrivatePostgres(options=options, folder=folder)
        self.server: PostgresServer | None = None
        self._port: int | None = None

    def start(self) -> PostgresServer:
        """Start it, the first time at any port."""
        self._server.port = self._port
        self.server = self._server.__enter__()
        self._port = sa.make_url(self.server.maintenance_url).port
        return self.server

    def url(self, primary_url: str) -> str:
        """Return the URL of the copy of a database."""
        assert self.server is not None
        return self.server.url(str(sa.make_url(primary_url).database))

    def stop(self) -> None:
        self._server.stop()

    async def execute(self, statement: str) -> None:
        """Execute a statement on it."""
        assert self.server is not None
        connection = await asyncpg.connect(self.server.maintenance_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def replication() -> Iterator[Replication]:
    """Run both servers for the length of the block."""
    folder = Path(tempfile.mkdtemp(prefix="gqlapi-replication-", dir=memory()))
    account_for(folder)
    try:
        with PrivatePostgres(options=REPLICATED, folder=folder / "primary"):
            pass  # makes the cluster; what is stopped can be copied file by file
        shutil.copytree(folder / "primary" / "data", folder / "replica" / "data")
        (folder / "replica" / "data" / "standby.signal").touch()
        for path in (folder / "replica").rglob("*"):
            account_for(path)
        server = PrivatePostgres(options=REPLICATED, folder=folder / "primary")
        with server as primary:
            replica = Standby(folder / "replica", primary)
            replica.start()
            try:
                yield Replication(primary, replica, server.kill)
            finally:
                replica.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
