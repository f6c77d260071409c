"""Statements that are compiled once, and executed with the values of each request.

Building a statement and executing it through SQLAlchemy costs about 0.3 ms of CPU, which is more than the driver needs
for the whole round trip. SQLAlchemy compiles a kept statement; on PostgreSQL asyncpg executes it, on the connection
and in the transaction of SQLAlchemy's session, and keeps it prepared. On SQLite, SQLAlchemy executes it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.sql.compiler import SQLCompiler

from gqlapi.database.tracing import CURRENT_TRACE

Processor = Callable[[Any], Any]
Values = Mapping[str, Any]
Rows = Sequence[Sequence[Any]]

DIALECTS: dict[str, sa.Dialect] = {"postgresql": PGDialect_asyncpg(), "sqlite": SQLiteDialect_aiosqlite()}


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of a value in the form of something: equal forms have one statement, regardless of the values."""

    name: str


def bind(value: Any, type_: sa.types.TypeEngine[Any]) -> sa.ColumnElement[Any]:
    """Return the parameter of a slot, or that of a value."""
    return sa.bindparam(value.name, type_=type_) if isinstance(value, Slot) else sa.literal(value, type_)


class KeptStatement:
    """A statement compiled for one database; its parameters are supplied by their names.

    A parameter that a request does not supply has the value that it had when the statement was made, and a value that
    the statement has no parameter for is left out. SQLAlchemy's defaults of columns (`default`, `onupdate`) do not
    apply: an INSERT names all its values.
    """

    __slots__ = ("_fixed", "_names", "_parameters", "_statement", "processors", "sql")

    def __init__(self, statement: Any, dialect_name: str) -> None:
        """Compile a statement: SELECT, or INSERT, UPDATE or DELETE.

        Raises:
            ValueError: its text depends on its values, as with `IN` over a list.
        """
        dialect = DIALECTS[dialect_name]
        compiled: SQLCompiler = statement.compile(dialect=dialect)
        if compiled.literal_execute_params or compiled.post_compile_params:
            raise ValueError("the text of a kept statement cannot depend on its values")
        self.sql = str(compiled)
        # Of each column what makes its value of the driver's; empty where the rows are right as they are.
        self.processors: tuple[Processor | None, ...] = ()
        # What SQLAlchemy executes, where it does.
        self._statement: Any = None if dialect_name == "postgresql" else statement
        self._names = frozenset(compiled.binds)
        self._parameters: tuple[tuple[str, Processor | None], ...] = ()
        self._fixed: dict[str, Any] = {}
        if dialect_name == "postgresql":
            self._prepare(compiled, dialect)

    def _prepare(self, compiled: SQLCompiler, dialect: sa.Dialect) -> None:
        columns = compiled._result_columns  # noqa: SLF001 - the types of what is returned, which has no public name
        processors = tuple(_result_processor(column.type, dialect) for column in columns)
        self.processors = processors if any(processors) else ()
        names = compiled.positiontup or ()
        self._parameters = tuple((name, _bind_processor(compiled.binds[name].type, dialect)) for name in names)
        binds = [compiled.binds[name] for name in names]
        self._fixed = {name: bind.effective_value for name, bind in zip(names, binds, strict=True) if not bind.required}

    @property
    def size(self) -> int:
        """The memory that the statement takes, about, in bytes."""
        return 4_096 + 8 * len(self.sql) if self._statement is None else 24_576 + 150 * len(self.sql)

    async def fetch(
        self,
        connection: AsyncConnection,
        values: Values,
        *,
        in_transaction: bool = True,
        options: Mapping[str, Any] | None = None,
    ) -> Rows:
        """Execute the statement and return its rows as the driver has them: `processors` are not applied.

        Without `in_transaction`, a connection that has not begun a transaction does not begin one on PostgreSQL.
        Nothing is flushed before. Counted by the current trace. `options` are SQLAlchemy's, where it executes.

        Raises:
            DBAPIError: as SQLAlchemy raises it; after a failure of the connection, it is invalidated.
        """
        if connection.dialect.name != "postgresql":
            own = {name: value for name, value in values.items() if name in self._names}
            result = await connection.execute(self._statement, own, execution_options=options)
            return result.all() if result.returns_rows else ()
        arguments = self._arguments(values)
        return await _execute(connection, self.sql, arguments, in_transaction=in_transaction)

    async def rows(self, connection: AsyncConnection | AsyncSession, values: Values) -> Rows:
        """Execute the statement in the transaction of a connection or session, and return its rows.

        Raises:
            DBAPIError: as SQLAlchemy raises it; after a failure of the connection, it is invalidated.
        """
        if isinstance(connection, AsyncSession):
            connection = await connection_of(connection)
        return self.processed(await self.fetch(connection, values))

    def processed(self, rows: Rows) -> Rows:
        """Return rows with the values of the types of their columns."""
        processors = self.processors
        if not processors:
            return rows
        return [
            tuple(value if process is None else process(value) for process, value in zip(processors, row, strict=True))
            for row in rows
        ]

    def _arguments(self, values: Values) -> list[Any]:
        fixed = self._fixed
        return [
            value if process is None else process(value)
            for name, process in self._parameters
            for value in (values[name] if name in values else fixed[name],)
        ]


async def connection_of(session: AsyncSession) -> AsyncConnection:
    """Return the connection of a session; asking the session itself takes as long as a short statement."""
    bound = session.bind
    return bound if isinstance(bound, AsyncConnection) else await session.connection()


async def end_transaction(connection: AsyncConnection) -> bool:
    """Roll back what kept statements alone have begun on PostgreSQL; return False if SQLAlchemy has a part in it.

    Raises:
        Exception: the connection was lost; it has been given up.
    """
    core = connection.sync_connection
    if core is None or core.invalidated or core.in_transaction():
        return False
    adapter: Any = core.connection.dbapi_connection
    transaction, adapter._transaction = adapter._transaction, None  # noqa: SLF001 - what its own rollback does
    if transaction is None:
        return True
    try:
        await transaction.rollback()
    except BaseException as error:
        await connection.invalidate(error)
        await connection.close()
        raise
    return True


def _bind_processor(type_: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> Processor | None:
    if isinstance(type_, sa.ARRAY) and _bind_processor(type_.item_type, dialect) is None:
        return None  # SQLAlchemy's would look at each item
    return type_.dialect_impl(dialect).bind_processor(dialect)


def _result_processor(type_: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> Processor | None:
    if isinstance(type_, sa.Enum) and type_.enum_class is not None:  # a tenth of the time of SQLAlchemy's own
        members = {type_.bind_processor(dialect)(member): member for member in type_.enum_class}
        return {None: None, **members}.__getitem__
    if isinstance(type_, sa.Double):  # a float already; SQLAlchemy's looks at the type in the driver's answer
        return None
    return type_.dialect_impl(dialect).result_processor(dialect, None)


async def _execute(connection: AsyncConnection, sql: str, arguments: Sequence[Any], *, in_transaction: bool) -> Rows:
    """Execute SQL by asyncpg, on the connection and in the transaction that SQLAlchemy has."""
    core = connection.sync_connection
    if core is None or core.invalidated:
        raise PendingRollbackError("the connection has been lost")
    adapter: Any = core.connection.dbapi_connection
    trace = CURRENT_TRACE.get()
    # What listens to SQLAlchemy's statements sees this one as well, and may change it.
    for listener in core.dispatch.before_cursor_execute:
        sql, arguments = listener(core, None, sql, arguments, None, False)  # noqa: FBT003 - the event's own
    if trace is not None:
        trace.start()
    try:
        # SQLAlchemy begins with its first statement, which this one may be.
        if in_transaction and adapter._transaction is None:  # noqa: SLF001 - what its own cursor does
            await adapter._start_transaction()  # noqa: SLF001
        rows: Rows = await adapter.driver_connection.fetch(sql, *arguments)
    except BaseException as error:
        await connection.run_sync(_raise_as_sqlalchemy, adapter, error, sql)
        raise
    finally:
        seconds = 0.0 if trace is None else trace.stop(sql, arguments)
    if trace is not None and trace.explains:
        await connection.run_sync(trace.executed, sql, tuple(arguments), len(rows), seconds)
    return rows


def _raise_as_sqlalchemy(connection: sa.Connection, adapter: Any, error: BaseException, sql: str) -> None:
    """Raise what SQLAlchemy raises when it executes a statement itself, which invalidates a lost connection."""
    try:
        if isinstance(error, Exception):
            adapter._handle_exception(error)  # noqa: SLF001 - raises the class that SQLAlchemy knows
        raise error  # noqa: TRY301 - the exception must be the one that is being handled
    except BaseException as raised:  # noqa: BLE001 - it looks at the exception that is being handled
        connection._handle_dbapi_exception(raised, sql, None, None, None)  # noqa: SLF001 - there is no public way
