"""The command line, in an empty directory; servers are real processes, on free ports."""

import json
import resource
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from gqlapi import __version__
from gqlapi.database.migrations import connect
from gqlapi.models import Base, FeedState
from tests.api import internals_in
from tests.processes import GQLAPI, START_SECONDS, Folder, Server

SECRET = "a secret of more than thirty-two characters"
FEED = "{ posts(first: 3) { totalCount nodes { title author { username } tags { slug } } } }"


async def rows_of(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of the blog's tables."""
    async with connect(f"sqlite:///{path}") as connection:
        return {
            table.name: sorted(map(tuple, (await connection.execute(sa.select(table))).all()), key=str)
            for table in Base.metadata.sorted_tables
            if table is not FeedState.__table__  # it has the time of the migration
        }


def without_clock(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Leave out times that lie ahead: posts are scheduled by the clock."""
    now = datetime.now(UTC)
    return tuple(None if isinstance(value, datetime) and value > now else value for value in row)


def assert_private(folder: Folder) -> None:
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.path.glob("gqlapi.db*")}
    assert files.keys() >= {"gqlapi.db", "gqlapi.db-wal"}
    assert set(files.values()) == {0o600}


def assert_refuses_the_names_of_others(server: Server) -> None:
    """A page whose name was made to lead here could sign in with the demo password."""
    response = httpx.post(
        f"{server.url}/graphql", json={"query": "{ __typename }"}, headers={"Host": f"evil.example:{server.port}"}
    )
    assert response.status_code == 400


async def assert_keeps_the_rows_at_a_second_start(folder: Folder) -> None:
    rows = await rows_of(folder.path / "gqlapi.db")
    server = folder.start("dev", "--no-reload")
    server.wait_until_ready()
    assert server.stop(signal.SIGTERM)[0] == 0
    assert await rows_of(folder.path / "gqlapi.db") == rows


class TestDev:
    async def test_serves_a_blog_from_an_empty_folder_until_ctrl_c(self, folder: Folder) -> None:
        # The work of the children that have ended: unlike a clock, it does not depend on who else uses the machine.
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        server = folder.start("dev", "--no-reload")
        server.wait_until_ready()
        data = server.execute(FEED)
        assert data["posts"]["totalCount"] > 100
        assert all(node["author"]["username"] for node in data["posts"]["nodes"])
        log = server.wait_until_logged(f"GraphiQL  {server.url}/graphql", times=1)
        # Until the server listens, no address is printed.
        assert log.index("Uvicorn running") < log.index("GraphiQL  ")
        assert_private(folder)
        assert_refuses_the_names_of_others(server)

        assert server.stop(signal.SIGINT)[0] == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < START_SECONDS
        assert "Traceback" not in server.log.read_text()
        await assert_keeps_the_rows_at_a_second_start(folder)

    def test_says_that_the_port_is_in_use_before_it_does_anything(self, folder: Folder) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            result = folder.run("dev", "--no-reload", "--port", str(port))
        assert result.returncode == 1
        assert result.stderr.startswith(f"error Cannot listen on 127.0.0.1:{port}: ")
        assert len(result.stderr.splitlines()) == 1
        assert list(folder.path.iterdir()) == []


class TestServe:
    @pytest.mark.parametrize("secret", [{}, {"secret_key": "short"}])
    def test_refuses_to_start_without_a_secret(self, folder: Folder, secret: dict[str, str]) -> None:
        result = folder.run("serve", **secret)
        assert result.returncode == 2
        assert result.stderr == (
            "error GQLAPI_SECRET_KEY must be set to a secret of at least 32 characters in production\n"
        )

    def test_serves_with_two_workers_and_changes_nothing(self, folder: Folder) -> None:
        assert folder.run("migrate").returncode == 0
        server = folder.start("serve", "--workers", "2", secret_key=SECRET)
        server.wait_until_ready()
        assert server.execute(FEED) == {"posts": {"totalCount": 0, "nodes": []}}
        # The first worker answers while the second may still be starting.
        log = server.wait_until_logged("Started server process", times=2)
        assert server.stop(signal.SIGTERM)[0] == 0
        events = [json.loads(line) for line in log.splitlines()]
        assert any(event["event"] == "request" and event["request_id"] for event in events)

    def test_does_not_migrate(self, folder: Folder) -> None:
        server = folder.start("serve", "--workers", "1", secret_key=SECRET)
        server.wait_until_ready("/healthz")
        assert httpx.get(f"{server.url}/readyz").json()["checks"]["connection"] == "missing"
        response = httpx.post(f"{server.url}/graphql", json={"query": FEED})
        assert internals_in(response) == []
        assert (response.status_code, "data" in response.json()) == (503, False)
        assert not any(word in server.log.read_text() for word in (SECRET, "Running upgrade"))
        assert not (folder.path / "gqlapi.db").exists()


class TestMigrate:
    def test_says_where_the_database_is(self, folder: Folder) -> None:
        for _ in range(2):
            result = folder.run("migrate")
            assert (result.returncode, "Traceback" in result.stderr) == (0, False)
            assert result.stderr.splitlines()[-1].startswith("The database is at revision ")

    def test_says_that_the_database_cannot_be_used(self, folder: Folder) -> None:
        result = folder.run("migrate", database_url="postgresql://gqlapi:hunter2@127.0.0.1:1/gqlapi")
        [line] = result.stderr.splitlines()
        assert result.returncode == 1
        assert line.startswith("error The database cannot be used: ")
        assert "hunter2" not in line


class TestSeed:
    async def test_makes_the_same_rows_again(self, folder: Folder) -> None:
        seeded = []
        for name in ("one.db", "two.db"):
            url = f"sqlite:///{folder.path / name}"
            assert folder.run("migrate", database_url=url).returncode == 0
            result = folder.run("seed", "--users", "5", "--posts", "60", "--tags", "4", database_url=url)
            assert (result.returncode, "Made 5 users, 60 posts and 4 tags." in result.stderr) == (0, True)
            seeded.append(await rows_of(folder.path / name))
        one, two = ({table: [without_clock(row) for row in rows] for table, rows in all_.items()} for all_ in seeded)
        assert one == two
        assert {table: len(rows) for table, rows in one.items() if table in {"users", "posts", "tags"}} == {
            "users": 5,
            "posts": 60,
            "tags": 4,
        }

    async def test_refuses_a_database_that_has_rows(self, folder: Folder) -> None:
        folder.run("migrate")
        folder.run("seed", "--posts", "10")
        rows = await rows_of(folder.path / "gqlapi.db")
        result = folder.run("seed", "--posts", "10", "--seed", "2")
        assert result.returncode == 1
        assert result.stderr == "error The database has users already; nothing was changed.\n"
        assert await rows_of(folder.path / "gqlapi.db") == rows

    def test_asks_for_a_migration_first(self, folder: Folder) -> None:
        result = folder.run("seed")
        assert (result.returncode, "Traceback" in result.stderr) == (1, False)
        assert result.stderr.startswith("error The database cannot be used: ")


class TestRender:
    def test_lists_what_cannot_be_rendered(self, folder: Folder) -> None:
        assert folder.run("migrate").returncode == 0
        assert folder.run("seed", "--users", "1", "--posts", "2", "--tags", "0").returncode == 0
        with closing(sqlite3.connect(folder.path / "gqlapi.db")) as database:
            database.execute("UPDATE posts SET renderer = 0")
            bad = "UPDATE posts SET markdown = ?, slug = 'nested' WHERE id = (SELECT max(id) FROM posts)"
            database.execute(bad, ["<div>" * 3_000])
            database.commit()
        result = folder.run("render")
        assert (result.returncode, result.stdout) == (1, "kept  nested: The Markdown or its HTML nests too deeply.\n")
        assert result.stderr.splitlines()[-1] == "Rendered 1 posts, 1 keep their HTML."


class TestSchema:
    def test_is_printed_and_checked(self, folder: Folder) -> None:
        assert folder.run("schema", "--check").returncode == 1
        printed = folder.run("schema")
        assert (printed.returncode, printed.stderr) == (0, "")
        path = folder.path / "schema.graphql"
        path.write_text(printed.stdout)
        checked = folder.run("schema", "--check")
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
        path.write_text(printed.stdout + "\n")
        differs = folder.run("schema", "--check")
        assert (differs.returncode, len(differs.stderr.splitlines())) == (1, 1)

    def test_is_compared_with_an_earlier_one(self, folder: Folder) -> None:
        current = folder.run("schema").stdout
        earlier = folder.path / "earlier.graphql"
        for old, new, status, expected in (
            ("", "", 0, []),
            ("enum PostStatus {", "enum PostStatus {\n  OLD", 1, ["breaking   VALUE_REMOVED_FROM_ENUM  Enum value"]),
            (" @semanticNonNull\n}", "\n}", 0, []),
            (
                "\n  anchor: String!",
                "\n  anchors: String!",
                1,
                ["breaking", "safe       FIELD_ADDED  Field Heading.anchor"],
            ),
            ("length: Int! = 250", "length: Int! = 100", 0, ["dangerous  ARG_DEFAULT_VALUE_CHANGE  Post.excerpt"]),
        ):
            assert old in current
            earlier.write_text(current.replace(old, new, 1) if old else current)
            done = folder.run("schema", "check", "--against", "earlier.graphql")
            assert done.stderr == ""
            *lines, summary = done.stdout.splitlines()
            assert (done.returncode, len(lines)) == (status, len(expected)), done.stdout
            assert [line[: len(start)] for line, start in zip(lines, expected, strict=True)] == expected
            assert summary.startswith("Changes since earlier.graphql: ")

    def test_is_compared_with_a_revision_of_git(self, folder: Folder) -> None:
        (folder.path / "schema.graphql").write_text(folder.run("schema").stdout.replace("Heading", "Section"))
        for arguments in (
            ("init", "-q"),
            ("add", "."),
            ("-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-qm", "Earlier"),
        ):
            subprocess.run(["git", *arguments], cwd=folder.path, check=True)
        done = folder.run("schema", "check", "--against", "HEAD")
        assert (done.returncode, done.stderr) == (1, "")
        assert "breaking   TYPE_REMOVED  Section was removed." in done.stdout.splitlines()

    @pytest.mark.parametrize("reference", ["missing", "--help", "broken.graphql"])
    def test_names_what_cannot_be_compared(self, folder: Folder, reference: str) -> None:
        (folder.path / "broken.graphql").write_text("type {")
        done = folder.run("schema", "check", f"--against={reference}")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert reference in done.stderr


class TestOptions:
    @pytest.mark.parametrize("command", [(GQLAPI,), (sys.executable, "-m", "gqlapi")])
    def test_version_is_printed(self, folder: Folder, command: tuple[Path | str, ...]) -> None:
        result = folder.run_process(*command, "--version")
        assert (result.returncode, result.stdout) == (0, f"{__version__}\n")

    def test_nobody_waits_for_what_only_a_server_needs(self, folder: Folder) -> None:
        script = "import sys, gqlapi.cli; print({'graphql', 'starlette', 'strawberry'} & {*sys.modules})"
        result = folder.run_process(sys.executable, "-c", script)
        assert result.stdout == "set()\n", result.stderr

    @pytest.mark.parametrize("command", ["dev", "schema"])
    def test_wrong_settings_are_named_one_a_line(self, folder: Folder, command: str) -> None:
        result = folder.run(command, port="x", pool_size="0", log_level="loud")
        lines = result.stderr.splitlines()
        assert (result.returncode, result.stdout) == (2, "")
        assert [line.split()[:2] for line in lines] == [
            ["error", f"GQLAPI_{name}"] for name in ("POOL_SIZE", "PORT", "LOG_LEVEL")
        ]

    @pytest.mark.parametrize(
        ("url", "problem"),
        [
            ("mysql://root:hunter2@localhost/blog", "mysql is not supported; use sqlite or postgresql"),
            ("no url", "the database URL cannot be parsed"),
            ("sqlite:////nowhere/blog.db", "the folder /nowhere does not exist"),
        ],
    )
    def test_a_database_that_cannot_be_is_refused(self, folder: Folder, url: str, problem: str) -> None:
        result = folder.run("migrate", database_url=url)
        assert (result.returncode, result.stderr) == (2, f"error GQLAPI_DATABASE_URL {problem}\n")

    def test_dotenv_is_read(self, folder: Folder) -> None:
        (folder.path / ".env").write_text("GQLAPI_PORT=x\n")
        assert folder.run("schema").stderr.startswith("error GQLAPI_PORT ")
