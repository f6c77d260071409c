"""Counts the SQL statements of an operation, and explains them where it is asked to."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

SAVEPOINTS = ("SAVEPOINT ", "RELEASE SAVEPOINT ", "ROLLBACK TO SAVEPOINT ")

# Called with the text of a statement, its parameters, and its seconds; it may have failed.
OnStatement = Callable[[str, Any, float], None]


class Trace:
    """The number and the time of the statements of one operation.

    The time ends when all rows are here; that of the first statement includes the BEGIN that the driver sends along.
    """

    __slots__ = ("_on_statement", "_started", "seconds", "statements")

    # Whether `executed` looks at statements.
    explains: ClassVar[bool] = False

    def __init__(self, on_statement: OnStatement | None = None) -> None:
        """Begin with nothing."""
        self.statements = 0
        self.seconds = 0.0
        self._on_statement = on_statement
        self._started: float | None = None

    @property
    def ms(self) -> float:
        """The time of all statements together, in milliseconds."""
        return round(self.seconds * 1000, 1)

    def start(self) -> None:
        """Note that a statement begins; an operation runs one at a time."""
        self.statements += 1
        self._started = time.perf_counter()

    def stop(self, sql: str, parameters: Any) -> float:
        """Note that it ended, well or not, and return its seconds; a second call does nothing."""
        if self._started is None:
            return 0.0
        seconds, self._started = time.perf_counter() - self._started, None
        self.seconds += seconds
        if self._on_statement is not None:
            self._on_statement(sql, parameters, seconds)
        return seconds

    def executed(self, _connection: sa.Connection, _sql: str, _parameters: Any, _rows: int, _seconds: float) -> None:
        """Look at a statement that succeeded; `rows` is negative if the driver does not report it."""


# The operation that runs here, and in the tasks that it starts.
CURRENT_TRACE: ContextVar[Trace | None] = ContextVar("trace", default=None)


@contextmanager
def tracing(trace: Trace) -> Iterator[None]:
    """Count the statements of the block, and of the tasks that it starts."""
    token = CURRENT_TRACE.set(trace)
    try:
        yield
    finally:
        CURRENT_TRACE.reset(token)


@dataclass(frozen=True, slots=True)
class ExplainedStatement:
    """A statement that ran: its text with placeholders, its rows, its time, and the lines of its plan."""

    sql: str
    rows: int
    ms: float
    plan: tuple[str, ...]


class ExplainingTrace(Trace):
    """Keeps each statement with its plan, made with the statement's own parameters in the same transaction."""

    __slots__ = ("explained",)
    explains = True

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.explained: list[ExplainedStatement] = []

    def executed(self, connection: sa.Connection, sql: str, parameters: Any, rows: int, seconds: float) -> None:
        """Explain the statement, and count its rows where the driver does not."""
        plan = plan_of(connection, sql, parameters)
        if rows < 0:
            rows = connection.exec_driver_sql(f"SELECT count(*) FROM ({sql}) AS explained", parameters).scalar_one()  # noqa: S608 - the text of a statement that ran
        self.explained.append(ExplainedStatement(sql, rows, round(seconds * 1000, 1), plan))


def install_tracing(engine: AsyncEngine) -> None:
    """Report the statements of connections to the current trace; kept statements on PostgreSQL report themselves."""

    @sa.event.listens_for(engine.sync_engine, "before_cursor_execute")
    def _before(_connection: object, _cursor: object, sql: str, _parameters: object, context: Any, _m: object) -> None:
        if (trace := _trace_of(context, sql)) is not None:
            trace.start()

    @sa.event.listens_for(engine.sync_engine, "after_cursor_execute")
    def _after(connection: sa.Connection, cursor: Any, sql: str, parameters: Any, context: Any, _m: object) -> None:
        if (trace := _trace_of(context, sql)) is not None:
            seconds = trace.stop(sql, parameters)
            if trace.explains:
                trace.executed(connection, sql, parameters, cursor.rowcount, seconds)

    @sa.event.listens_for(engine.sync_engine, "handle_error")
    def _failed(failure: sa.engine.ExceptionContext) -> None:
        if (trace := _trace_of(failure.execution_context, failure.statement or "")) is not None:
            trace.stop(failure.statement or "", failure.parameters)


def _trace_of(context: Any, sql: str) -> Trace | None:
    # Transaction control is not counted, nor are SET and PRAGMA: but for savepoints, all these run uncompiled.
    if context is None or context.compiled is None or sql.startswith(SAVEPOINTS):
        return None
    return CURRENT_TRACE.get()


def plan_of(connection: sa.Connection, sql: str, parameters: Any) -> tuple[str, ...]:
    """Return the lines of the plan of a statement, which on PostgreSQL show its parameters."""
    if connection.dialect.name == "postgresql":
        return tuple(connection.exec_driver_sql(f"EXPLAIN {sql}", parameters).scalars())
    depths: dict[int, int] = {0: -1}
    lines = []
    for id_, parent, _, detail in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters):
        depths[id_] = depths.get(parent, -1) + 1
        lines.append("  " * depths[id_] + detail)
    return tuple(lines)
