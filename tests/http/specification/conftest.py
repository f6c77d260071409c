"""A server of the production kind, whose database is empty."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.api import Api, serve, settings_for


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(sqlite_template: Path) -> AsyncIterator[Api]:
    """A server that the tests of a module share: none of them changes its database."""
    async with serve(settings_for(f"sqlite:///{sqlite_template}", report_costs=False)) as api:
        yield api
