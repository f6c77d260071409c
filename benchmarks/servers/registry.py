"""How each server is started."""

import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers.node import install_mercurius, node_commands, node_version

ROOT = Path(__file__).resolve().parents[2]
UVICORN = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")


@dataclass(frozen=True, slots=True)
class Server:
    """A server; `is_peer` sends it the documents of the peers."""

    name: str
    title: str
    command: Callable[[int], list[str]]
    environment: Mapping[str, str]
    is_peer: bool = True


def gqlapi(database_url: str, _folder: Path) -> Server:
    """Return gqlapi as `gqlapi serve` runs it: all limits, and the log as JSON.

    A client may have half of the places by default; here one address sends everything.
    """
    environment = {
        "GQLAPI_DATABASE_URL": database_url,
        "GQLAPI_SECRET_KEY": secrets.token_hex(32),
        "GQLAPI_CLIENT_SHARE": "1",
        "GQLAPI_STOP_GRACE_SECONDS": "0",
    }

    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "gqlapi", "serve", "--workers", "1", "--port", str(port)]

    title = "as shipped: `gqlapi serve --workers 1` with all limits and the log, GQLAPI_CLIENT_SHARE=1"
    return Server("gqlapi", title, command, environment | {"PYTHONPATH": str(ROOT)}, is_peer=False)


def limit(database_url: str, _folder: Path) -> Server:
    """Return the endpoint that is written by hand."""
    title = "Starlette, asyncpg and orjson by hand, one statement per level, no GraphQL"
    return _uvicorn("limit", title, database_url)


def _uvicorn(name: str, title: str, database_url: str) -> Server:
    def command(port: int) -> list[str]:
        module = f"benchmarks.servers.{name}:app"
        program = [sys.executable, "-m", "uvicorn", module, *UVICORN, "--no-server-header"]
        return [*program, "--host", "127.0.0.1", "--port", str(port)]

    return Server(name, title, command, {"BENCHMARK_DATABASE_URL": database_url, "PYTHONPATH": str(ROOT)})


def ordinary(database_url: str, _folder: Path) -> Server:
    """Return the server that the documentation of the libraries teaches."""
    title = "Strawberry with its caches, SQLAlchemy's ORM, aiodataloader"
    return _uvicorn("ordinary", title, database_url)


def mercurius(database_url: str, folder: Path) -> Server:
    """Return Mercurius, installed in its own folder.

    Raises:
        NodeMissing: it cannot be installed.
    """
    script, (node, _) = install_mercurius(folder), node_commands()

    def command(port: int) -> list[str]:
        return ["/usr/bin/env", f"PORT={port}", *node, str(script)]

    title = f"JIT, loaders and prepared statements, Node.js {node_version()}"
    return Server("mercurius", title, command, {"BENCHMARK_DATABASE_URL": database_url, "NODE_ENV": "production"})


SERVERS: dict[str, Callable[[str, Path], Server]] = {
    "gqlapi": gqlapi,
    "limit": limit,
    "ordinary": ordinary,
    "mercurius": mercurius,
}
