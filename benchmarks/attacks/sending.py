"""Sending requests as they are, and naming the answers."""

import asyncio
import json
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from benchmarks.attacks.attack import HttpRequest

# Of an answer that is larger, only this much is read.
MAX_READ_BYTES = 64 * 1024 * 1024
MAX_PARSED_BYTES = 16 * 1024 * 1024
BARE_REFUSAL = 400
# Reading the certificates of the system, which httpx does for each client, takes 70 ms.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its names as `attack.py` explains them, its status (0 if there is none), bytes, and duration."""

    names: frozenset[str]
    status: int
    size: int
    seconds: float
    is_graphql: bool = False


def client(url: str, address: str = "127.0.0.1") -> httpx.AsyncClient:
    """Return a client that connects from an address, with a connection for each request."""
    limits = httpx.Limits(max_keepalive_connections=0)
    transport = httpx.AsyncHTTPTransport(verify=NO_TLS, local_address=address, limits=limits)
    return httpx.AsyncClient(transport=transport, base_url=url, timeout=None)  # noqa: S113 - `send` has a deadline


async def send(http: httpx.AsyncClient, request: HttpRequest, timeout_seconds: float) -> Answer:
    """Send a request; an answer that does not come in time is named "none"."""
    started, size, status, chunks = time.perf_counter(), 0, 0, list[bytes]()
    name = ""
    try:
        async with asyncio.timeout(timeout_seconds), _stream(http, request) as response:
            status = response.status_code
            async for chunk in response.aiter_raw():
                size += len(chunk)
                if size <= MAX_PARSED_BYTES:
                    chunks.append(chunk)
                if size > MAX_READ_BYTES:
                    break
    except TimeoutError:
        name = "none"
    except httpx.TransportError:
        name = "closed"
    seconds = time.perf_counter() - started
    if name or size > MAX_PARSED_BYTES:
        return Answer(frozenset({name or "too large"}), status, size, seconds)
    names, is_graphql = name_answer(status, b"".join(chunks))
    return Answer(names, status, size, seconds, is_graphql)


def _stream(http: httpx.AsyncClient, request: HttpRequest) -> Any:
    # The target as it is: httpx refuses long URLs, and encodes again what is not encoded.
    target = {"target": f"/graphql{request.target}".encode()}
    return http.stream(
        request.method, "/graphql", headers=dict(request.headers), content=request.body, extensions=target
    )


def name_answer(status: int, content: bytes) -> tuple[frozenset[str], bool]:
    """Return the names of an answer, and whether it is a response as GraphQL defines it."""
    try:
        result = json.loads(content)
    except ValueError:
        result = None
    if not isinstance(result, dict) or not result.keys() & {"data", "errors"}:
        return frozenset({str(status) if status >= BARE_REFUSAL else "not GraphQL"}), False
    codes = {str(status) if code == "BAD_REQUEST" else code for code in _codes(result)}
    return frozenset(codes or {"data"}), True


def _codes(result: dict[str, Any]) -> Iterator[str]:
    for error in result.get("errors") or ():
        yield error.get("extensions", {}).get("code", "no code")
    for payload in (result.get("data") or {}).values():
        if isinstance(payload, dict):
            yield from (error.get("code", "no code") for error in payload.get("errors") or ())
