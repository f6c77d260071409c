"""Commands in set-ups that are unusual or broken: one line that says what to do, and nothing is left behind."""

import shutil
from datetime import timedelta
from pathlib import Path

import alembic.config
import pytest
import sqlalchemy as sa

from gqlapi.database import migrations
from gqlapi.database.migrations import connect, current_revision, head_revision, missing_revisions
from gqlapi.seeding.rows import creation_time
from tests.api import serve, settings_for
from tests.commands import run, run_beside

pytestmark = pytest.mark.usefixtures("clean_environment")
QUERY = "{ posts(first: 1) { nodes { id } } }"
COMMANDS = [
    ["explain", QUERY],
    ["seed", "--posts", "1"],
    ["prune"],
    ["render"],
    ["export", "out"],
    ["import", "."],
    ["user", "create-admin", "--username", "ada", "--email", "ada@example.com", "--password-stdin"],
    ["user", "set-password", "ada", "--password-stdin"],
    ["token", "create", "ada", "--name", "x", "--scope", "read"],
]
PASSWORD = "correct horse battery"


async def stamp(url: str, revision: str) -> None:
    async with connect(url) as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = :number"), {"number": revision})
        await connection.commit()


class TestEveryCommand:
    @pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
    def test_asks_for_a_migration_and_makes_no_file(self, clean_environment: Path, command: list[str]) -> None:
        done = run(*command, url="sqlite:///blog.db", text=PASSWORD)
        [line] = done.errors.splitlines()
        assert done.status == 1
        assert line == (
            "error The database cannot be used: unable to open database file: it does not exist. "
            "Run `gqlapi migrate`, or `gqlapi dev`, which does it."
        )
        assert list(clean_environment.iterdir()) == []

    # An import of no files asks the database for nothing.
    @pytest.mark.parametrize("command", [command for command in COMMANDS if "import" not in command], ids=" ".join)
    def test_asks_for_a_migration_of_an_empty_database(self, command: list[str]) -> None:
        Path("blog.db").touch()
        done = run(*command, url="sqlite:///blog.db", text=PASSWORD)
        [line] = done.errors.splitlines()
        assert (done.status, "no such table" in line, "Run `gqlapi migrate`" in line) == (1, True, True)

    @pytest.mark.parametrize("command", [["migrate"], *COMMANDS], ids=" ".join)
    def test_says_that_nothing_listens(self, command: list[str]) -> None:
        url = "postgresql://gqlapi:hunter2@127.0.0.1:1/blog"
        [line] = run(*command, url=url, text=PASSWORD).errors.splitlines()
        assert line.startswith("error The database cannot be used: ")
        assert line.endswith(" Start the database, or correct the host and the port in GQLAPI_DATABASE_URL.")
        assert "hunter2" not in line

    @pytest.mark.parametrize("command", [["migrate"], ["prune"], ["explain", QUERY]], ids=" ".join)
    def test_says_that_a_file_is_no_database(self, command: list[str]) -> None:
        Path("blog.db").write_text("Not a database.\n" * 100)
        done = run(*command, url="sqlite:///blog.db")
        problem = "The database cannot be used: file is not a database. Set GQLAPI_DATABASE_URL to a file of SQLite."
        assert (done.status, done.errors) == (1, f"error {problem}\n")

    @pytest.mark.parametrize("command", [["migrate"], ["serve"], ["dev"], ["schema"], *COMMANDS], ids=" ".join)
    def test_refuses_a_parameter_that_nobody_knows(self, command: list[str]) -> None:
        secret = "a secret of more than thirty-two characters"
        done = run(*command, url="postgresql://127.0.0.1:1/blog?keepalives=1", secret_key=secret)
        problem = "the parameter `keepalives` is not supported; remove it"
        assert (done.status, done.errors) == (2, f"error GQLAPI_DATABASE_URL {problem}\n")


class TestMigrate:
    async def test_lets_a_newer_database_be(self, database_url: str) -> None:
        await stamp(database_url, "fedcba987654")
        for target in ("head", head_revision()):
            done = await run_beside("migrate", target, url=database_url)
            assert done.status == 0
            assert done.errors == (
                f"The database is ahead: its revision fedcba987654 is newer than {head_revision()}, the last that is "
                "known here. Nothing was changed.\n"
            )
        assert await current_revision(database_url) == "fedcba987654"

    async def test_is_repeated_by_the_version_that_made_it_newer(
        self, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scripts = shutil.copytree(migrations.scripts_directory(), tmp_path / "alembic")
        oldest = head_revision()
        text = f"revision = 'newer'\ndown_revision = {oldest!r}\ndef upgrade() -> None:\n    pass\n"
        (scripts / "versions" / "newer.py").write_text(text)
        with monkeypatch.context() as newer:
            newer.setattr(migrations, "scripts_directory", lambda: scripts)
            migrations.known_revisions.cache_clear()
            assert (await run_beside("migrate", url=database_url)).status == 0
            assert await current_revision(database_url) == "newer"
        migrations.known_revisions.cache_clear()
        done = await run_beside("migrate", url=database_url)
        assert (done.status, "its revision newer is newer than" in done.errors) == (0, True)
        async with serve(settings_for(database_url)) as api:  # the old version runs on it
            assert (await api.http.get("/readyz")).status_code == 200

    async def test_refuses_the_database_of_another_program(self, empty_database_url: str) -> None:
        async with connect(empty_database_url) as connection:
            await connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
            await connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('fedcba987654')")
            await connection.commit()
        done = await run_beside("migrate", url=empty_database_url)
        [line] = done.errors.splitlines()
        assert done.status == 1
        assert line == (
            "error The database is at the unknown revision fedcba987654, and our tables are missing. "
            "Set GQLAPI_DATABASE_URL to a database of gqlapi."
        )

    async def test_says_that_tables_are_in_the_way(self, database_url: str) -> None:
        async with connect(database_url) as connection:
            await connection.exec_driver_sql("DROP TABLE alembic_version")
            await connection.commit()
        done = await run_beside("migrate", url=database_url)
        assert (done.status, "already exists. Restore a complete backup" in done.errors) == (1, True)

    async def test_refuses_a_revision_that_does_not_exist(self, empty_database_url: str) -> None:
        done = await run_beside("migrate", "nonsense", url=empty_database_url)
        assert (done.status, done.errors) == (2, "error Can't locate revision identified by 'nonsense'.\n")

    async def test_goes_to_a_revision_and_on(self, empty_database_url: str) -> None:
        oldest = (missing_revisions(None) or [])[-1]
        assert (await run_beside("migrate", oldest, url=empty_database_url)).status == 0
        assert await current_revision(empty_database_url) == oldest
        done = await run_beside("migrate", url=empty_database_url)
        assert done.errors.splitlines()[-1] == f"The database is at revision {head_revision()}."

    async def test_says_who_may_hold_a_lock(self, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        oldest = (missing_revisions(None) or [])[0]
        monkeypatch.setattr(migrations, "ATTEMPTS", 1)
        monkeypatch.setattr(migrations, "LOCK_TIMEOUT_SECONDS", 0.01)
        await stamp(postgresql_url, (missing_revisions(None) or [])[1])
        async with connect(postgresql_url) as other:
            await other.exec_driver_sql("LOCK TABLE alembic_version")
            done = await run_beside("migrate", url=postgresql_url)
        [line] = done.errors.splitlines()
        assert (done.status, oldest in line) == (1, False)
        assert "lock timeout" in line
        assert line.endswith("Look for a long transaction, an import or a backup; then run it again.")


class TestAlembic:
    def test_refuses_a_wrong_url_in_one_line(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("GQLAPI_DATABASE_URL", "postgresql://127.0.0.1:1/blog?keepalives=1")
        monkeypatch.chdir(Path(__file__).parents[1])  # where its configuration is
        with pytest.raises(SystemExit):
            alembic.config.main(["current"])
        written = capsys.readouterr()
        problem = "GQLAPI_DATABASE_URL the parameter `keepalives` is not supported; remove it"
        assert (written.out + written.err).split("FAILED: ")[1].split() == problem.split()


class TestUrl:
    @pytest.mark.parametrize(
        "query",
        [
            "application_name=blog",
            "connect_timeout=5",
            "statement_cache_size=0",
            "options=-c%20search_path%3Dpublic",
            "sslmode=prefer&sslrootcert=/nowhere.pem",  # not read while nothing is verified
            "target_session_attrs=read-write",
            "channel_binding=prefer&gssencmode=prefer&client_encoding=utf8",
        ],
    )
    async def test_parameters_reach_every_connection(self, empty_postgresql_url: str, query: str) -> None:
        url = f"{empty_postgresql_url}?{query}"
        for command in (["migrate"], ["seed", "--posts", "2"], ["prune"], ["explain", QUERY]):
            done = await run_beside(*command, url=url)
            assert done.status == 0, done.errors
        done = await run_beside("doctor", url=url, port="0")
        assert " error " not in done.output
        async with serve(settings_for(url)) as api:
            assert len((await api.data("{ posts { nodes { id } } }"))["posts"]["nodes"]) >= 1
            assert (await api.http.get("/readyz")).status_code == 200

    async def test_of_several_hosts_finds_the_one_that_answers(self, postgresql_url: str) -> None:
        parsed = sa.make_url(postgresql_url)
        url = f"postgresql://{parsed.username}@127.0.0.1:1,{parsed.host}:{parsed.port}/{parsed.database}"
        assert (await run_beside("migrate", url=url)).status == 0
        async with serve(settings_for(url)) as api:
            assert await api.data("{ posts { totalCount } }") == {"posts": {"totalCount": 0}}

    async def test_names_the_application(self, postgresql_url: str) -> None:
        async with serve(settings_for(f"{postgresql_url}?application_name=blog")) as api:
            await api.data("{ posts { totalCount } }")
            async with connect(postgresql_url) as connection:
                names = sa.text("SELECT application_name FROM pg_stat_activity WHERE datname = current_database()")
                assert "blog" in set((await connection.execute(names)).scalars())


class TestSeed:
    @pytest.mark.parametrize("count", [1, 500, 400_000, 10**12])
    def test_spreads_any_number_of_posts_over_ten_years(self, count: int) -> None:
        numbers = sorted({0, count // 3, count // 2, count - 1})
        times = [creation_time(number, count) for number in numbers]
        assert times == sorted(times)
        assert times[0] == creation_time(0, 1)
        assert timedelta(0) <= times[-1] - times[0] < timedelta(days=3_652)
