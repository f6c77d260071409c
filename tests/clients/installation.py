"""JavaScript clients of the API, whose packages `npm ci` installs once for each lockfile, outside of the checkout."""

import asyncio
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, NoReturn

import pytest

from gqlapi.http.graphiql.build import Node, find_node

FOLDER = Path(__file__).resolve().parent
# Its blocks of TypeScript with a title are files that the programs import.
PAGE = FOLDER.parents[1] / "docs" / "clients.md"
FILE = re.compile(r'^```ts title="([\w-]+\.ts)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
MANIFESTS = ("package.json", "package-lock.json", ".npmrc")
# The folder of the installations; by default they are kept between runs.
CACHE_VARIABLE = "GQLAPI_TEST_CLIENTS"
INSTALL_TIMEOUT_SECONDS = 300


class ClientsUnavailable(Exception):
    """There is no Node on this machine, or the packages cannot be installed."""


def skip_without_clients(error: ClientsUnavailable) -> NoReturn:
    """Skip a test that needs the clients; in `.ci/run` it fails instead."""
    reason = f"the JavaScript clients cannot run here: {error}"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


class Workspace(NamedTuple):
    """A folder with the programs of the tests, and the clients beside them."""

    node: list[str]
    folder: Path

    async def run(self, program: str, *arguments: str) -> str:
        """Run a program of the folder, and return all that it prints; it must not fail."""
        # Before version 22 it needs the option to have WebSocket.
        command = [*self.node, "--experimental-websocket", program, *arguments]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        return output.decode()

    async def run_tool(self, tool: str, *arguments: str) -> str:
        """Run a command of an installed package in the same way."""
        return await self.run(f"node_modules/.bin/{tool}", *arguments)


def make_workspace(folder: Path, schema: Path) -> Workspace:
    """Return a workspace in an empty folder; the packages are installed first unless they are there.

    Raises:
        ClientsUnavailable: there can be none, and the message says why.
    """
    node = require_node()
    packages = install_packages(node, FOLDER)
    shutil.copytree(FOLDER / "source", folder, dirs_exist_ok=True)
    for name, text in FILE.findall(PAGE.read_text(encoding="utf-8")):
        (folder / name).write_text(text, encoding="utf-8")
    shutil.copyfile(FOLDER / "package.json", folder / "package.json")
    shutil.copyfile(schema, folder / "schema.graphql")
    (folder / "node_modules").symlink_to(packages / "node_modules")
    return Workspace(node.node, folder)


def require_node() -> Node:
    """Return the commands that start Node.js and npm.

    Raises:
        ClientsUnavailable: they are missing.
    """
    node = find_node()
    if node is None:
        raise ClientsUnavailable("Node.js and npm are missing")
    return node


def install_packages(node: Node, source: Path) -> Path:
    """Return the installation of the lockfile in `source`, which one process makes while the others wait.

    Raises:
        ClientsUnavailable: the packages cannot be installed.
    """
    cache = Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "gqlapi-clients")
    folder = cache / _stamp(source)
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            with TemporaryDirectory(dir=cache, prefix=".") as scratch:
                _install(node, source, made := Path(scratch, "clients"))
                made.rename(folder)
    return folder


def _stamp(source: Path) -> str:
    """Return a name for the packages: another lockfile has another one."""
    return hashlib.sha256(b"\0".join((source / name).read_bytes() for name in MANIFESTS)).hexdigest()[:16]


def _install(node: Node, source: Path, folder: Path) -> None:
    folder.mkdir()
    for name in MANIFESTS:
        shutil.copyfile(source / name, folder / name)
    command = [*node.npm, "ci"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_SECONDS, check=False
    )
    if done.returncode:
        raise ClientsUnavailable(f"`npm ci` failed: {done.stderr[-300:]}")
