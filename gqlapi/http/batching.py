"""Batches: several operations in one request, as an array or as several sets of variables.

https://github.com/graphql/graphql-over-http/pull/307, a draft; and arrays of answers for clients that do not accept its
`application/jsonl`, such as Apollo's BatchHttpLink.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from http import HTTPStatus
from itertools import chain
from typing import Any, NamedTuple

from starlette.types import Send

from gqlapi.errors import Code
from gqlapi.http.body import parse_json
from gqlapi.http.clients import Headers
from gqlapi.http.failures import HttpFailure
from gqlapi.http.json import HeaderList, Json
from gqlapi.http.media_types import JSON, JSON_LINES
from gqlapi.http.pieces import join_small
from gqlapi.http.requests import GraphQLRequest, malformed, read_object
from gqlapi.http.responses import Representation, Response, headers_of_type

ARRAY_HEADERS = headers_of_type(JSON)
# Of the whole request, where all operations were refused for it.
SHARED_STATUSES = {HTTPStatus.UNAUTHORIZED, HTTPStatus.SERVICE_UNAVAILABLE}

Run = Callable[[GraphQLRequest | HttpFailure], Awaitable[Response]]


class Item(NamedTuple):
    """An operation of a batch, or why it is none; `members` of its answer say which one it is."""

    members: bytes
    request: GraphQLRequest | HttpFailure


def read_body(body: bytes, max_batch_size: int, path_id: str | None = None) -> GraphQLRequest | list[Item]:
    """Read the request that a body holds, or the operations of a batch; `path_id` is the document's id in the URL.

    Raises:
        HttpFailure: it is not JSON, or neither a request nor a batch that is allowed.
    """
    data = parse_json(body)
    if not isinstance(data, list) and (max_batch_size == 1 or not _has_sets(data)):
        return read_object(data, path_id)
    if max_batch_size == 1:
        raise malformed("Batching is not enabled.")
    entries = data if isinstance(data, list) else [data]
    # Counted before anything is made of them.
    size = sum(len(entry["variables"]) if _has_sets(entry) else 1 for entry in entries)
    if size == 0:
        raise malformed("A batch must have at least one operation.")
    if size > max_batch_size:
        message = f"The batch has {size} operations, over the limit of {max_batch_size}."
        raise HttpFailure(HTTPStatus.UNPROCESSABLE_ENTITY, message, code=Code.LIMIT_EXCEEDED)
    if not isinstance(data, list):
        return [*_items(b"", data, path_id)]
    return [
        item for number, entry in enumerate(entries) for item in _items(b'"requestIndex":%d,' % number, entry, path_id)
    ]


def accepts_json_lines(headers: Headers) -> bool:
    """Whether a client asks for a line for each answer: by name, because `*/*` is sent by clients of arrays as well."""
    for part in headers.get(b"accept", b"").lower().split(b","):
        media_type, *parameters = part.replace(b" ", b"").split(b";")
        if media_type == JSON_LINES:
            return not any(parameter.startswith(b"q=0") and not parameter.strip(b"q=0.") for parameter in parameters)
    return False


class Indexed:
    """The JSON of an answer, with the members that say which operation it belongs to."""

    def __init__(self, members: bytes, content: bytes | Json) -> None:
        """Put members before those of an object."""
        self._members = members
        self._content = content

    def __len__(self) -> int:
        return len(self._members) + len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        before = b"{" + self._members
        for piece in [self._content] if isinstance(self._content, bytes) else self._content:
            yield before + piece[1:] if before else piece
            before = b""


class Array:
    """The JSON of several answers."""

    def __init__(self, items: Sequence[Json]) -> None:
        """List answers, of which there is at least one."""
        self._items = items

    def __len__(self) -> int:
        return sum(map(len, self._items)) + len(self._items) + 1

    def __iter__(self) -> Iterator[bytes]:
        return join_small(self._parts())

    def _parts(self) -> Iterator[bytes]:
        before = b"["
        for item in self._items:
            yield before
            yield from item
            before = b","
        yield b"]"


class Member(NamedTuple):
    """An answer within a batch."""

    content: Indexed
    status: int
    headers: HeaderList


class Batch:
    """The operations of one request, which run side by side, and their answers, bounded together."""

    def __init__(self, items: Sequence[Item], max_bytes: int, representation: Representation) -> None:
        """Allow `max_bytes` for all answers."""
        self._items = items
        self._max_bytes = max_bytes
        self._representation = representation
        self._bytes = 0

    async def run(self, run: Run) -> Response:
        """Return an array of the answers, in the order of the operations."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._answer(item, run)) for item in self._items]
        answers = [task.result() for task in tasks]
        content, first = Array([answer.content for answer in answers]), answers[0]
        if first.status in SHARED_STATUSES and all(answer.status == first.status for answer in answers):
            return Response(content, first.status, first.headers)
        return Response(content, HTTPStatus.OK, ARRAY_HEADERS)

    async def stream(self, run: Run, send: Send, headers: HeaderList) -> None:
        """Send a line for each answer, as soon as it is there."""
        declared = [(b"content-type", JSON_LINES), *headers]
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": declared})
        turn = asyncio.Lock()

        async def deliver(item: Item) -> None:
            answer = await self._answer(item, run)
            async with turn:
                for piece in join_small(chain(answer.content, [b"\n"])):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})

        async with asyncio.TaskGroup() as group:
            for item in self._items:
                group.create_task(deliver(item))
        await send({"type": "http.response.body"})

    async def _answer(self, item: Item, run: Run) -> Member:
        answer = await run(item.request)
        self._bytes += len(answer.content)
        if self._bytes > self._max_bytes:
            self._bytes -= len(answer.content)
            answer = self._representation.too_large(self._max_bytes)
        return Member(Indexed(item.members, answer.content), answer.status, answer.headers)


def _has_sets(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("variables"), list) and bool(entry["variables"])


def _items(index: bytes, entry: Any, path_id: str | None) -> Iterator[Item]:
    if not _has_sets(entry):
        yield Item(index, _read(entry, path_id))
        return
    for number, variables in enumerate(entry["variables"]):
        yield Item(b'%s"variableIndex":%d,' % (index, number), _read({**entry, "variables": variables}, path_id))


def _read(entry: Any, path_id: str | None) -> GraphQLRequest | HttpFailure:
    try:
        return read_object(entry, path_id)
    except HttpFailure as failure:
        return failure
