"""The clients that tests run against a server."""

import pytest

from tests.architecture import ROOT
from tests.clients.installation import ClientsUnavailable, Workspace, make_workspace, skip_without_clients


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A folder with the clients; without them the test is skipped, but `.ci/run` must have them."""
    try:
        return make_workspace(tmp_path_factory.mktemp("clients"), ROOT / "schema.graphql")
    except ClientsUnavailable as error:
        skip_without_clients(error)
