"""The database of the benchmark: seeded once by the project's own commands, and copied for each run."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg

from gqlapi.models.global_id import GlobalId
from tests.postgres import PostgresServer, PrivatePostgres

USERS, POSTS, TAGS, SEED = 10_000, 100_000, 1_000, 1
SEEDED = f"gqlapi_benchmark_seeded_{USERS}_{POSTS}_{TAGS}_{SEED}"
# A server as one would run it, except that nothing but the benchmark causes work: everything reaches the disk.
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "512MB",
    "work_mem": "16MB",
    "max_connections": "100",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "jit": "off",
}
NEWEST_AUTHOR = "SELECT id, username FROM users WHERE role = 'author' ORDER BY id DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A seeded database, an author and their API token, and PostgreSQL's process if it is ours."""

    url: str
    author_id: str
    token: str
    version: str
    postgres_pid: int | None


@contextmanager
def prepared(maintenance_url: str | None, data: Path | None, folder: Path) -> Iterator[Prepared]:
    """Start PostgreSQL, or use one by a URL; seed a database and drop its copy at the end.

    A private server in a `data` folder keeps the seeded database for the next run.
    """
    if maintenance_url is not None:
        with _copied(PostgresServer(maintenance_url), folder, keeps=False) as (url, author, token):
            yield Prepared(url, author, token, asyncio.run(_version(url)), None)
        return
    private = PrivatePostgres(options=OPTIONS, folder=data.resolve() if data else None)
    with private as server, _copied(server, folder, keeps=data is not None) as (url, author, token):
        pid = private.process.pid if private.process else None
        yield Prepared(url, author, token, asyncio.run(_version(url)), pid)


@contextmanager
def _copied(server: PostgresServer, folder: Path, *, keeps: bool) -> Iterator[tuple[str, str, str]]:
    template = SEEDED if keeps else f"{SEEDED}_{uuid4().hex}"[:60]
    if not asyncio.run(_exists(server, template)):
        _seed(server, template, folder)
    copy = f"gqlapi_benchmark_{uuid4().hex}"
    try:
        url = asyncio.run(server.create_database(copy, template))
        # A template of an earlier run may lack the newest migrations.
        _gqlapi(url, folder, "migrate")
        yield url, *_sign_in(url, folder)
    finally:
        asyncio.run(server.drop_database(copy))
        if not keeps:
            asyncio.run(server.drop_database(template))


def _seed(server: PostgresServer, name: str, folder: Path) -> None:
    """Fill a database, which gets its name when it is complete."""
    sys.stderr.write(f"Seeding {USERS:,} users, {POSTS:,} posts and {TAGS:,} tags; this takes about half a minute.\n")
    unfinished = f"gqlapi_benchmark_{uuid4().hex}"
    url = asyncio.run(server.create_database(unfinished))
    try:
        _gqlapi(url, folder, "migrate")
        counts = f"--users={USERS}", f"--posts={POSTS}", f"--tags={TAGS}"
        _gqlapi(url, folder, "seed", *counts, f"--seed={SEED}")
        asyncio.run(_execute(url, "VACUUM ANALYZE"))
        asyncio.run(_execute(server.maintenance_url, f'ALTER DATABASE "{unfinished}" RENAME TO "{name}"'))
    finally:
        asyncio.run(server.drop_database(unfinished))


def _sign_in(url: str, folder: Path) -> tuple[str, str]:
    """Return the global id of an author, and a new API token that may write posts."""
    key, username = asyncio.run(_newest_author(url))
    scopes = "--scope=read", "--scope=write_posts"
    token = _gqlapi(url, folder, "token", "create", username, "--name=benchmark", *scopes)
    return key, token.split()[-1]


def _gqlapi(url: str, folder: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GQLAPI_")}
    command = [sys.executable, "-m", "gqlapi", *arguments]
    done = subprocess.run(  # noqa: S603 - our own command
        command, cwd=folder, env=environment | {"GQLAPI_DATABASE_URL": url}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"`gqlapi {arguments[0]}` failed:\n{done.stdout}{done.stderr}")
    return done.stdout


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _exists(server: PostgresServer, name: str) -> bool:
    connection = await asyncpg.connect(server.maintenance_url)
    try:
        return bool(await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name))
    finally:
        await connection.close()


async def _version(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close()


async def _newest_author(url: str) -> tuple[str, str]:
    connection = await asyncpg.connect(url)
    try:
        key, username = await connection.fetchrow(NEWEST_AUTHOR)
    finally:
        await connection.close()
    return GlobalId("User", key).encode(), username
