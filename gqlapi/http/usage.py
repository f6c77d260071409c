"""Counts which parts of the schema clients use, and writes the sums from time to time."""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.types import utc_now
from gqlapi.database.unit import Database
from gqlapi.execution.plan import Operation
from gqlapi.http.clients import Headers
from gqlapi.operations.coordinates import coordinates_of, coordinates_of_variables
from gqlapi.repositories.field_usage import add_usage, list_clients

FLUSH_SECONDS = 30.0
CLOSE_SECONDS = 3.0
# The first is that of a draft, the second that of Apollo's clients and tools.
CLIENT_HEADERS = (b"graphql-client-name", b"apollographql-client-name")
CLIENT_NAME = re.compile(rb"[A-Za-z0-9 ._@/:+-]{1,100}")
# A client chooses its name: more of them than this share one.
MAX_CLIENTS = 100
OTHERS = "(others)"

logger = structlog.get_logger()


class UsageCounter:
    """The uses that have not been written yet, by client and schema coordinate."""

    def __init__(self, database: Database) -> None:
        """Write to a database."""
        self._database = database
        self._counts: dict[str, Counter[str]] = {}
        self._clients: set[str] = set()

    def count(self, operation: Operation, variables: Mapping[str, Any] | None, headers: Headers) -> None:
        """Count an operation that has run; its variables were counted and coerced before."""
        if operation.coordinates is None:
            operation.coordinates = coordinates_of(operation)
        counts = self._counts.setdefault(self._client_of(headers), Counter())
        counts.update(operation.coordinates)
        if variables:
            counts.update(coordinates_of_variables(operation, variables))

    async def close(self) -> None:
        """Write what is left, unless the database takes too long."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.write()
        except TimeoutError:
            logger.warning("usage of fields not written", seconds=CLOSE_SECONDS)

    async def write(self) -> None:
        """Write the sums in one transaction; when it fails, they wait for the next one."""
        counts, self._counts = self._counts, {}
        if not counts:
            return

        async def add(session: AsyncSession) -> None:
            self._clients |= await list_clients(session)
            await add_usage(session, counts, utc_now())

        try:
            place = await self._database.gate.enter()
            try:
                await self._database.transact(add)
            finally:
                place.leave()
        except Exception as error:
            logger.warning("usage of fields not written", exc_info=error)
            for client, own in counts.items():
                self._counts.setdefault(client, Counter()).update(own)

    def _client_of(self, headers: Headers) -> str:
        given = next((headers[name] for name in CLIENT_HEADERS if name in headers), b"")
        name = given.decode() if CLIENT_NAME.fullmatch(given) else ""
        if name and name not in self._clients:
            if len(self._clients) >= MAX_CLIENTS:
                return OTHERS
            self._clients.add(name)
        return name
