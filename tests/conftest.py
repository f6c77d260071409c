"""Fixtures: one chain, `dialect` → `database_url` → `api`, and a `folder` for commands."""

import os
import shutil
import sys
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
import structlog
import uvloop
from argon2.profiles import CHEAPEST
from hypothesis import settings as hypothesis_settings

from gqlapi.database.migrations import upgrade
from gqlapi.models import User
from gqlapi.serving.memory import relax_collector
from tests.api import Api, serve, settings_for
from tests.clocks import Deadlines
from tests.commands import keeping_logs
from tests.examples import COMMON, rounds
from tests.factories import make_user, save
from tests.pgbouncer import MODE_VARIABLE, PgBouncer
from tests.postgres import SERVER_VARIABLE, Kill, PostgresServer, PostgresUnavailable, PrivatePostgres
from tests.processes import Folder
from tests.recycling import Recycler
from tests.shared_types import share_types
from tests.signing_in import sign_in_as
from tests.written_logs import Logs

# pytest rewrites the assertions of a test file once, not in every worker of every run: that takes 2 s.
sys.dont_write_bytecode = False

hypothesis_settings.register_profile("dev", deadline=None, max_examples=rounds(COMMON))
hypothesis_settings.register_profile("ci", hypothesis_settings.get_profile("dev"), derandomize=True, database=None)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "dev")

# Ends with the test run. With pytest-xdist it holds the one server of all workers, in the controlling process.
RUN = pytest.StashKey[ExitStack]()
SERVER = pytest.StashKey[PostgresServer | PostgresUnavailable]()


def pytest_configure(config: pytest.Config) -> None:
    """Open what is closed at the end of the run."""
    share_types()
    # Else the first application would set up the logs of the whole run.
    structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])
    config.stash[RUN] = ExitStack()


def pytest_collection_finish() -> None:
    """Leave what was imported and collected to itself, as a server does: a full collection walks it for 0.5 s."""
    relax_collector()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server, if it was started."""
    config.stash[RUN].close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables that tests have recorded."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "table":
                terminalreporter.write_line(f"\n{value}")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Start the server before the first worker of pytest-xdist, and pass its address to each worker."""
    try:
        node.workerinput["postgres_url"] = _server(node.config).maintenance_url
    except PostgresUnavailable as error:
        node.workerinput["postgres_error"] = str(error)


def _server(config: pytest.Config) -> PostgresServer:
    """Return the server, which starts with the first call."""
    if SERVER not in config.stash:
        try:
            config.stash[SERVER] = _find_server(config)
        except PostgresUnavailable as error:
            config.stash[SERVER] = error
    server = config.stash[SERVER]
    if isinstance(server, PostgresUnavailable):
        raise server
    return server


def _find_server(config: pytest.Config) -> PostgresServer:
    handed_over: dict[str, str] = getattr(config, "workerinput", {})
    if message := handed_over.get("postgres_error"):
        raise PostgresUnavailable(message)
    if url := handed_over.get("postgres_url") or os.environ.get(SERVER_VARIABLE):
        return PostgresServer(url)
    return config.stash[RUN].enter_context(PrivatePostgres())


@pytest.fixture(scope="session")
def _asyncio_loop_factory() -> Callable[[], AbstractEventLoop]:
    """Run tests on the loop that `gqlapi serve` runs on, which takes a fifth less than the one of the standard library.

    The hook of pytest-asyncio would give it to asynchronous tests only; the fixtures of all others would get another.
    """
    return uvloop.new_event_loop


@pytest.fixture(autouse=True)
def cheap_hashes() -> Iterator[None]:
    """Hash passwords for next to nothing: a real hash takes some 40 ms of a processor."""
    with patch("gqlapi.accounts.passwords.PARAMETERS", CHEAPEST):
        yield


@pytest.fixture
def deadlines(monkeypatch: pytest.MonkeyPatch) -> Deadlines:
    """The deadlines of operations, which end when the test says so."""
    deadlines = Deadlines()
    monkeypatch.setattr("gqlapi.schema.server.asyncio", deadlines)
    return deadlines


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """An empty directory to run commands in; servers that still run at the end are ended."""
    path = tmp_path / "folder"
    path.mkdir()
    with Folder(path) as folder:
        yield folder


@pytest.fixture
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no settings in the environment, for commands in this process."""
    folder = tmp_path / "working directory"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in list(os.environ):
        if name.startswith("GQLAPI_") and "POSTGRES" not in name:
            monkeypatch.delenv(name)
    return folder


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Run the tests of a module once on each database."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> PostgresServer:
    """The PostgreSQL server of this run; without one the test fails, it is not skipped."""
    try:
        return _server(request.config)
    except PostgresUnavailable as error:
        pytest.fail(str(error), pytrace=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgresql_template(postgres: PostgresServer) -> AsyncIterator[str]:
    """The name of a migrated, empty database."""
    name = f"gqlapi_template_{uuid4().hex}"
    await upgrade(await postgres.create_database(name))
    yield name
    await postgres.drop_database(name)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty file."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    await upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """The URL of a file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'empty.db'}"


@pytest_asyncio.fixture
async def empty_postgresql_url(postgres: PostgresServer) -> AsyncIterator[str]:
    """The URL of a database without tables."""
    name = f"gqlapi_test_{uuid4().hex}"
    yield await postgres.create_database(name)
    await postgres.drop_database(name)


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of a fresh copy of the template."""
    path = tmp_path / "gqlapi.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def recycler(postgres: PostgresServer, postgresql_template: str) -> AsyncIterator[Recycler]:
    """Databases that are like the template."""
    recycler = Recycler(postgres, postgresql_template)
    yield recycler
    await recycler.close()


@pytest.fixture(scope="session")
def passed_on(postgres: PostgresServer) -> Iterator[Callable[[str], str]]:
    """Returns the URL by which tests use a database: through PgBouncer, where the environment says so."""
    if mode := os.environ.get(MODE_VARIABLE):
        with PgBouncer(postgres, mode) as pooler:
            yield pooler.url
    else:
        yield lambda url: url


@pytest_asyncio.fixture
async def postgresql_url(
    recycler: Recycler, postgres: PostgresServer, passed_on: Callable[[str], str]
) -> AsyncIterator[str]:
    """The URL of a database that is like a fresh copy of the template."""
    name = await recycler.take()
    yield passed_on(postgres.url(name))
    await recycler.give_back(name)


@pytest.fixture
def empty_database_url(dialect: str, request: pytest.FixtureRequest) -> str:
    """The URL of a database of this test's own without tables."""
    url: str = request.getfixturevalue(f"empty_{dialect}_url")
    return url


@pytest.fixture
def database_url(dialect: str, request: pytest.FixtureRequest) -> str:
    """The URL of a migrated database of this test's own without rows."""
    # By name, so that a run of SQLite's tests starts no PostgreSQL.
    url: str = request.getfixturevalue(f"{dialect}_url")
    return url


@pytest.fixture(scope="module")
def world_template(dialect: str, request: pytest.FixtureRequest) -> Path | tuple[PostgresServer, str]:
    """What `world_url` copies."""
    if dialect == "sqlite":
        path: Path = request.getfixturevalue("sqlite_template")
        return path
    return request.getfixturevalue("postgres"), request.getfixturevalue("postgresql_template")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world_url(
    world_template: Path | tuple[PostgresServer, str],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> AsyncIterator[str]:
    """The URL of a migrated database that the tests of a module share, because they only read what a fixture wrote."""
    if isinstance(world_template, Path):
        yield f"sqlite:///{shutil.copyfile(world_template, tmp_path_factory.mktemp('world') / 'world.db')}"
        return
    server, template = world_template
    name = f"gqlapi_world_{uuid4().hex}"
    await server.create_database(name, template)
    passed_on: Callable[[str], str] = request.getfixturevalue("passed_on")
    yield passed_on(server.url(name))
    await server.drop_database(name)


@pytest_asyncio.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    """A client of a server over an empty database."""
    async with serve(settings_for(database_url)) as client:
        yield client


@pytest.fixture
async def ada(api: Api) -> User:
    """An author of the server's."""
    ada = make_user(username="ada")
    await save(api.database, [ada])
    return ada


@pytest.fixture
async def client(api: Api, ada: User) -> Api:
    """A client that is signed in as Ada."""
    return await sign_in_as(api, ada)


@pytest.fixture
async def kill(postgresql_url: str) -> AsyncIterator[Kill]:
    """End a backend of PostgreSQL, and wait until it is gone."""
    connection = await asyncpg.connect(postgresql_url)

    async def kill(pid: int) -> None:
        assert await connection.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)

    yield kill
    await connection.close()


@pytest.fixture
def logs(capsys: pytest.CaptureFixture[str]) -> Iterator[Logs]:
    """The log; its configuration is the process's, and put back."""
    with keeping_logs():
        yield Logs(capsys)
