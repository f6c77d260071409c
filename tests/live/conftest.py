"""A server's own state."""

import pytest

from gqlapi.http.subscriptions import Subscriptions
from tests.api import Api


@pytest.fixture
def subscriptions(api: Api) -> Subscriptions:
    subscriptions: Subscriptions = api.app.state.subscriptions
    return subscriptions
