"""The log of operations that took long, with the plan of their slowest statement."""

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gqlapi.database.plans import plan_if_free
from gqlapi.database.unit import Database
from gqlapi.http.reporting import SlowestTrace
from gqlapi.telemetry.reports import OperationReport, fields_of

logger = structlog.get_logger()


class SlowOperations:
    """Logs operations that take longer than a threshold.

    One statement is explained at a time: when many operations are slow, the database has enough to do.
    """

    def __init__(self, database: Database, threshold_ms: int) -> None:
        """Log what takes longer than so many milliseconds."""
        self._database = database
        self._threshold_seconds = threshold_ms / 1000
        self._explaining: asyncio.Task[None] | None = None

    def observe(self, report: OperationReport) -> None:
        """Log an operation if it was slow; its plan follows when it is known."""
        if report.duration < self._threshold_seconds:
            return
        slowest = report.slowest if isinstance(report, SlowestTrace) else None
        if slowest is None or self._explaining is not None:
            _log(report, "" if slowest is None else slowest[0], [])
            return
        self._explaining = asyncio.create_task(self._explain(report, *slowest))

    async def _explain(self, report: OperationReport, sql: str, parameters: object) -> None:
        plan: list[str] = []
        try:
            async with asyncio.timeout(self._threshold_seconds + 1):
                plan = await plan_if_free(self._database, sql, parameters)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            plan = [f"not explained: {type(error).__name__}"]
        finally:
            self._explaining = None
            _log(report, sql, plan)

    async def close(self) -> None:
        """Wait for the statement that is being explained."""
        if self._explaining is not None:
            await asyncio.wait([self._explaining])


def _log(report: OperationReport, sql: str, plan: list[str]) -> None:
    fields = fields_of([report])
    logger.warning("slow operation", ms=round(report.duration * 1000, 1), **fields, statement=sql, plan=plan)
