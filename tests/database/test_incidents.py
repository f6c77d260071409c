"""The log has the cause of each refusal, once for each kind and with counts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from gqlapi.database.engine import EngineOptions
from gqlapi.database.failures import Trouble
from gqlapi.database.incidents import Incidents
from gqlapi.database.unit import Database
from gqlapi.errors import ApiError, OperationTimeout, Unavailable
from tests.api import in_unit, serve, settings_for
from tests.test_availability import endless
from tests.test_concurrency import slow_reads

PERIOD_SECONDS = 0.05


class DriverError(Exception):
    """What a driver raises."""

    def __init__(self, sqlstate: str, text: str) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


def failure(sqlstate: str, text: str = "first line\nDETAIL: secret") -> DBAPIError:
    return DBAPIError("SELECT secret", {"value": "secret"}, DriverError(sqlstate, text))


class TestIncident:
    async def test_is_logged_when_it_starts_continues_and_ends(self) -> None:
        incidents = Incidents(PERIOD_SECONDS)
        with capture_logs() as lines:
            for _ in range(1_000):
                incidents.record(Trouble.DISK, failure("53100"))
            while len(lines) < 3:
                await asyncio.sleep(0.01)
        assert [line["event"] for line in lines] == [
            f"database incident {word}" for word in ("started", "continues", "ended")
        ]
        started = {"kind": "disk full or failing", "error": "DriverError", "sqlstate": "53100", "message": "first line"}
        assert started.items() <= lines[0].items()
        assert [lines[1]["operations"], lines[1]["operations_in_all"], lines[2]["operations_in_all"]] == [
            999,
            1000,
            1000,
        ]
        assert "secret" not in str(lines)

    async def test_of_each_kind_is_one_by_itself(self) -> None:
        incidents = Incidents()
        with capture_logs() as lines:
            for kind in (Trouble.BUSY, Trouble.UNREACHABLE, Trouble.BUSY):
                incidents.record(kind)
            incidents.close()
        assert [(line["kind"], line["log_level"]) for line in lines] == [
            ("busy", "warning"),
            ("unreachable", "error"),
            ("busy", "warning"),
            ("unreachable", "warning"),
        ]


class TestCause:
    @pytest.fixture
    async def database(self, database_url: str) -> AsyncIterator[Database]:
        database = Database(
            database_url,
            EngineOptions(pool_size=1, statement_timeout_ms=100),
            queue_timeout_seconds=0.05,
            logs_incidents=True,
        )
        yield database
        await database.dispose()

    async def kinds(self, work: Awaitable[Any], expected: type[ApiError]) -> list[str]:
        with capture_logs() as lines, pytest.raises(expected):
            await work
        return [line["kind"] for line in lines if line["event"] == "database incident started"]

    async def test_of_a_busy_server(self, database: Database) -> None:
        place = await database.gate.enter()
        assert await self.kinds(in_unit(database, lambda unit: unit.rows(sa.select(1))), Unavailable) == ["busy"]
        place.leave()

    async def test_of_a_slow_statement(self, database: Database) -> None:
        assert await self.kinds(in_unit(database, lambda unit: unit.rows(endless())), OperationTimeout) == [
            "statement timeout"
        ]

    async def test_of_a_missing_table(self, empty_database_url: str) -> None:
        if empty_database_url.startswith("sqlite"):
            Path(empty_database_url.removeprefix("sqlite:///")).touch()  # only a migration creates it
        database = Database(empty_database_url, logs_incidents=True)
        missing: sa.Select[Any] = sa.select(sa.column("id")).select_from(sa.table("posts"))
        assert await self.kinds(in_unit(database, lambda unit: unit.rows(missing)), Unavailable) == [
            "schema does not fit"
        ]
        await database.dispose()

    @pytest.mark.parametrize(
        ("sqlstate", "kind"),
        [
            ("53100", "disk full or failing"),
            ("55P03", "lock timeout"),
            ("25006", "read-only"),
            ("42501", "permission denied"),
            ("28P01", "unreachable"),
            ("53300", "unreachable"),
        ],
    )
    async def test_of_a_failed_write(self, database: Database, sqlstate: str, kind: str) -> None:
        async def fail(_: object) -> None:
            raise failure(sqlstate)

        assert await self.kinds(database.transact(fail), Unavailable) == [kind]

    async def test_of_a_slow_operation(self, database_url: str) -> None:
        async with serve(settings_for(database_url, operation_timeout_seconds=0.1, statement_timeout_ms=1_000)) as api:
            with capture_logs() as lines, slow_reads(api.database):
                await api.execute("{ tags { totalCount } }")
        started = [line["kind"] for line in lines if line["event"] == "database incident started"]
        assert started == ["operation timeout"]
