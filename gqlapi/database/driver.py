"""asyncpg's connection, with a bound on every wait for the server.

A server that is gone without a word (a lost host, a firewall that forgot the connection) never answers; the kernel
notices after minutes. Statements are bounded by asyncpg's `command_timeout`.
"""

from typing import Any

import asyncpg

# A connection that is given up while its server still works on something: the longest wait for that to end.
CLOSE_TIMEOUT_SECONDS = 1.0


def bounded_connection(control_timeout_seconds: float) -> type[asyncpg.Connection]:
    """Return the class of connections that wait that long for a BEGIN or a ROLLBACK.

    Both take no time at a server that works; a COMMIT may take as long as a statement.
    """

    class BoundedConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
        __slots__ = ()

        async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109 - asyncpg's
            if timeout is None and query.startswith(("BEGIN", "ROLLBACK")):
                timeout = control_timeout_seconds
            status: str = await super().execute(query, *args, timeout=timeout)
            return status

        async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's
            if timeout is None:
                # SQLAlchemy closes what is idle: the server is told, and nothing is left to wait for.
                self.terminate()
            else:
                await super().close(timeout=min(timeout, CLOSE_TIMEOUT_SECONDS))

    return BoundedConnection
