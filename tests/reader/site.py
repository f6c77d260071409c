"""The front end of `examples/reader`: built once, served from its own origin, beside a server of the API."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from tests.api import Api, serve, settings_for
from tests.architecture import ROOT
from tests.clients.installation import install_packages, require_node

SOURCE = ROOT / "examples" / "reader"
MADE = shutil.ignore_patterns("node_modules", "dist", "gql")
API_IN_SOURCE = "http://127.0.0.1:8000/graphql"


class Reader(NamedTuple):
    """The address of the front end, and a client of the API that it calls."""

    origin: str
    api: Api


class Checkout(NamedTuple):
    """A copy of the front end and of `schema.graphql`, with the packages, where it can be built."""

    folder: Path
    environment: dict[str, str]
    npm: list[str]

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script of `package.json`."""
        command = [*self.npm, "run", script]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )

    def build(self) -> Path:
        """Generate, check and bundle, and return the folder of the result."""
        done = self.run("build")
        assert done.returncode == 0, done.stdout + done.stderr
        return self.folder / "dist"


def check_out(folder: Path) -> Checkout:
    """Copy the front end into an empty folder, where it lies as in the repository.

    Raises:
        ClientsUnavailable: there is no Node, or the packages cannot be installed.
    """
    node = require_node()
    packages = install_packages(node, SOURCE)
    copy = shutil.copytree(SOURCE, folder / "examples" / "reader", ignore=MADE)
    shutil.copyfile(ROOT / "schema.graphql", folder / "schema.graphql")
    (copy / "node_modules").symlink_to(packages / "node_modules")
    # The tools of the packages start `node` by its name.
    path = f"{Path(node.node[0]).parent}{os.pathsep}{os.environ['PATH']}"
    return Checkout(copy, {**os.environ, "PATH": path}, node.npm)


class _Files(SimpleHTTPRequestHandler):
    """The files of a folder; every other address is a page of the front end."""

    def translate_path(self, path: str) -> str:
        file = super().translate_path(path)
        return file if Path(file).is_file() else str(Path(self.directory, "index.html"))

    def log_message(self, *_: Any) -> None:
        """Stay silent."""


@contextmanager
def _serve_files(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@asynccontextmanager
async def serve_reader(built: Path, database_url: str) -> AsyncIterator[Reader]:
    """Serve the built files and, as in production, an API that lets their origin in."""
    with _serve_files(built) as origin:
        settings = settings_for(
            database_url,
            environment="production",
            secret_key="of the tests of the reader, long enough",
            cors_origins=[origin],
            sign_in_limit="100/minute",
        )
        async with serve(settings) as api:
            page = built / "index.html"
            html = page.read_text(encoding="utf-8")
            assert API_IN_SOURCE in html
            page.write_text(html.replace(API_IN_SOURCE, str(api.http.base_url.join("/graphql"))), encoding="utf-8")
            yield Reader(origin, api)
