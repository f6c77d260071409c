"""Spans follow the conventions of OpenTelemetry, join the trace of the client, and have no document by default."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from gqlapi.documents.ids import sha256_id
from gqlapi.documents.trusted import Document
from gqlapi.telemetry import spans as module
from gqlapi.telemetry.extra import create_tracing
from gqlapi.telemetry.spans import Spans
from tests.accounts.person import sign_up
from tests.api import Api, serve, settings_for
from tests.factories import make_post, make_user, save
from tests.written_logs import PRODUCTION, Logs, logging_server

FEED = "query Feed { posts(first: 1) { nodes { title } } }"
TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What a server exports, which is kept here instead."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("gqlapi.http.telemetry.create_tracing", lambda system: Spans(provider, system))
    return exporter


@asynccontextmanager
async def tracing_server(url: str, **values: Any) -> AsyncIterator[Api]:
    async with serve(settings_for(url, tracing=True, **values)) as api:
        yield api


def by_kind(exported: InMemorySpanExporter, kind: SpanKind) -> list[ReadableSpan]:
    return [span for span in exported.get_finished_spans() if span.kind is kind]


class TestOperations:
    async def test_have_a_span_and_one_for_each_statement(
        self, database_url: str, dialect: str, exported: InMemorySpanExporter
    ) -> None:
        async with tracing_server(database_url) as api:
            author = make_user()
            await save(api.database, [author, make_post(author)])
            await api.data(FEED)
        [operation] = by_kind(exported, SpanKind.SERVER)
        [statement] = by_kind(exported, SpanKind.CLIENT)
        attributes = dict(operation.attributes or {})
        assert operation.name == "query"
        assert attributes.pop("gqlapi.cost") > 1  # type: ignore[operator] # a number
        assert attributes == {
            "graphql.operation.name": "Feed",
            "graphql.operation.type": "query",
            "gqlapi.document.id": sha256_id(FEED),
            "gqlapi.statements": 1,
            "http.response.status_code": 200,
        }
        assert (statement.parent and statement.parent.span_id) == operation.context.span_id
        assert statement.name == "SELECT posts"
        details = dict(statement.attributes or {})
        assert str(details.pop("db.query.text")).startswith("SELECT")
        assert details == {
            "db.system.name": dialect,
            "db.operation.name": "SELECT",
            "db.collection.name": "posts",
            "db.query.summary": "SELECT posts",
        }
        times = operation.start_time, statement.start_time, statement.end_time, operation.end_time
        assert [*times] == sorted(filter(None, times))

    async def test_of_trusted_documents_have_their_name(self, sqlite_url: str, exported: InMemorySpanExporter) -> None:
        async with tracing_server(sqlite_url) as api:
            api.app.state.documents.trusted._documents[sha256_id(FEED)] = Document(FEED)
            await api.http.post("/graphql", json={"documentId": sha256_id(FEED)})
        assert [span.name for span in by_kind(exported, SpanKind.SERVER)] == ["query Feed"]

    async def test_that_fail_have_their_code(self, sqlite_url: str, exported: InMemorySpanExporter) -> None:
        async with tracing_server(sqlite_url) as api:
            await api.post("{ nothing }")
            await api.bearing("no token").post(FEED)
        [invalid, unauthenticated] = by_kind(exported, SpanKind.SERVER)
        assert (invalid.name, invalid.status.status_code) == ("graphql", StatusCode.ERROR)
        assert (invalid.attributes or {})["error.type"] == "GRAPHQL_VALIDATION_FAILED"
        assert unauthenticated.end_time is not None

    async def test_have_no_value_of_a_client(self, database_url: str, exported: InMemorySpanExporter) -> None:
        async with tracing_server(database_url) as api:
            await api.post('query { posts(filter: {title: {contains: "hunter2"}}) { totalCount } }')
            await sign_up(api, password="hunter2 hunter2", email="hunter2@example.com")
        written = "".join(span.to_json() for span in exported.get_finished_spans())
        assert "INSERT" in written
        assert "hunter2" not in written
        assert "filter" not in written

    async def test_have_the_document_where_it_is_wanted(self, sqlite_url: str, exported: InMemorySpanExporter) -> None:
        async with tracing_server(sqlite_url, trace_documents=True) as api:
            await api.data(FEED)
        [span] = by_kind(exported, SpanKind.SERVER)
        assert (span.attributes or {})["graphql.document"] == FEED


class TestContext:
    async def test_comes_from_the_client_and_goes_back(self, sqlite_url: str, exported: InMemorySpanExporter) -> None:
        async with tracing_server(sqlite_url) as api:
            headers = {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01", "tracestate": "vendor=1"}
            response = await api.http.post("/graphql", json={"query": FEED}, headers=headers)
        [span] = by_kind(exported, SpanKind.SERVER)
        assert f"{span.context.trace_id:032x}" == TRACE_ID
        assert span.parent is not None
        assert f"{span.parent.span_id:016x}" == PARENT_ID
        assert span.context.trace_state.get("vendor") == "1"
        assert response.headers["traceresponse"] == f"00-{TRACE_ID}-{span.context.span_id:016x}-01"

    @pytest.mark.parametrize("traceparent", ["", "00", "x" * 10_000, f"00-{'0' * 32}-{'0' * 16}-01", "é"])
    async def test_that_is_wrong_is_ignored(
        self, sqlite_url: str, exported: InMemorySpanExporter, traceparent: str
    ) -> None:
        async with tracing_server(sqlite_url) as api:
            headers = {b"traceparent": traceparent.encode()}
            assert (await api.http.post("/graphql", json={"query": FEED}, headers=headers)).status_code == 200
        [span] = by_kind(exported, SpanKind.SERVER)
        assert span.parent is None

    async def test_of_a_client_that_does_not_sample_is_respected(
        self, sqlite_url: str, exported: InMemorySpanExporter
    ) -> None:
        async with tracing_server(sqlite_url) as api:
            headers = {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-00"}
            response = await api.http.post("/graphql", json={"query": FEED}, headers=headers)
        assert exported.get_finished_spans() == ()
        assert response.headers["traceresponse"].endswith("-00")

    async def test_is_in_the_log(self, sqlite_url: str, exported: InMemorySpanExporter, logs: Logs) -> None:
        async with logging_server(sqlite_url, **PRODUCTION, tracing=True) as api:
            await api.data(FEED)
        [line], [span] = logs.events("request"), by_kind(exported, SpanKind.SERVER)
        assert line["trace_id"] == f"{span.context.trace_id:032x}"


class TestSwitch:
    async def test_is_off_by_default(self, sqlite_url: str, exported: InMemorySpanExporter) -> None:
        async with serve(settings_for(sqlite_url)) as api:
            response = await api.post(FEED)
        assert "traceresponse" not in response.headers
        assert exported.get_finished_spans() == ()

    def test_needs_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "gqlapi.telemetry.spans", None)
        with pytest.raises(RuntimeError, match=r"gqlapi\[otel\]"):
            create_tracing("sqlite")

    async def test_does_not_wait_for_a_collector(self, monkeypatch: pytest.MonkeyPatch) -> None:
        provider = TracerProvider(shutdown_on_exit=False)
        asleep = asyncio.Event()
        loop = asyncio.get_running_loop()

        def sleep() -> None:
            asyncio.run_coroutine_threadsafe(asleep.wait(), loop).result()

        monkeypatch.setattr(provider, "shutdown", sleep)
        monkeypatch.setattr(module, "CLOSE_SECONDS", 0.05)
        started = time.monotonic()
        await Spans(provider, "sqlite").close()
        asleep.set()
        assert time.monotonic() - started < 1
