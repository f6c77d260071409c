"""What do many subscribers cost a server, and how soon do they hear of a change?

    uv run --group bench python -m benchmarks.live [--queries] [--subscribers 1000] [--changes 40] [--data DIR]

Starts PostgreSQL and `gqlapi serve`, opens a WebSocket for each subscriber, and measures the memory that they take
while nothing happens. Then posts are published one after the other, and each subscriber notes when it hears of it: the
time since the answer to the mutation. Prints CPU time and transactions of each change as well.
"""

import argparse
import asyncio
import re
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.attacks.processes import Service, serving
from benchmarks.databases import Prepared, prepared

CHANGES = "subscription { postChanged { kind id position post { title author { displayName } } } }"
HOME = "subscription { live { posts(first: 20) { nodes { id title author { displayName } tags { name } } } } }"
# The post that an event is about, and the first of a list.
ID = re.compile(r'"id":"([^"]{20,})"')
CREATE = "mutation($input: CreatePostInput!) { createPost(input: $input) { post { id } errors { message } } }"
PROTOCOL = "graphql-transport-ws"
SETTLE_SECONDS = 3.0
PAUSE_SECONDS = 0.2
# Opened at the same time.
BATCH = 50
STATEMENTS = "SELECT sum(xact_commit + xact_rollback) FROM pg_stat_database WHERE datname = current_database()"


class Subscribers:
    """The sockets, and when each of them heard of what."""

    def __init__(self, query: str) -> None:
        self._query = query
        self.sockets: list[ClientConnection] = []
        self.heard: dict[str, list[float]] = {}

    async def open(self, stack: AsyncExitStack, url: str, count: int) -> None:
        """Open so many sockets, and subscribe."""
        address = url.replace("http", "ws", 1) + "/graphql"
        for start in range(0, count, BATCH):
            opening = [self._open(stack, address) for _ in range(start, min(start + BATCH, count))]
            await asyncio.gather(*opening)

    async def _open(self, stack: AsyncExitStack, address: str) -> None:
        connecting = connect(address, subprotocols=[PROTOCOL], compression=None, proxy=None)  # type: ignore[list-item]  # a plain string is one
        socket = await stack.enter_async_context(connecting)
        await socket.send('{"type":"connection_init"}')
        await socket.recv()
        payload = {"type": "subscribe", "id": "1", "payload": {"query": self._query}}
        await socket.send(orjson.dumps(payload).decode())
        self.sockets.append(socket)

    async def listen(self, socket: ClientConnection) -> None:
        """Note when a socket hears of changes."""
        async for text in socket:
            if (found := ID.search(str(text))) is not None:
                self.heard.setdefault(found[1], []).append(time.perf_counter())


async def measure(service: Service, database: Prepared, query: str, subscribers: int, changes: int) -> None:
    """Measure, and print."""
    headers = {"Authorization": f"Bearer {database.token}"}
    everyone = Subscribers(query)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=service.url, headers=headers, timeout=30))
        statistics_ = await asyncpg.connect(database.url)
        await create(http, "warm-up")
        before = service.memory()
        await everyone.open(stack, service.url, subscribers)
        await asyncio.sleep(SETTLE_SECONDS)
        _print("memory of a subscriber that waits", f"{(service.memory() - before) * 1024 / subscribers:.1f} kB")
        cpu = service.cpu_seconds
        await asyncio.sleep(SETTLE_SECONDS)
        _print("CPU of all that wait", f"{(service.cpu_seconds - cpu) / SETTLE_SECONDS * 100:.1f} % of a core")
        listening = [asyncio.create_task(everyone.listen(socket)) for socket in everyone.sockets]
        cpu, run = service.cpu_seconds, await statistics_.fetchval(STATEMENTS)
        made = {}
        for number in range(changes):
            id_ = await create(http, f"Change {number}")
            made[id_] = time.perf_counter()
            await asyncio.sleep(PAUSE_SECONDS)
        await asyncio.sleep(SETTLE_SECONDS)
        run = await statistics_.fetchval(STATEMENTS) - run
        for task in listening:
            task.cancel()
        _report(everyone, made, subscribers, (service.cpu_seconds - cpu) / changes, run / changes)
        await statistics_.close()


async def create(http: httpx.AsyncClient, title: str) -> str:
    """Publish a post, and return its id."""
    given = {"title": title, "markdown": "Text", "publish": True}
    response = await http.post("/graphql", json={"query": CREATE, "variables": {"input": given}})
    payload: Any = response.json()["data"]["createPost"]
    if payload["errors"]:
        sys.exit(str(payload["errors"]))
    return str(payload["post"]["id"])


def _report(everyone: Subscribers, made: dict[str, float], subscribers: int, cpu: float, transactions: float) -> None:
    delays = sorted((at - made[id_]) * 1000 for id_, times in everyone.heard.items() if id_ in made for at in times)
    received = sum(len(times) for id_, times in everyone.heard.items() if id_ in made)
    _print("events received, of those sent", f"{received:,} of {len(made) * subscribers:,}")
    if delays:
        _print("from the mutation's answer to a subscriber", f"p50 {statistics.median(delays):.0f} ms")
        _print("", f"p99 {delays[int(len(delays) * 0.99)]:.0f} ms, at most {delays[-1]:.0f} ms")
    _print("CPU of a change", f"{cpu * 1000:.1f} ms, {cpu * 1e6 / subscribers:.0f} µs for each subscriber")
    _print("transactions of a change, its own included", f"{transactions:.1f}")


def _print(name: str, value: str) -> None:
    sys.stdout.write(f"{name:45} {value}\n")
    sys.stdout.flush()


def main() -> None:
    """Read the arguments, start everything, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", action="store_true", help="live queries of the home feed instead of changes")
    parser.add_argument("--subscribers", type=int, default=1_000)
    parser.add_argument("--changes", type=int, default=40)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--data", type=Path, help="a folder in which PostgreSQL and the seeded database are kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            prepared(None, options.data, folder) as database,
            serving(database.url, folder, options.workers) as service,
        ):
            asyncio.run(
                measure(service, database, HOME if options.queries else CHANGES, options.subscribers, options.changes)
            )


if __name__ == "__main__":
    main()
