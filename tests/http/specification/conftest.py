"""A server of the production kind, whose database is empty."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gqlapi.repositories import conditions
from tests.api import Api, serve, settings_for


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(sqlite_template: Path) -> AsyncIterator[Api]:
    """A server that the tests of a module share: none of them changes its database."""
    async with serve(settings_for(f"sqlite:///{sqlite_template}", report_costs=False)) as api:
        yield api


@pytest.fixture(autouse=True)
def _no_folding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter with a text to fold fails while it runs."""
    monkeypatch.setattr(conditions, "MAX_FOLDED_CHARACTERS", 0)
