"""Compressed answers: which, in which coding, and what they leave alone."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator

import brotli
import httpx
import pytest
import pytest_asyncio

from gqlapi.documents.ids import sha256_id
from gqlapi.http.compression import SLICE_BYTES, Compression
from gqlapi.http.pieces import Pieces
from tests.api import Api, serve, settings_for
from tests.factories import make_post, make_user, save

TYPES = "{ __schema { types { name description fields { name description } } } }"
SMALL = "{ __typename }"
DECODERS = {"gzip": gzip.decompress, "br": brotli.decompress}


@pytest_asyncio.fixture
async def api(sqlite_url: str) -> AsyncIterator[Api]:
    """A server that compresses; no database changes how."""
    async with serve(settings_for(sqlite_url, compression=True, max_batch_size=2, report_costs=False)) as api:
        yield api


async def ask(api: Api, query: str, accept: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """Return a response, and its body as it was sent."""
    headers = {"Accept-Encoding": accept, **headers}
    async with api.http.stream("POST", "/graphql", json={"query": query}, headers=headers) as response:
        return response, b"".join([piece async for piece in response.aiter_raw()])


class TestCoding:
    @pytest.mark.parametrize(
        ("accept", "coding"),
        [
            ("gzip", "gzip"),
            ("br", "br"),
            ("gzip, deflate, br, zstd", "br"),
            ("gzip;q=1.0, br;q=0.5", "gzip"),
            ("GZIP", "gzip"),
            ("*", "br"),
            ("br;q=0, *;q=0.1", "gzip"),
            ("gzip;q=0", None),
            ("identity", None),
            ("deflate", None),
            ("", None),
            ("gzip;q=x", None),
        ],
    )
    async def test_is_the_one_that_the_client_prefers(self, api: Api, accept: str, coding: str | None) -> None:
        _, whole = await ask(api, TYPES, "identity")
        response, sent = await ask(api, TYPES, accept)
        assert response.headers.get("content-encoding") == coding
        assert (DECODERS[coding](sent) if coding else sent) == whole
        if coding:
            assert len(sent) < len(whole) / 4
            assert "Accept-Encoding" in response.headers["vary"]

    async def test_is_none_for_a_small_answer(self, api: Api) -> None:
        response, sent = await ask(api, SMALL, "gzip, br")
        assert "content-encoding" not in response.headers
        assert sent == b'{"data":{"__typename":"Query"}}'

    async def test_is_none_for_a_stream(self, api: Api) -> None:
        requests = [{"query": TYPES}, {"query": SMALL}]
        headers = {"Accept-Encoding": "gzip, br", "Accept": "application/jsonl"}
        response = await api.http.post("/graphql", json=requests, headers=headers)
        assert response.headers["content-type"] == "application/jsonl"
        assert "content-encoding" not in response.headers
        assert len(response.text.splitlines()) == 2

    async def test_is_none_by_default(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url)) as api:
            response, _ = await ask(api, TYPES, "gzip, br")
            assert "content-encoding" not in response.headers

    async def test_is_none_over_http_1_0(self) -> None:
        compression = Compression(is_on=True)
        headers = {b"accept-encoding": b"gzip"}
        assert compression.coding_of({"http_version": "1.0"}, headers, 10_000) is None
        assert compression.coding_of({"http_version": "1.1"}, headers, 10_000) == b"gzip"

    async def test_has_a_validator_of_its_own(self, api: Api) -> None:
        extensions = {"persistedQuery": {"version": 1, "sha256Hash": sha256_id(TYPES).removeprefix("sha256:")}}
        await api.execute(TYPES, extensions=extensions)
        url, etags = f"/graphql/documents/{sha256_id(TYPES)}", set()
        for coding in ("identity", "gzip", "br"):
            response = await api.http.get(url, headers={"Accept-Encoding": coding})
            etags.add(response.headers["etag"])
            assert response.headers["vary"].startswith("Accept, Authorization, Accept-Encoding")
            known = {"Accept-Encoding": coding, "If-None-Match": response.headers["etag"]}
            again = await api.http.get(url, headers=known)
            assert (again.status_code, again.content) == (304, b"")
            assert "content-encoding" not in again.headers
        assert len(etags) == 3


class TestLongAnswer:
    @pytest.mark.parametrize("coding", DECODERS)
    async def test_in_pieces_is_compressed_piece_by_piece(self, api: Api, coding: str) -> None:
        author = make_user()
        await save(
            api.database, [author, *(make_post(author, markdown=f"{n} is a number. " * 12_000) for n in range(8))]
        )
        query = "{ posts { nodes { content { markdown } } } }"
        _, whole = await ask(api, query, "identity")
        response, sent = await ask(api, query, coding)
        assert len(whole) > 1_048_576
        assert response.headers["content-encoding"] == coding
        assert "content-length" not in response.headers
        assert DECODERS[coding](sent) == whole

    @pytest.mark.parametrize("coding", DECODERS)
    async def test_leaves_turns_to_other_work(self, coding: str) -> None:
        answer = Pieces({"data": [{"text": f"{number} " * 50_000} for number in range(10)]})
        waits, body = [], []

        async def send(message: dict[str, object]) -> None:
            body.append(message.get("body", b""))

        async def wait() -> None:
            while True:
                started = time.thread_time()
                await asyncio.sleep(0)
                waits.append(time.thread_time() - started)

        other = asyncio.create_task(wait())
        await Compression(is_on=True).send(send, 200, answer, (), coding.encode())  # type: ignore[arg-type] # a part of it
        other.cancel()
        assert DECODERS[coding](b"".join(body)) == b"".join(answer)  # type: ignore[arg-type] # as above
        assert len(waits) >= len(answer) // SLICE_BYTES
        assert sorted(waits)[len(waits) // 2] < 0.02
