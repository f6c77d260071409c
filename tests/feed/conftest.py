"""Live queries that do not rest, and clients of all roles."""

import pytest

from tests.api import Api
from tests.publishing.test_stateful import sign_in_all


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer as soon as there is something to answer."""
    monkeypatch.setattr("gqlapi.feed.live.INTERVAL_SECONDS", 0)
    monkeypatch.setattr("gqlapi.feed.live.REST_PER_RUN", 0)
    monkeypatch.setattr("gqlapi.feed.live.SLOT_REST_PER_RUN", 0)


@pytest.fixture
async def clients(api: Api) -> dict[str, Api]:
    return await sign_in_all(api)
