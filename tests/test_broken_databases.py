"""`gqlapi doctor` against broken set-ups: one line for the cause, with the advice that fits it, and no traceback."""

import asyncio
import os
import pwd
import struct
import subprocess
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
import sqlalchemy as sa

from gqlapi.database.causes import DIRECT, POOLER
from gqlapi.database.migrations import connect, missing_revisions, upgrade
from gqlapi.doctor.database import SET_DIRECT_URL
from tests.commands import Done, run_beside
from tests.postgres import OPTIONS, PostgresServer, PrivatePostgres, find_binaries

pytestmark = pytest.mark.usefixtures("clean_environment")
REPLICATED = {**OPTIONS, "wal_level": "replica", "max_wal_senders": "2"}
SSL_REQUEST, SSL_REFUSED = 80_877_103, b"N"
MIGRATE, FILES = "Run `gqlapi migrate`.", "Let the server's user read and write the file and its folder."


async def examine(url: str, **settings: str) -> Done:
    return await run_beside("doctor", url=url, port="0", connect_timeout_seconds="5", **settings)


def line_of(code: str, done: Done) -> str:
    """Return the one line of a code; a cause has one line, and no other command's words."""
    [line] = [line for line in done.lines if line.startswith(code)]
    assert "Traceback" not in done.output + done.errors
    assert done.errors == ""
    assert len(done.lines) == len({line[:4] for line in done.lines})
    return line


async def fails_with(url: str, code: str, found: str, fix: str) -> None:
    done = await examine(url)
    line = line_of(code, done)
    assert (done.status, line.split()[1]) == (1, "error"), done.output
    assert found in line
    assert line.endswith(f" Fix: {fix}"), line


def with_parts(url: str, **parts: str) -> str:
    return sa.make_url(url).set(**parts).render_as_string(hide_password=False)  # type: ignore[arg-type] # by name


async def execute(url: str, *statements: str) -> None:
    async with connect(url) as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)
        await connection.commit()


@pytest_asyncio.fixture
async def role(postgresql_url: str) -> AsyncIterator[str]:
    """A role that may log in, and no more than everybody."""
    name = f"role_{uuid4().hex}"
    await execute(postgresql_url, f"CREATE ROLE {name} LOGIN")
    yield name
    await execute(postgresql_url, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


class TestConnecting:
    async def test_to_a_database_that_does_not_exist(self, postgresql_url: str) -> None:
        fix = "Create it with ENCODING 'UTF8', or correct the name of the database in GQLAPI_DATABASE_URL."
        await fails_with(with_parts(postgresql_url, database="missing"), "D101", '"missing" does not exist', fix)

    async def test_as_a_role_that_does_not_exist(self, postgresql_url: str) -> None:
        fix = "Create the role with LOGIN, or correct the user name in GQLAPI_DATABASE_URL."
        await fails_with(with_parts(postgresql_url, username="nobody"), "D101", 'role "nobody" does not exist', fix)

    async def test_without_tls_where_it_is_asked_for(self, postgresql_url: str) -> None:
        fix = "Turn TLS on in PostgreSQL, or take sslmode out of GQLAPI_DATABASE_URL."
        await fails_with(f"{postgresql_url}?sslmode=require", "D101", "rejected SSL upgrade", fix)

    async def test_with_a_certificate_that_is_not_there(self, postgresql_url: str) -> None:
        fix = "Correct sslrootcert, sslcert and sslkey in GQLAPI_DATABASE_URL."
        url = f"{postgresql_url}?sslmode=verify-full&sslrootcert=/nowhere/ca.pem"
        await fails_with(url, "D101", "No such file", fix)

    async def test_to_a_socket_that_is_not_there(self) -> None:
        fix = "Start PostgreSQL, or correct `host`: there is no socket in /nowhere."
        await fails_with("postgresql://gqlapi@/blog?host=/nowhere", "D101", "No such file", fix)

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.1:1,127.0.0.1"])
    async def test_to_a_port_that_nothing_listens_on(self, host: str) -> None:
        fix = "Start the database, or correct the host and the port in GQLAPI_DATABASE_URL."
        await fails_with(f"postgresql://gqlapi@{host}:1/blog", "D101", "Connect call failed", fix)

    async def test_to_a_host_that_has_no_address(self) -> None:
        fix = "Correct the host name in GQLAPI_DATABASE_URL: it cannot be resolved."
        await fails_with("postgresql://gqlapi@no-such-host.invalid/blog", "D101", "cannot be used", fix)

    @pytest.mark.parametrize("password", ["p@ss:w/rd", "pass@word", "pa/ss@w/rd"])
    async def test_with_a_password_that_is_not_escaped(self, password: str) -> None:
        found = "escape special characters of the password"
        url = f"postgresql://gqlapi:{password}@127.0.0.1/blog"
        await fails_with(url, "D101", found, "Correct GQLAPI_DATABASE_URL.")
        assert "w/rd" not in (await examine(url)).output

    async def test_with_a_parameter_that_nobody_knows(self) -> None:
        url = "postgresql://gqlapi@127.0.0.1/blog?keepalives=1"
        await fails_with(url, "D101", "`keepalives` is not supported; remove it", "Correct GQLAPI_DATABASE_URL.")

    async def test_through_a_pooler(self, postgresql_url: str) -> None:
        async with pooler(postgresql_url, refused=b"search_path") as url:
            await fails_with(f"{url}?options=-csearch_path%3Dpublic", "D101", "unsupported startup parameter", POOLER)
        for refused in (b"statement_timeout", b"\0none"):
            async with pooler(postgresql_url, refused=refused, pid=1) as url:
                line = line_of("D109", await examine(url))
            assert (line.split()[1], line.endswith(DIRECT)) == ("warning", True)

    async def test_through_a_pooler_that_is_denied(self, postgresql_url: str) -> None:
        async with pooler(postgresql_url, pid=1) as url:
            line = line_of("D109", await examine(url, database_pooler="none"))
        assert (line.split()[1], line.endswith(POOLER)) == ("error", True)

    async def test_to_a_direct_url_that_is_none(self, postgresql_url: str) -> None:
        async with pooler(postgresql_url, pid=1) as url:
            lines = [
                line_of("D109", await examine(url, database_direct_url=direct))
                for direct in (url, "postgresql://gqlapi@127.0.0.1:1/blog")
            ]
            well = line_of("D109", await examine(url, database_direct_url=postgresql_url))
        assert all(line.split()[1] == "error" and line.endswith(SET_DIRECT_URL) for line in lines)
        assert well.split()[1] == "ok"


class TestRole:
    async def test_without_any_rights(self, postgresql_url: str, role: str) -> None:
        fix = "Grant the role USAGE on the schema, and SELECT, INSERT, UPDATE and DELETE on all tables."
        await fails_with(with_parts(postgresql_url, username=role), "D102", "may not read which revision", fix)

    async def test_that_may_only_read(self, postgresql_url: str, role: str) -> None:
        await execute(postgresql_url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        fix = "Grant SELECT, INSERT, UPDATE and DELETE on all tables to it."
        await fails_with(with_parts(postgresql_url, username=role), "D113", "may not read and write", fix)

    async def test_that_may_not_use_the_sequences(self, postgresql_url: str, role: str) -> None:
        await execute(postgresql_url, f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
        url = with_parts(postgresql_url, username=role)
        await fails_with(url, "D113", "may not use 2 sequences", "Grant USAGE on all sequences to it.")
        await execute(postgresql_url, f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}")
        assert (await examine(url)).status == 0

    async def test_that_may_not_migrate(self, empty_postgresql_url: str, role: str) -> None:
        await execute(empty_postgresql_url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        fix = "Run `gqlapi migrate` as a role that may create tables in the schema; this one may not."
        await fails_with(with_parts(empty_postgresql_url, username=role), "D102", "at no revision", fix)


class TestContent:
    async def test_of_an_older_version(self, empty_database_url: str) -> None:
        await upgrade(empty_database_url, (missing_revisions(None) or [])[-1])
        await fails_with(empty_database_url, "D102", " behind ", MIGRATE)

    async def test_of_a_newer_version(self, database_url: str) -> None:
        await execute(database_url, "UPDATE alembic_version SET version_num = 'fedcba987654'")
        done = await examine(database_url)
        line = line_of("D102", done)
        assert (done.status, line.split()[1]) == (0, "warning")
        assert "its revision fedcba987654 is newer" in line

    async def test_without_a_table_and_a_column(self, database_url: str) -> None:
        await execute(database_url, "DROP TABLE post_changes", "ALTER TABLE users RENAME COLUMN bio TO about")
        found = "has no table post_changes, column users.bio"
        await fails_with(database_url, "D102", found, "Restore a complete backup.")

    async def test_without_its_revision(self, database_url: str) -> None:
        await execute(database_url, "DROP TABLE alembic_version")
        fix = "Restore a complete backup, or set GQLAPI_DATABASE_URL to an empty database."
        await fails_with(database_url, "D102", "at no revision, but has the tables api_tokens, ", fix)

    async def test_without_the_search(self, database_url: str) -> None:
        await execute(database_url, "DROP TABLE search_documents")
        await fails_with(database_url, "D102", "has no table search_documents", "Restore a complete backup.")

    async def test_in_another_encoding(self, postgres: PostgresServer) -> None:
        name = f"gqlapi_test_{uuid4().hex}"
        template = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        connection = await asyncpg.connect(postgres.maintenance_url)
        await connection.execute(f'CREATE DATABASE "{name}" {template}')
        await connection.close()
        fix = "Create the database anew with ENCODING 'UTF8', and restore a dump into it."
        await fails_with(postgres.url(name), "D104", "SQL_ASCII", fix)
        await postgres.drop_database(name)

    async def test_that_is_read_only(self, postgresql_url: str) -> None:
        name = sa.make_url(postgresql_url).database
        await execute(postgresql_url, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        fix = "Turn it off for the server, the database and the role."
        await fails_with(postgresql_url, "D113", "default_transaction_read_only", fix)


class TestFile:
    async def test_in_a_folder_that_is_read_only(self, sqlite_url: str) -> None:
        folder = Path(sa.make_url(sqlite_url).database or "").parent
        with read_only(folder):
            done = await examine(sqlite_url)
        lines = [line for line in done.lines if line.split()[1] == "error"]
        assert (done.status, [line[:4] in {"D101", "D113"} for line in lines]) == (1, [True])
        assert lines[0].endswith(f" Fix: {FILES}")

    async def test_on_a_disk_that_is_full(
        self, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with full_disk(tmp_path / "disk", Path(sa.make_url(sqlite_url).database or ""), monkeypatch) as path:
            if (filler := path.parent / "filler").exists():
                fix = "Free disk space, or move the database."
                await fails_with(f"sqlite:///{path}", "D101", "disk I/O error", fix)
                os.truncate(filler, filler.stat().st_size - 200_000)
            await fails_with(f"sqlite:///{path}", "D112", "0 MiB are free", "Free disk space, or move the file.")

    async def test_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "picture.db").write_bytes(b"no database" * 1000)
        fix = "Set GQLAPI_DATABASE_URL to a file of SQLite."
        await fails_with(f"sqlite:///{tmp_path}/picture.db", "D101", "file is not a database", fix)

    async def test_that_is_not_there(self, empty_sqlite_url: str) -> None:
        fix = "Run `gqlapi migrate`, or `gqlapi dev`, which does it."
        await fails_with(empty_sqlite_url, "D101", "does not exist", fix)


class TestOwnServer:
    async def test_that_wants_another_password(self, primary: tuple[PrivatePostgres, str]) -> None:
        _, url = primary
        locked = with_parts(url, username="locked", password="wrong")
        fix = "Correct the user name and the password in GQLAPI_DATABASE_URL; escape special characters (%40 for @)."
        await fails_with(locked, "D101", 'password authentication failed for user "locked"', fix)
        assert "wrong" not in (await examine(locked)).output

    async def test_that_is_a_standby(self, primary: tuple[PrivatePostgres, str], tmp_path: Path) -> None:
        own, url = primary
        folder = own.folder / "standby"
        command = [f"{find_binaries()}/pg_basebackup", "-D", f"{folder}/data", "-R", "-d", url, "--checkpoint=fast"]
        folder.mkdir()
        if os.geteuid() == 0:
            account = pwd.getpwnam("nobody")
            os.chown(folder, account.pw_uid, account.pw_gid)
        subprocess.run([*command, "--no-sync"], check=True, **own.account)
        with PrivatePostgres(options=REPLICATED, folder=folder) as standby:
            await fails_with(
                standby.url(sa.make_url(url).database or ""),
                "D113",
                "The database is a standby, which is read-only.",
                "Set GQLAPI_DATABASE_URL to the primary, or promote the standby.",
            )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def primary() -> AsyncIterator[tuple[PrivatePostgres, str]]:
    """A server that can be replicated, with a migrated database, and a role that has a password."""
    own = PrivatePostgres(options=REPLICATED)
    with own as server:
        url = await server.create_database("blog")
        await upgrade(url)
        rules = own.folder / "data" / "pg_hba.conf"
        rules.write_text(f"host all locked all scram-sha-256\n{rules.read_text()}")
        await execute(url, "CREATE ROLE locked LOGIN PASSWORD 'right'", "SELECT pg_reload_conf()")
        yield own, url


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Remove this process's right to write into a folder; it gives up root's rights during the block."""
    root = os.geteuid() == 0
    opened = [parent for parent in folder.parents if root and not parent.stat().st_mode & 0o001]
    modes = {path: path.stat().st_mode for path in (folder, *opened, *folder.iterdir())}
    for parent in opened:
        parent.chmod(modes[parent] | 0o011)
    for path in (folder, *folder.iterdir()):
        path.chmod(0o555)
    if root:
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, mode in modes.items():
            if path.exists():
                path.chmod(mode)


@contextmanager
def full_disk(folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put a database on a small disk that is full; without the right to mount one, the free space is patched."""
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=False, capture_output=True
        ).returncode
    )
    try:
        (folder / file.name).write_bytes(file.read_bytes())
        if mounted:
            with suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
                while filler.write(bytes(4096)):
                    pass
        else:
            monkeypatch.setattr("shutil.disk_usage", lambda _: _Full())
        yield folder / file.name
    finally:
        if mounted:
            subprocess.run(["umount", "-l", folder], check=True)


class _Full:
    free = 0


@asynccontextmanager
async def pooler(url: str, *, refused: bytes = b"\0none", pid: int | None = None) -> AsyncIterator[str]:
    """Act like PgBouncer in front of PostgreSQL: refuse a parameter of the start, or announce another backend."""
    parsed = sa.make_url(url)

    async def serve(client: StreamReader, to_client: StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            startup = await _startup(client, to_client)
            if refused in startup:
                text = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: " + refused + b"\0\0"
                to_client.write(b"E" + struct.pack("!I", len(text) + 4) + text)
                await to_client.drain()
            else:
                server, to_server = await asyncio.open_connection(parsed.host, parsed.port)
                to_server.write(startup)
                await asyncio.gather(_copy(client, to_server), _pass_back(server, to_client, pid))
        to_client.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        yield parsed.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)


async def _startup(client: StreamReader, to_client: StreamWriter) -> bytes:
    """Return the first message of a client, after refusing TLS."""
    while True:
        length = await client.readexactly(4)
        body = await client.readexactly(struct.unpack("!I", length)[0] - 4)
        if struct.unpack("!I", body[:4])[0] != SSL_REQUEST:
            return length + body
        to_client.write(SSL_REFUSED)


async def _pass_back(server: StreamReader, to_client: StreamWriter, pid: int | None) -> None:
    while pid is not None:
        head = await server.readexactly(5)
        body = await server.readexactly(struct.unpack("!I", head[1:])[0] - 4)
        if head[:1] == b"K":
            body, pid = struct.pack("!I", pid) + body[4:], None
        to_client.write(head + body)
    await _copy(server, to_client)


async def _copy(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()
