"""Real clients against real servers, and the code that generators make of the schema."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio

from gqlapi.documents.manifests import read_manifest
from tests.architecture import ROOT
from tests.clients.features import CLIENTS, Observation, expected, table
from tests.clients.installation import Workspace
from tests.clients.place import Servers, serve_clients
from tests.clients.python_client import observe_gql

DOCUMENT = ROOT / "docs" / "clients.md"
MANIFESTS = ("persisted-queries.json", "gql/persisted-documents.json", "persisted-query-manifest.json")
COLOUR = re.compile(r"\x1b\[\d*m")
# All that the generators print when they have nothing to complain about. A step of graphql-codegen that fails has
# another mark, but also its own text and exit status.
QUIET = {
    "relay-compiler": re.compile(r"\[INFO\] .*"),
    "graphql-codegen": re.compile(
        r"\S (Parse Configuration|Load GraphQL \w+|Generate( outputs| to \./(gql/|[\w-]+\.ts))?)"
    ),
    "generate-persisted-query-manifest": re.compile(r"\S Manifest written to .*"),
    "tsc": re.compile(""),
}

Shown = dict[str, dict[str, Observation]]


class Generated(NamedTuple):
    """A workspace with the code that the generators made of the schema, and what each of them printed."""

    workspace: Workspace
    outputs: dict[str, str]


@pytest_asyncio.fixture(scope="class", loop_scope="session")
async def generated(workspace: Workspace) -> Generated:
    """The generated code, compiled together with the programs of the clients."""
    # relay-compiler wants the file to be there.
    (workspace.folder / MANIFESTS[0]).write_text("{}")
    generators = [tool for tool in QUIET if tool != "tsc"]
    printed = await asyncio.gather(*map(workspace.run_tool, generators))
    outputs = dict(zip(generators, printed, strict=True))
    return Generated(workspace, {**outputs, "tsc": await workspace.run_tool("tsc")})


@pytest_asyncio.fixture(scope="class", loop_scope="session")
async def shown(
    generated: Generated, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shown]:
    """What each client has shown, feature by feature."""
    workspace = generated.workspace
    trusted: dict[str, str] = {}
    for name in MANIFESTS:
        trusted |= read_manifest(workspace.folder / name)
    database = shutil.copyfile(sqlite_template, tmp_path_factory.mktemp("clients") / "clients.db")
    async with serve_clients(f"sqlite:///{database}", trusted) as servers:
        observed = await asyncio.gather(*(_observe(workspace, servers, client) for client in CLIENTS))
        yield dict(zip(CLIENTS, observed, strict=True))


async def _observe(workspace: Workspace, servers: Servers, client: str) -> dict[str, Observation]:
    place = await servers.place_of(client)
    if client == "gql":
        return await observe_gql(place)
    lines = map(json.loads, (await workspace.run(f"{client}.js", json.dumps(place))).splitlines())
    return {line["feature"]: Observation(line["seen"], line["sent"]) for line in lines}


class TestClients:
    @pytest.mark.parametrize("tool", QUIET)
    def test_generate_without_a_warning(self, generated: Generated, tool: str) -> None:
        lines = COLOUR.sub("", generated.outputs[tool]).splitlines()
        assert [line for line in lines if not QUIET[tool].fullmatch(line)] == []

    @pytest.mark.parametrize("client", CLIENTS)
    def test_work_with_the_server(self, shown: Shown, client: str) -> None:
        wanted = expected(client)
        assert shown[client] == {feature: wanted[feature] for feature in shown[client]}

    def test_have_a_true_table(self, shown: Shown, record_property: Callable[[str, object], None]) -> None:
        found = table(shown)
        record_property("table", found)
        assert found in DOCUMENT.read_text(encoding="utf-8")
