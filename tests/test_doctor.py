"""`gqlapi doctor`: each finding is provoked, on real databases where that can be done."""

import json
import os
import socket
import sys
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from rich.console import Console
from structlog.testing import capture_logs

from gqlapi.cli.diagnosis import _table
from gqlapi.database.inspection import DatabaseFacts, PostgresFacts, SqliteFacts
from gqlapi.database.migrations import connect, head_revision, missing_revisions, upgrade
from gqlapi.database.unit import create_database
from gqlapi.database.url import mask_url
from gqlapi.doctor import CHECKS, Finding, Severity, database, examine, examine_pool, machine, servers
from gqlapi.doctor.database import examine_database
from gqlapi.models import Base
from tests.api import serve, settings_for
from tests.commands import run

pytestmark = pytest.mark.usefixtures("clean_environment")

OK, WARNING, ERROR = Severity
SECRET = "a secret of more than thirty-two characters"
POSTGRES = PostgresFacts("16.4", 160_004, 100, 3, "on", "UTF8")
Usage = namedtuple("Usage", ["total", "used", "free"])  # noqa: PYI024 - as in shutil


@pytest.fixture
def listener() -> Iterator[int]:
    """The port of somebody else who does not speak HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def by_code(findings: list[Finding]) -> dict[str, Finding]:
    assert len({finding.code for finding in findings}) == len(findings)
    return {finding.code: finding for finding in findings}


async def found(**overrides: Any) -> dict[str, Finding]:
    return by_code(await examine(**{"port": 0, **overrides}))


async def found_in(url: str, **overrides: Any) -> dict[str, Finding]:
    return by_code(await examine_database(settings_for(url, **overrides)))


class TestExamine:
    async def test_finds_no_error_with_a_migrated_database(self, database_url: str) -> None:
        findings = await found(database_url=database_url)
        # The tests' server forces nothing to the disk, so that it is fast.
        severities = {code: finding.severity for code, finding in findings.items() if finding.severity is not OK}
        assert severities in ({}, {"D105": WARNING})
        assert {"D001", "D002", "D003", "D004", "D101", "D102", "D103", "D201", "D202"} <= set(findings)

    async def test_finds_an_error_in_an_empty_database(self, empty_postgresql_url: str) -> None:
        finding = (await found(database_url=empty_postgresql_url))["D102"]
        assert finding.severity is ERROR
        assert finding.fix == "Run `gqlapi migrate`."

    def test_names_each_fix(self) -> None:
        assert str(servers.check_encoding(replace(POSTGRES, encoding="SQL_ASCII"))).startswith("D104 error   encoding:")
        assert " Fix: " in str(servers.check_encoding(replace(POSTGRES, encoding="SQL_ASCII")))
        assert "Fix" not in str(servers.check_encoding(POSTGRES))


class TestSettings:
    async def test_reports_a_wrong_value_and_goes_on(self, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GQLAPI_POOL_SIZE", "many")
        monkeypatch.setenv("GQLAPI_WORKERS", "0")
        findings = await examine(database_url=sqlite_url, port=0)
        wrong = [finding for finding in findings if finding.code == "D001"]
        assert [finding.severity for finding in wrong] == [ERROR, ERROR]
        assert "GQLAPI_POOL_SIZE" in wrong[0].found
        assert "GQLAPI_WORKERS" in wrong[1].found
        assert "D102" in {finding.code for finding in findings}

    async def test_reports_a_list_that_is_not_json(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GQLAPI_CORS_ORIGINS", "https://example.com")
        [finding] = await examine()
        assert (finding.code, finding.severity) == ("D001", ERROR)
        assert "cors_origins" in finding.found

    @pytest.mark.parametrize("secret", [None, "short"])
    async def test_reports_a_secret_that_production_refuses(self, sqlite_url: str, secret: str | None) -> None:
        findings = await found(environment="production", secret_key=secret, database_url=sqlite_url)
        assert findings["D002"].severity is ERROR
        assert "GQLAPI_SECRET_KEY must be set" in findings["D002"].found
        assert findings["D101"].severity is OK

    @pytest.mark.parametrize(("secret", "severity"), [(None, OK), ("short", WARNING), (SECRET, OK)])
    async def test_lets_development_have_any_secret(self, sqlite_url: str, secret: str, severity: Severity) -> None:
        assert (await found(secret_key=secret, database_url=sqlite_url))["D002"].severity is severity

    async def test_shows_no_secret(self, sqlite_url: str) -> None:
        findings = await found(environment="production", secret_key="hunter2", database_url=sqlite_url)
        assert "hunter2" not in repr(findings)

    async def test_warns_of_proxies_that_production_does_not_name(
        self, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        common = {"environment": "production", "secret_key": SECRET, "database_url": sqlite_url}
        finding = (await found(**common))["D005"]
        assert (finding.severity, "GQLAPI_TRUSTED_PROXIES is not set" in finding.found) == (WARNING, True)
        assert (await found(database_url=sqlite_url))["D005"].severity is OK
        for chosen in ("[]", '["10.0.0.0/8"]'):
            monkeypatch.setenv("GQLAPI_TRUSTED_PROXIES", chosen)
            assert (await found(**common))["D005"].severity is OK

    @pytest.mark.parametrize(("values", "codes"), [({}, ["D005"]), ({"trusted_proxies": []}, [])])
    async def test_warns_of_them_when_the_server_starts(
        self, sqlite_url: str, values: dict[str, Any], codes: list[str]
    ) -> None:
        settings = settings_for(sqlite_url, environment="production", secret_key=SECRET, **values)
        with capture_logs() as logs:
            async with serve(settings):
                pass
        assert [line["code"] for line in logs if line["event"] == "doctor"] == codes

    async def test_warns_of_graphiql_in_production(self, sqlite_url: str) -> None:
        common = {"environment": "production", "secret_key": SECRET, "database_url": sqlite_url}
        assert (await found(graphiql=True, **common))["D003"].severity is WARNING
        assert (await found(**common))["D003"].severity is OK

    async def test_warns_of_every_origin(self, sqlite_url: str) -> None:
        assert (await found(cors_origins=["*"], database_url=sqlite_url))["D004"].severity is WARNING


class TestReachability:
    async def test_masks_the_password(self) -> None:
        url = "postgresql://gqlapi:hunter2@127.0.0.1:1/blog?password=hunter3"
        findings = await found_in(url)
        assert list(findings) == ["D101"]
        assert findings["D101"].severity is ERROR
        assert "gqlapi:***@127.0.0.1:1/blog" in findings["D101"].found
        assert "hunter" not in repr(findings)

    def test_masks_every_secret_of_a_url(self) -> None:
        assert mask_url("postgresql://a:b@c/d?sslpassword=e") == "postgresql://a:***@c/d?sslpassword=%2A%2A%2A"

    @pytest.mark.parametrize("url", ["mysql://localhost/blog", "nonsense", "sqlite://"])
    async def test_reports_a_wrong_url(self, url: str) -> None:
        assert (await found_in(url))["D101"].severity is ERROR

    async def test_makes_no_file(self, empty_sqlite_url: str) -> None:
        assert "gqlapi migrate" in (await found_in(empty_sqlite_url))["D101"].fix
        assert not Path(sa.make_url(empty_sqlite_url).database or "").exists()

    async def test_reports_a_missing_folder(self, tmp_path: Path) -> None:
        assert "Create it" in (await found_in(f"sqlite:///{tmp_path}/missing/blog.db"))["D101"].fix


class TestRevision:
    async def stamp(self, url: str, revision: str) -> None:
        async with connect(url) as connection:
            await connection.execute(sa.text("UPDATE alembic_version SET version_num = :number"), {"number": revision})
            await connection.commit()

    async def test_is_at_head(self, database_url: str) -> None:
        assert head_revision() in (await found_in(database_url))["D102"].found

    async def test_is_behind(self, empty_database_url: str) -> None:
        oldest = (missing_revisions(None) or [])[-1]
        await upgrade(empty_database_url, oldest)
        finding = (await found_in(empty_database_url))["D102"]
        assert finding.severity is ERROR
        assert f"at {oldest}, {len(missing_revisions(oldest) or [])} behind" in finding.found

    async def test_is_ahead(self, database_url: str) -> None:
        await self.stamp(database_url, "fedcba987654")
        finding = (await found_in(database_url))["D102"]
        assert finding.severity is WARNING
        assert "ahead" in finding.found

    def test_is_unknown(self) -> None:
        finding = database.check_revision(DatabaseFacts(POSTGRES, ("fedcba987654",), frozenset({"wp_posts"})))
        assert finding.severity is ERROR
        assert "unknown" in finding.found

    def test_is_ahead_when_all_tables_are_there(self) -> None:
        facts = DatabaseFacts(POSTGRES, ("fedcba987654",), frozenset(Base.metadata.tables))
        assert database.check_revision(facts).severity is WARNING


class TestPostgresql:
    async def test_reads_its_settings(self, postgresql_url: str) -> None:
        findings = await found_in(postgresql_url)
        assert {"D103", "D104", "D105", "D106", "D107"} <= set(findings)
        assert findings["D107"].severity is OK

    async def test_sees_the_durability_of_the_database(self, postgresql_url: str) -> None:
        name = sa.make_url(postgresql_url).database
        for value, severity in (("on", OK), ("off", WARNING)):
            async with connect(postgresql_url) as connection:
                await connection.execute(sa.text(f'ALTER DATABASE "{name}" SET synchronous_commit = {value}'))
                await connection.commit()
            assert (await found_in(postgresql_url))["D105"].severity is severity

    @pytest.mark.parametrize(("number", "severity"), [(130_018, ERROR), (140_000, OK)])
    def test_must_not_be_too_old(self, number: int, severity: Severity) -> None:
        assert servers.check_postgresql_version(replace(POSTGRES, version_number=number)).severity is severity

    @pytest.mark.parametrize(("encoding", "severity"), [("SQL_ASCII", ERROR), ("UTF8", OK)])
    def test_must_hold_every_character(self, encoding: str, severity: Severity) -> None:
        assert servers.check_encoding(replace(POSTGRES, encoding=encoding)).severity is severity

    @pytest.mark.parametrize(("seconds", "severity"), [(2.5, WARNING), (1.5, OK)])
    def test_must_have_the_right_time(self, seconds: float, severity: Severity) -> None:
        assert servers.check_clock(replace(POSTGRES, clock_offset_seconds=seconds)).severity is severity


class TestPool:
    @pytest.mark.parametrize(
        ("workers", "pool_size", "severity"), [(1, 95, WARNING), (1, 92, OK), (2, 46, WARNING), (2, 48, ERROR)]
    )
    def test_must_fit(self, workers: int, pool_size: int, severity: Severity) -> None:
        finding = servers.check_pool(POSTGRES, pool_size, workers)
        assert finding.severity is severity
        assert f"= {workers * pool_size + workers + 1}; PostgreSQL admits 97 (max_connections 100, 3 " in finding.found

    async def test_counts_the_workers_of_production_only(self, postgresql_url: str) -> None:
        values = {"workers": 50, "pool_size": 50, "secret_key": SECRET}
        finding = await examine_pool(settings_for(postgresql_url, **values))
        assert finding
        assert finding.severity is OK
        finding = await examine_pool(settings_for(postgresql_url, environment="production", **values))
        assert finding
        assert finding.severity is ERROR

    async def test_is_warned_of_at_start_up(self, postgresql_url: str) -> None:
        settings = settings_for(postgresql_url, pool_size=5_000, log_level="info")
        with capture_logs() as logs:
            async with serve(settings, examines_pool=True):
                pass
        [line] = [line for line in logs if line["event"] == "doctor"]
        assert (line["code"], line["log_level"]) == ("D106", "warning")
        assert "= 5002; PostgreSQL admits " in line["found"]

    @pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/none", "nonsense", "sqlite:///none.db"])
    async def test_is_not_checked_without_a_server(self, url: str) -> None:
        assert await examine_pool(settings_for(url)) is None

    async def test_of_an_unmigrated_database_is_logged_at_start_up(self, dialect: str, empty_database_url: str) -> None:
        common = {"environment": "production", "secret_key": SECRET, "trusted_proxies": []}
        with capture_logs() as logs:
            async with serve(settings_for(empty_database_url, **common)):
                pass
        [line] = [line for line in logs if line["event"] == "doctor"]
        expected = {"sqlite": ("D101", "connection is 'missing'"), "postgresql": ("D102", "revision is 'not migrated'")}
        code, state = expected[dialect]
        assert (line["code"], state in line["found"]) == (code, True)

    async def test_does_not_keep_a_server_from_starting(self) -> None:
        async with serve(settings_for("postgresql://nobody@127.0.0.1:1/none")) as api:
            assert (await api.http.get("/healthz")).status_code == 200


class TestSqlite:
    facts = SqliteFacts("3.45.1", has_fts5=True, journal_mode="wal", path=Path(__file__))

    @pytest.mark.parametrize(("version", "severity"), [("3.34.1", ERROR), ("3.35.0", OK)])
    def test_must_not_be_too_old(self, version: str, severity: Severity) -> None:
        assert servers.check_sqlite_version(replace(self.facts, version=version)).severity is severity

    def test_must_have_full_text_search(self) -> None:
        assert servers.check_sqlite_version(replace(self.facts, has_fts5=False)).severity is ERROR

    @pytest.mark.parametrize(
        ("environment", "value", "severity"),
        [("dev", None, OK), ("production", None, OK), ("production", "normal", WARNING), ("production", "full", OK)],
    )
    async def test_must_be_durable_in_production(
        self, sqlite_url: str, environment: str, value: str | None, severity: Severity
    ) -> None:
        settings = {"environment": environment, "sqlite_synchronous": value, "secret_key": SECRET}
        finding = (await found_in(sqlite_url, **settings))["D105"]
        assert (finding.severity, "power failure" in finding.found) == (severity, "NORMAL" in finding.found)
        database = create_database(settings_for(sqlite_url, **settings))
        async with database.write_engine.connect() as connection:
            state = (await connection.exec_driver_sql("PRAGMA synchronous")).scalar_one()
        await database.dispose()
        assert state == (1 if "NORMAL" in finding.found else 2)

    async def test_must_have_the_right_journal(self, sqlite_url: str) -> None:
        assert (await found_in(sqlite_url))["D111"].severity is OK
        async with connect(sqlite_url) as connection:
            driver = await connection.get_raw_connection()
            await driver.driver_connection.execute("PRAGMA journal_mode=DELETE")  # type: ignore[union-attr] # aiosqlite's
        assert (await found_in(sqlite_url))["D111"].severity is WARNING

    @pytest.mark.parametrize(("free", "severity"), [(2**40, OK), (2**29, WARNING), (2**20, ERROR)])
    async def test_needs_disk_space(
        self, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, free: int, severity: Severity
    ) -> None:
        monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(2**41, 0, free))
        assert (await found_in(sqlite_url))["D112"].severity is severity

    async def test_must_be_writable(self, sqlite_url: str) -> None:
        path = sa.make_url(sqlite_url).database
        findings = await found_in(f"sqlite:///file:{path}?mode=ro&uri=true")
        assert findings["D113"].severity is ERROR
        assert "readonly" in findings["D113"].found

    async def test_must_not_be_locked(self, sqlite_url: str) -> None:
        async with connect(sqlite_url) as connection:
            connection.sync_connection.info["begin"] = "BEGIN IMMEDIATE"  # type: ignore[union-attr] # it is connected
            await connection.execute(sa.text("SELECT 1"))
            findings = await found_in(sqlite_url, connect_timeout_seconds=0.2)
        assert findings["D113"].severity is WARNING


class TestRights:
    async def test_are_those_of_a_writer(self, postgresql_url: str) -> None:
        assert (await found_in(postgresql_url))["D113"].severity is OK

    def test_are_missing_on_a_standby(self) -> None:
        finding = servers.check_rights(replace(POSTGRES, is_in_recovery=True, is_read_only=True))
        assert (finding.severity, "standby" in finding.found) == (ERROR, True)


class TestMachine:
    def test_finds_a_free_address(self) -> None:
        assert machine.check_address("127.0.0.1", 0).severity is OK

    def test_names_the_process_that_uses_the_address(self, listener: int) -> None:
        finding = machine.check_address("127.0.0.1", listener)
        assert finding.severity is ERROR
        if sys.platform == "linux":
            assert f"process {os.getpid()}," in finding.found

    async def test_recognises_a_gqlapi(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url)) as api:
            findings = await found(port=api.http.base_url.port, database_url=sqlite_url)
        assert findings["D201"].severity is WARNING
        assert "A gqlapi already answers" in findings["D201"].found

    @pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
    def test_reports_an_address_of_another_machine(self, host: str) -> None:
        finding = machine.check_address(host, 0)
        assert finding.severity is ERROR
        assert "Cannot listen on" in finding.found

    def test_does_not_name_a_process_that_it_cannot_see(self, tmp_path: Path) -> None:
        assert machine.listener_of(80, proc=tmp_path) == ""

    @pytest.mark.parametrize(("workers", "severity"), [(5, WARNING), (4, OK)])
    def test_compares_workers_with_processors(self, workers: int, severity: Severity) -> None:
        assert machine.check_workers(workers, 4).severity is severity


class TestGuard:
    async def test_reports_checks_that_fail(self, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(database, "check_revision", fail)
        monkeypatch.setattr(machine, "check_address", fail)
        findings = await found(database_url=sqlite_url)
        assert {code for code, finding in findings.items() if "ZeroDivisionError" in finding.found} == {"D101", "D201"}


class TestCommand:
    def test_prints_a_line_for_each_check(self, sqlite_url: str) -> None:
        done = run("doctor", url=sqlite_url, port="0")
        assert (done.status, done.errors) == (0, "")
        assert [line[:4] for line in done.lines] == [
            *("D001", "D002", "D003", "D004", "D005", "D101", "D102", "D103", "D105", "D108", "D111", "D112", "D113"),
            *("D121", "D122", "D123", "D201", "D202"),
        ]

    def test_fails_with_an_error(self, empty_sqlite_url: str) -> None:
        done = run("doctor", "--json", "--production", url=empty_sqlite_url, port="0", pool_size="none")
        report = json.loads(done.output)
        wrong = [finding["code"] for finding in report["findings"] if finding["severity"] == "error"]
        assert wrong == ["D001", "D002", "D101"]
        assert (done.status, report["errors"]) == (1, 3)
        assert set(report["findings"][0]) == {"code", "severity", "check", "found", "fix"}

    def test_draws_a_table_on_a_terminal(self) -> None:
        console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115 - closed at exit
        console.print(_table([Finding("D104", ERROR, "It is [bold].", "Fix [it].")]))
        console.file.close()
        text = console.export_text()
        assert "D104" in text
        assert "It is [bold]." in text
        assert "Fix: Fix [it]." in text

    def test_has_a_name_for_each_code(self) -> None:
        assert all(code[0] == "D" and code[1:].isdigit() for code in CHECKS)
        assert len(set(CHECKS.values())) == len(CHECKS)
