"""A client that reads the events of a subscription from one HTTP response."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.api import Api
from tests.live.sockets import PATIENCE_SECONDS

EVENTS = "text/event-stream"
MULTIPART = 'multipart/mixed; boundary="graphql"; subscriptionSpec="1.0", application/json'
SEPARATORS = {EVENTS: b"\n\n", MULTIPART: b"\r\n--graphql"}


class Stream:
    """A response that has begun."""

    def __init__(self, response: httpx.Response, separator: bytes) -> None:
        self.response = response
        self._separator = separator
        self._bytes = response.aiter_raw()
        self._left = b""

    async def part(self) -> bytes:
        """Return the next part of the body, without what separates parts; b"" when the body has ended."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self._separator not in self._left:
                more = await anext(self._bytes, None)
                if more is None:
                    rest, self._left = self._left, b""
                    return rest
                self._left += more
        part, _, self._left = self._left.partition(self._separator)
        return part

    async def event(self) -> tuple[str, Any]:
        """Return the next server-sent event: its name, and its data from JSON."""
        while (part := await self.part()) in {b":", b""}:
            pass
        lines = [line.partition(":") for line in part.decode().split("\n")]
        fields = {name: value.strip() for name, _, value in lines}
        return fields.get("event", ""), json.loads(fields["data"]) if fields.get("data") else None

    async def payload(self) -> Any:
        """Return the next part of a multipart body that is no heartbeat."""
        while True:
            _, _, body = (await self.part()).partition(b"\r\n\r\n")
            if body and (payload := json.loads(body)):
                return payload


@asynccontextmanager
async def streaming(api: Api, accept: str, query: str, **variables: Any) -> AsyncIterator[Stream]:
    """Subscribe by a POST."""
    headers = {**api.headers, "Accept": accept}
    content = {"query": query, "variables": variables}
    async with api.http.stream("POST", "/graphql", json=content, headers=headers) as response:
        yield Stream(response, SEPARATORS.get(accept, b"\n\n"))
