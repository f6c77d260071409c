"""The commands of docs/backups.md, run as they are written: backups are restored, and `gqlapi doctor` looks at them."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gqlapi.database.migrations import upgrade
from gqlapi.database.unit import Database
from tests.api import serve, settings_for
from tests.architecture import ROOT
from tests.factories import make_post, make_tag, make_user, save
from tests.guide import BLOCK
from tests.postgres import OPTIONS, PrivatePostgres, find_binaries

COMMANDS = {title: code for _, title, code in BLOCK.findall((ROOT / "docs" / "backups.md").read_text()) if title}
ROWS = (
    '{ posts { totalCount nodes { title tags { name } } } search(query: "quince", first: 9) { nodes { __typename } } }'
)
WAIT_SECONDS = 30


class Shell:
    """Runs commands of the page, with what they name in the environment."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        programs = f"{Path(sys.executable).parent}:{find_binaries()}"
        common = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder), "GQLAPI_PORT": "0"}
        self.environment = {**common, **environment}
        # Whose programs PostgreSQL's are: root may not run a server.
        self.account: dict[str, Any] = {}

    async def run(self, title: str, **environment: str) -> str:
        """Run a block, and return its output."""

        def call() -> subprocess.CompletedProcess[str]:
            account = {name: value for name, value in self.account.items() if name not in {"cwd", "env"}}
            command = ["sh", "-euc", COMMANDS[title]]
            environment_ = {**self.environment, **environment}
            return subprocess.run(
                command, cwd=self.folder, env=environment_, capture_output=True, text=True, check=False, **account
            )

        done = await asyncio.to_thread(call)
        logs = [path.read_text() for path in self.folder.glob("restored/log")]
        assert done.returncode == 0, (done.stdout, done.stderr, logs)
        return done.stdout


async def fill(url: str, *titles: str) -> None:
    database = Database(url)
    ada, tag = make_user(), make_tag()
    await save(database, [ada, tag, *(make_post(ada, tag, title=title) for title in titles)])
    await database.dispose()


async def rows(url: str) -> Any:
    async with serve(settings_for(url)) as api:
        return await api.data(ROWS)


@pytest.fixture
def archiving() -> Iterator[tuple[PrivatePostgres, str]]:
    """A server that archives its log, and the URL of its maintenance database."""
    private = PrivatePostgres()
    private.options = {
        **OPTIONS,
        "wal_level": "replica",
        "max_wal_senders": "3",
        "archive_mode": "on",
        # The folder is known when the server starts: its working directory is its data.
        "archive_command": "mkdir -p ../backups/wal && cp %p ../backups/wal/%f",
    }
    with private as server:
        yield private, server.maintenance_url


async def test_a_dump_is_restored(tmp_path: Path, archiving: tuple[PrivatePostgres, str]) -> None:
    _, maintenance_url = archiving
    port = maintenance_url.rpartition(":")[2].partition("/")[0]
    shell = Shell(tmp_path, BACKUPS=str(tmp_path), PGHOST="127.0.0.1", PGPORT=port, PGUSER="postgres")
    await execute(maintenance_url, "CREATE DATABASE gqlapi")
    url = f"postgresql://postgres@127.0.0.1:{port}/gqlapi"
    await upgrade(url)
    await fill(url, "Quince", "Apple")
    expected = await rows(url)
    await shell.run("dump")
    await fill(url, "Later")
    found = await shell.run("restore")
    assert " error " not in found
    assert await rows(url + "_drill") == expected


async def test_a_moment_is_restored(archiving: tuple[PrivatePostgres, str]) -> None:
    private, maintenance_url = archiving
    port = maintenance_url.rpartition(":")[2].partition("/")[0]
    folder = private.folder
    url = f"postgresql://postgres@127.0.0.1:{port}/gqlapi"
    await execute(maintenance_url, "CREATE DATABASE gqlapi")
    await upgrade(url)
    restored = folder / "restored"
    places = {"BACKUPS": str(folder / "backups"), "RESTORED": str(restored)}
    shell = Shell(folder, PGHOST="127.0.0.1", PGPORT=port, PGUSER="postgres", **places)
    shell.account = private.account
    await shell.run("base")
    await fill(url, "Quince", "Apple")
    expected = await rows(url)
    moment = await value(url, "SELECT clock_timestamp()::text")
    await execute(url, "DELETE FROM post_tags; DELETE FROM posts")
    segment = await value(url, "SELECT pg_walfile_name(pg_switch_wal())")
    async with asyncio.timeout(WAIT_SECONDS):
        while not (folder / "backups" / "wal" / segment).exists():
            await asyncio.sleep(0.02)
    with (folder / "backups" / "base" / "postgresql.conf").open("a") as configuration:
        # Those of the command line are not in the backup.
        configuration.write(f"\nunix_socket_directories = '{folder}'\nmax_connections = 200\n")
    process = private.process
    assert process is not None
    process.terminate()
    await asyncio.to_thread(process.wait)
    try:
        await shell.run("rewind", MOMENT=moment)
        async with asyncio.timeout(WAIT_SECONDS):
            while await value(url, "SELECT pg_is_in_recovery()"):
                await asyncio.sleep(0.02)
        assert await rows(url) == expected
    finally:
        await asyncio.to_thread(stop, find_binaries(), restored, private.account)


def stop(binaries: Path, data: Path, account: dict[str, Any]) -> None:
    command = [str(binaries / "pg_ctl"), "stop", "--mode=immediate", f"--pgdata={data}"]
    subprocess.run(command, capture_output=True, check=False, **account)


async def test_a_file_is_restored(sqlite_url: str, tmp_path: Path) -> None:
    await fill(sqlite_url, "Quince", "Apple")
    expected = await rows(sqlite_url)
    shell = Shell(tmp_path)
    async with serve(settings_for(sqlite_url)) as api:
        writer = await api.database.write_engine.connect()  # the newest rows are in the log as long as it is open
        await writer.exec_driver_sql("SELECT 1")
        await shell.run("sqlite")
        await writer.close()
    await fill(sqlite_url, "Later")
    found = await shell.run("sqlite-restore")
    assert " error " not in found
    assert await rows(f"sqlite:///{tmp_path / 'restored.db'}") == expected


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


async def value(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url)
    found = await connection.fetchval(statement)
    await connection.close()
    return found
