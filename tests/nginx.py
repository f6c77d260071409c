"""nginx in front of a server, as a CDN that keeps answers and purges them by tags."""

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.api import NO_TLS

# Debian has it where only root looks for commands.
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/temporary;
  fastcgi_temp_path {folder}/fastcgi;
  scgi_temp_path {folder}/scgi;
  uwsgi_temp_path {folder}/uwsgi;
  proxy_cache_path {folder}/cache keys_zone=api:1m inactive=1h use_temp_path=off;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass {origin};
      proxy_http_version 1.1;
      proxy_cache api;
      proxy_cache_key $request_uri;
      add_header X-Cache $upstream_cache_status always;
    }}
  }}
}}
"""


class Cdn:
    """A running nginx, and what it keeps."""

    def __init__(self, folder: Path, http: httpx.AsyncClient) -> None:
        self.http = http
        self._cache = folder / "cache"

    @property
    def kept(self) -> list[bytes]:
        """What is kept: each response with its headers."""
        return [path.read_bytes() for path in self._cache.iterdir() if path.is_file()]

    def purge(self, *tags: str) -> int:
        """Delete the answers that have one of some tags, and return how many."""
        doomed = [path for path in self._cache.iterdir() if not tags_of(path.read_bytes()).isdisjoint(tags)]
        for path in doomed:
            path.unlink()
        return len(doomed)


def tags_of(kept: bytes) -> set[str]:
    """Return the tags in the headers of a response that nginx keeps."""
    for line in kept.partition(b"\r\n\r\n")[0].split(b"\r\n"):
        name, _, value = line.partition(b": ")
        if name.lower() == b"surrogate-key":
            return set(value.decode().split(" "))
    return set()


@asynccontextmanager
async def cdn_before(origin: str, folder: Path) -> AsyncIterator[Cdn]:
    """Run nginx in front of a server for the length of the block."""
    assert NGINX is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = folder / "nginx.conf"
    path.write_text(CONFIGURATION.format(folder=folder, port=port, origin=origin))
    with subprocess.Popen([NGINX, "-p", str(folder), "-c", str(path), "-e", str(folder / "error.log")]) as process:
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", verify=NO_TLS, timeout=30) as client:
                await _wait_for(port)
                yield Cdn(folder, client)
        finally:
            process.terminate()


async def _wait_for(port: int) -> None:
    for _ in range(100):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise AssertionError("nginx does not listen")
