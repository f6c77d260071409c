"""A database without a server."""

from collections.abc import AsyncIterator

import pytest_asyncio

from gqlapi.database.unit import Database, create_database
from tests.api import settings_for


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An empty database of this test's own."""
    database = create_database(settings_for(database_url))
    yield database
    await database.dispose()
