"""JavaScript clients of the API, which `npm ci` installs once for each lockfile, outside of the checkout."""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from gqlapi.http.graphiql.build import Node, find_node

SOURCE = Path(__file__).resolve().parent
MANIFESTS = ("package.json", "package-lock.json", ".npmrc")
# The folder of the installations; by default they are kept between runs.
CACHE_VARIABLE = "GQLAPI_TEST_CLIENTS"
INSTALL_TIMEOUT_SECONDS = 300


class ClientsUnavailable(Exception):
    """There is no Node on this machine, or the packages cannot be installed."""


class Clients(NamedTuple):
    """An installation."""

    node: list[str]
    folder: Path

    async def run(self, script: str, *arguments: str) -> Any:
        """Run a script of this folder, and return the JSON that it prints."""
        # Node looks for packages beside the script, not in the working directory.
        shutil.copyfile(SOURCE / script, self.folder / script)
        process = await asyncio.create_subprocess_exec(
            *self.node, script, *arguments, cwd=self.folder, stdout=subprocess.PIPE
        )
        output, _ = await process.communicate()
        assert process.returncode == 0
        return json.loads(output)


def install_clients() -> Clients:
    """Return the installation of the lockfile, which is made first unless it is there.

    Raises:
        ClientsUnavailable: there can be none, and the message says why.
    """
    node = find_node()
    if node is None:
        raise ClientsUnavailable("Node.js and npm are missing")
    cache = Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "gqlapi-clients")
    folder = cache / _stamp()
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache, prefix=".") as scratch:
            _install(node, made := Path(scratch, "clients"))
            _publish(made, folder)
    return Clients(node.node, folder)


def _stamp() -> str:
    """Return a name for the packages: another lockfile has another one."""
    return hashlib.sha256(b"\0".join((SOURCE / name).read_bytes() for name in MANIFESTS)).hexdigest()[:16]


def _install(node: Node, folder: Path) -> None:
    folder.mkdir()
    for name in MANIFESTS:
        shutil.copyfile(SOURCE / name, folder / name)
    command = [*node.npm, "ci"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_SECONDS, check=False
    )
    if done.returncode:
        raise ClientsUnavailable(f"`npm ci` failed: {done.stderr[:300]}")


def _publish(made: Path, folder: Path) -> None:
    """Put a whole installation in its place; another process may have been first."""
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
