"""Every limit, just below and just above, over HTTP; and the analysis behind them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gqlapi.database.read_unit import ReadUnit
from gqlapi.http import body
from gqlapi.http.body import Bodies
from gqlapi.http.failures import HttpFailure
from gqlapi.operations import compiled
from gqlapi.operations.documents import validation_errors
from tests.api import Api, only_error, serve, settings_for
from tests.clocks import Deadlines

# The setting, its value, the largest document that passes and the smallest that does not, and where it is too large.
LIMITS = [
    pytest.param("max_depth", 4, "{ posts { nodes { author { posts { nodes { id } } } } } }",
                 "{ posts { nodes { author { posts { nodes { author { id } } } } } } }", "posts", id="depth"),
    pytest.param("max_fields", 4, "{ posts { nodes { id title } } }",
                 "{ tags { totalCount } posts { nodes { id title slug } } }", "posts", id="fields"),
    pytest.param("max_fields", 5, "{ ...F posts { totalCount } } fragment F on Query { tags { nodes { id } } }",
                 "{ ...F ...F } fragment F on Query { tags { nodes { id } } }", "tags", id="fields of fragments"),
    pytest.param("max_aliases", 2, "{ a: tags { b: totalCount totalCount } }",
                 "{ a: tags { b: totalCount c: totalCount } }", "a", id="aliases"),
    pytest.param("max_root_fields", 2, "{ a: __typename b: __typename }",
                 "{ a: __typename b: __typename c: __typename }", "c", id="root fields"),
    pytest.param("max_directives", 2, "{ tags @skip(if: false) { totalCount @include(if: true) } }",
                 "{ tags @skip(if: false) { ... @skip(if: true) { id: totalCount } totalCount @include(if: true) } }",
                 "tags", id="directives"),
    pytest.param("max_cost", 302, "{ posts(first: 100) { nodes { id } } }",
                 "{ posts(first: 100) { nodes { id } edges { cursor } } }", "posts", id="cost"),
    pytest.param("max_root_fields", 2, "{ ...A } fragment A on Query { a: __typename ... { b: __typename } }",
                 "{ ...A } fragment A on Query { a: __typename ... { b: __typename ...B } } "
                 "fragment B on Query { c: __typename }", "c", id="root fields of fragments"),
    pytest.param("max_mutations", 1, "mutation { a: __typename }",
                 "mutation { ...F } fragment F on Mutation { a: __typename b: __typename }", "b", id="mutations"),
    pytest.param("max_aliases", 2, "{ __schema { a: types { b: name } } }",
                 "{ __schema { a: types { b: name c: kind } } }", "__schema", id="aliases of introspection"),
    pytest.param("max_cost", 200, "{ __schema { queryType { fields { name } } } }",
                 "{ __schema { types { name } } }", "__schema", id="cost of introspection"),
]  # fmt: skip
CODES = {"limit", "actual", "code"}


@asynccontextmanager
async def serve_sqlite(url: str, **limits: Any) -> AsyncIterator[Api]:
    async with serve(settings_for(url, **limits)) as api:
        yield api


class TestOperation:
    @pytest.mark.parametrize(("setting", "limit", "passing", "refused", "path"), LIMITS)
    async def test_is_bounded(
        self, sqlite_url: str, setting: str, limit: int, passing: str, refused: str, path: str
    ) -> None:
        async with serve_sqlite(sqlite_url, **{setting: limit}) as api:
            assert "errors" not in await api.execute(passing)
            with api.statements() as statements:
                response = await api.post(refused)

        error = only_error(response)
        assert statements == []
        assert set(error["extensions"]) == CODES
        assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert error["extensions"]["limit"] == limit < error["extensions"]["actual"]
        assert error["path"] == [path]

    async def test_has_so_many_tokens_at_most(self, sqlite_url: str) -> None:
        async with serve_sqlite(sqlite_url, max_tokens=6) as api:
            assert "errors" not in await api.execute("{ tags { totalCount } }")
            error = only_error(await api.post("{ tags { totalCount __typename } }"))
        assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert "6 tokens" in error["message"]

    @pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)
    async def test_ends_at_its_deadline_and_leaves_no_connection_behind(
        self, database_url: str, monkeypatch: pytest.MonkeyPatch, deadlines: Deadlines
    ) -> None:
        async def execute_too_long(*_: Any, **__: Any) -> Any:
            deadlines.expire()
            await asyncio.Event().wait()

        async with serve_sqlite(database_url, pool_size=1) as api:
            assert "errors" not in await api.execute("{ tags { totalCount } }")
            with monkeypatch.context() as patched:
                patched.setattr(ReadUnit, "_execute", execute_too_long)
                response = await api.post("{ tags { totalCount } }")
            assert (response.status_code, response.json()["data"]) == (294, None)
            assert only_error(response)["extensions"]["code"] == "TIMEOUT"
            assert "errors" not in await api.execute("{ tags { totalCount } }")


class TestBody:
    async def test_is_refused_when_it_is_one_byte_too_large(self, sqlite_url: str) -> None:
        body = b'{"query": "{ tags { totalCount } }"}'
        async with serve_sqlite(sqlite_url, max_body_bytes=len(body)) as api:
            headers = {"Content-Type": "application/json"}
            assert (await api.http.post("/graphql", content=body, headers=headers)).status_code == 200
            response = await api.http.post("/graphql", content=body + b" ", headers=headers)
        assert (response.status_code, only_error(response)["extensions"]["code"]) == (413, "BAD_REQUEST")

    async def test_is_counted_while_it_arrives_because_its_length_may_lie(self) -> None:
        chunks = [{"type": "http.request", "body": b" " * 400, "more_body": True} for _ in range(10)]

        async def receive() -> Any:
            return chunks.pop()

        bodies = Bodies(1_000)
        with pytest.raises(HttpFailure) as refused:
            await bodies.read(receive, b"5")
        assert (refused.value.status_code, len(chunks), bodies.bytes) == (413, 7, 0)

    @pytest.mark.parametrize("headers", ["Content-Length: 20000000", "Transfer-Encoding: chunked"])
    async def test_is_refused_before_it_has_all_arrived(self, sqlite_url: str, headers: str) -> None:
        async with serve_sqlite(sqlite_url, max_body_bytes=1000) as api:
            port = urlsplit(str(api.http.base_url)).port
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\r\n\r\n"
            writer.write(head.encode() + b"7d0\r\n" + b" " * 2000 + b"\r\n")
            status = await asyncio.wait_for(reader.readline(), 5)
            writer.close()
        assert status.split()[1] == b"413"


JSON = st.recursive(
    st.text(max_size=6) | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=6), inner)
)


class TestValues:
    @given(data=JSON, chunk_bytes=st.integers(1, 40))
    def test_are_counted_outside_of_strings(self, data: Any, chunk_bytes: int) -> None:
        text = json.dumps(data).encode()
        with patch.object(body, "CHUNK_BYTES", chunk_bytes):
            assert body.count_values(text) == count_separators(text)

    @pytest.mark.parametrize(
        "content",
        [b'{"a":[' + b"[]," * 30_000 + b"1]}", b"[" * 30_000, b'{"a":' * 30_000, b'["' + b'a","' * 30_000 + b'"]'],
    )
    async def test_are_too_many_before_anything_is_parsed(
        self, sqlite_url: str, content: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gqlapi.http.body.json", None)
        async with serve_sqlite(sqlite_url) as api:
            response = await api.http.post("/graphql", content=content, headers={"Content-Type": "application/json"})
        assert (response.status_code, only_error(response)["extensions"]["code"]) == (413, "LIMIT_EXCEEDED")

    async def test_within_texts_are_none(self, sqlite_url: str) -> None:
        async with serve_sqlite(sqlite_url) as api:
            query = "query ($t: String!) { search(query: $t) { totalCount } }"
            error = only_error(await api.post(query, {"t": '[{,"\\' * 30_000}))
        assert error["extensions"]["code"] == "BAD_USER_INPUT"

    def test_of_a_string_without_an_end_are_counted_in_linear_time(self) -> None:
        for text in (b'\\"' * 400_000, b"\\" * 800_001, b'"' * 800_001):
            assert not body.has_many_values(b'"' + text + b"[")


def count_separators(text: bytes) -> int:
    """Count brackets and commas outside of strings, a byte at a time."""
    count, inside, escaped = 0, False, False
    for character in text.decode():
        if inside:
            inside, escaped = escaped or character != '"', character == "\\" and not escaped
        else:
            inside = character == '"'
            count += character in "[{,"
    return count


class TestFarTooManyAliases:
    @pytest.fixture
    def validated(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """The documents that were validated."""
        documents: list[Any] = []
        validate = validation_errors

        def note(schema: Any, document: Any) -> Any:
            documents.append(document)
            return validate(schema, document)

        monkeypatch.setattr(compiled, "validation_errors", note)
        return documents

    @pytest.mark.parametrize("nested", ["{}", "serverInfo {{ {} }}", "... on Query {{ {} }}"])
    async def test_are_refused_before_the_document_is_validated(
        self, sqlite_url: str, validated: list[Any], nested: str
    ) -> None:
        selection = nested.format(" ".join(f"a{number}: unknown" for number in range(10)))
        async with serve(settings_for(sqlite_url, max_aliases=3)) as api:
            error = only_error(await api.post(f"{{ {selection} }}"))
        assert (error["extensions"]["code"], error["extensions"]["actual"]) == ("LIMIT_EXCEEDED", 10)
        assert validated == []

    async def test_are_not_those_that_are_skipped_or_never_used(self, sqlite_url: str) -> None:
        skipped = " ".join(f"a{number}: __typename @skip(if: true)" for number in range(10))
        document = f"query One {{ {skipped} __typename }} query Two {{ {skipped.replace(' @skip(if: true)', '')} }}"
        async with serve(settings_for(sqlite_url, max_aliases=3)) as api:
            assert await api.execute(document, operationName="One") | {"extensions": 0} == {
                "data": {"__typename": "Query"},
                "extensions": 0,
            }
