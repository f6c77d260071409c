"""The clients that tests run against a server."""

import os

import pytest

from tests.clients.installation import Clients, ClientsUnavailable, install_clients


@pytest.fixture(scope="session")
def clients() -> Clients:
    """The installed clients; without them the test is skipped, but `.ci/run` must have them."""
    try:
        return install_clients()
    except ClientsUnavailable as error:
        reason = f"the JavaScript clients cannot run here: {error}"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
