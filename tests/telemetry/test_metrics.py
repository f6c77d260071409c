"""Metrics count what has happened, and no client can make them many."""

import asyncio
import gc
import json
import os
import re
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from gqlapi.documents.ids import sha256_id
from gqlapi.documents.trusted import Document
from gqlapi.feed import Feed
from gqlapi.telemetry.families import GAUGES, Families, worker_deaths
from gqlapi.telemetry.metrics import MAX_NAMES, Metrics
from gqlapi.telemetry.reports import Label
from gqlapi.telemetry.runtime import Collections
from tests.api import Api, serve, settings_for
from tests.architecture import ROOT
from tests.factories import make_user, save
from tests.live.sockets import create, until
from tests.live.streams import EVENTS, streaming
from tests.processes import Folder, free_port
from tests.signing_in import sign_in_as
from tests.telemetry.scraping import Scrape, scrape

SECRET = "a secret of more than thirty-two characters"
HELLO = "query Hello { posts(first: 1) { nodes { id } } }"
SIGN_OUT = "mutation Leave { signOut(input: {}) { errors { code } } }"
DASHBOARD = ROOT / "examples" / "operations" / "grafana-dashboard.json"


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with serve(settings_for(database_url, metrics_path="/metrics", pool_size=2)) as api:
        yield api


def trust(api: Api, text: str) -> str:
    """Add a trusted document, and return its id."""
    api.app.state.documents.trusted._documents[sha256_id(text)] = Document(text)
    return sha256_id(text)


class TestOperations:
    async def test_of_trusted_documents_are_counted_by_name(self, api: Api) -> None:
        id_ = trust(api, HELLO)
        for _ in range(3):
            assert (await api.http.post("/graphql", json={"documentId": id_})).status_code == 200
        found = await scrape(api)
        labels = {"operation": "Hello", "type": "query"}
        assert found.value("gqlapi_operations_total", **labels, status=200, code="") == 3
        assert found.value("gqlapi_operation_duration_seconds_count", **labels) == 3
        assert found.value("gqlapi_operation_duration_seconds_bucket", **labels, le="+Inf") == 3
        assert found.value("gqlapi_operation_duration_seconds_sum", **labels) > 0
        assert found.value("gqlapi_operation_cost_points_count", **labels) == 3
        assert found.value("gqlapi_operation_cost_points_sum", **labels) > 3
        assert found.value("gqlapi_statements_total", **labels) == 3
        assert found.value("gqlapi_statement_seconds_total", **labels) > 0

    async def test_of_other_documents_share_one_name(self, api: Api) -> None:
        for number in range(3):
            await api.post(HELLO.replace("Hello", f"Hello{number}"))
        found = await scrape(api)
        assert found.value("gqlapi_operations_total", operation="", type="query", status=200, code="") == 3
        assert found.labels("gqlapi_operations_total", "operation") == {""}

    async def test_that_fail_have_their_code_and_status(self, api: Api) -> None:
        await api.post("{ nothing }")
        await api.post("{ posts(first: 1000) { nodes { id } } }")
        await api.post(SIGN_OUT)
        found = await scrape(api)
        counted = {
            (dict(labels)["type"], dict(labels)["status"], dict(labels)["code"])
            for name, labels in found.values
            if name == "gqlapi_operations_total"
        }
        assert counted == {
            ("", "422", "GRAPHQL_VALIDATION_FAILED"),
            ("", "422", "BAD_USER_INPUT"),
            ("mutation", "200", ""),
        }

    def test_have_a_bounded_number_of_names(self) -> None:
        metrics = Metrics()
        for _ in range(2):
            for number in range(3 * MAX_NAMES):
                metrics.observe_operation(Report(Label(f"Q{number}", "query", "", is_trusted=True)))
            metrics.flush()
        found = Scrape_of(metrics)
        assert len(found.labels("gqlapi_operations_total", "operation")) == MAX_NAMES + 1
        assert sum(value for (name, _), value in found.values.items() if name == "gqlapi_operations_total") == (
            6 * MAX_NAMES
        )


class Report:
    """A report as the server makes it."""

    cost, statements, seconds, status, duration, trace_id = 3, 1, 0.25, 200, 0.5, ""
    codes: tuple[str, ...] = ()

    def __init__(self, label: Label) -> None:
        self.label = label


def Scrape_of(metrics: Metrics) -> Scrape:  # noqa: N802 - makes one
    from prometheus_client import generate_latest  # noqa: PLC0415 - for this test alone

    return Scrape(generate_latest(metrics.registry).decode())


class TestRequests:
    async def test_are_counted_by_method_and_status(self, api: Api) -> None:
        await api.http.get("/healthz")
        await api.http.request("DELETE", "/nothing")
        await api.http.post("/graphql", content="{}", headers={"Content-Type": "text/plain"})
        found = await scrape(api)
        assert found.value("gqlapi_http_requests_total", method="GET", status=200) == 1
        assert found.value("gqlapi_http_requests_total", method="other", status=404) == 1
        assert found.value("gqlapi_http_requests_total", method="POST", status=415) == 1


class TestState:
    async def test_of_the_pool_is_read_at_each_export(self, api: Api) -> None:
        place = await api.database.gate.enter()
        found = await scrape(api)
        assert (found.value("gqlapi_pool_size"), found.value("gqlapi_pool_in_use")) == (2, 1)
        place.leave()
        assert (await scrape(api)).value("gqlapi_pool_in_use") == 0

    async def test_has_refusals_and_the_queue(self, database_url: str) -> None:
        settings = settings_for(database_url, metrics_path="/m", pool_size=1, pool_queue_size=1)
        async with serve(settings) as api:
            place = await api.database.gate.enter()
            waiting = asyncio.create_task(api.data(HELLO))
            while not api.database.gate.waiting:
                await asyncio.sleep(0.01)
            assert (await api.post(HELLO)).status_code == 503
            found = await scrape(api, "/m")
            assert (found.value("gqlapi_pool_waiting"), found.value("gqlapi_refusals_total", reason="busy")) == (1, 1)
            assert found.value("gqlapi_http_requests_total", method="POST", status=503) == 1
            place.leave()
            await waiting

    async def test_has_the_cache_of_operations(self, api: Api) -> None:
        for _ in range(3):
            await api.data(HELLO)
        found = await scrape(api)
        assert found.value("gqlapi_cache_entries", cache="operations") == 1
        assert found.value("gqlapi_cache_bytes", cache="operations") > 100
        assert found.value("gqlapi_cache_requests_total", cache="operations", result="hit") == 2
        assert found.value("gqlapi_cache_requests_total", cache="operations", result="miss") == 1

    async def test_has_the_process(self, api: Api) -> None:
        found = await scrape(api)
        assert found.value("gqlapi_workers") == 1
        assert found.value("gqlapi_resident_memory_bytes") > 10_000_000
        assert found.value("gqlapi_cpu_seconds_total") > 0

    async def test_has_the_delay_of_timers(self, api: Api) -> None:
        metrics: Metrics = api.app.state.metrics
        metrics._tick(asyncio.get_running_loop().time() - 3)  # a timer that was due three seconds ago
        found = await scrape(api)
        assert found.value("gqlapi_event_loop_lag_seconds_bucket", le="1.0") == 0
        assert found.value("gqlapi_event_loop_lag_seconds_bucket", le="5.0") == 1

    def test_has_garbage_collections(self) -> None:
        collections = Collections()
        collections.start()
        gc.collect()
        collections.stop()
        gc.collect()
        [(generation, count, seconds)] = collections.take()
        assert (generation, count, seconds > 0) == ("2", 1, True)
        assert [*collections.take()] == []

    async def test_has_subscriptions_and_their_events(self, api: Api) -> None:
        author = make_user()
        await save(api.database, [author])
        writer = await sign_in_as(api, author)
        async with streaming(writer, EVENTS, "subscription Changes { postChanged { kind } }") as stream:
            await until(lambda: api.app.state.subscriptions.count == 1)
            await create(writer, "Title")
            await stream.event()
            found = await scrape(api)
            assert found.value("gqlapi_subscriptions") == 1
            labels = {"operation": "", "type": "subscription", "status": 0, "code": ""}
            assert found.value("gqlapi_operations_total", **labels) >= 1

    async def test_has_the_lag_of_the_feed(self, api: Api) -> None:
        feed: Feed = api.app.state.feed
        assert (await scrape(api)).value("gqlapi_feed_lag_seconds") == 0
        feed._subscribers, feed._reader.read_at = 1, time.monotonic() - 100
        assert 100 <= (await scrape(api)).value("gqlapi_feed_lag_seconds") < 110
        feed._subscribers = 0


class TestExport:
    async def test_is_off_by_default(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url)) as api:
            assert api.app.state.metrics is None
            assert (await api.http.get("/metrics")).status_code == 404

    async def test_may_have_its_own_port(self, sqlite_url: str) -> None:
        port = free_port()
        async with serve(settings_for(sqlite_url, metrics_port=port)) as api:
            assert (await api.http.get("/metrics")).status_code == 404
            async with httpx.AsyncClient() as client:
                response = await client.get(f"http://127.0.0.1:{port}/metrics")
            assert Scrape(response.text).value("gqlapi_workers") == 1

    def test_joins_the_workers_and_counts_their_deaths(self, folder: Folder) -> None:
        assert folder.run("migrate").returncode == 0
        port = free_port()
        server = folder.start("serve", "--workers", "2", secret_key=SECRET, metrics_port=str(port))
        server.wait_until_ready()
        log = server.wait_until_logged("Application startup complete", times=2)
        for _ in range(10):
            server.execute(HELLO)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:

            def wait_for(name: str, value: float, **labels: str) -> None:
                found = Scrape("")
                for _ in range(200):
                    found = Scrape(client.get("/metrics").text)
                    if found.value(name, **labels) == value:
                        return
                    time.sleep(0.05)  # workers send their numbers once a second
                pytest.fail(str(found.values))

            wait_for("gqlapi_workers", 2)
            wait_for("gqlapi_operations_total", 10, operation="", type="query", status="200", code="")
            os.kill(int(re.findall(r"Started server process \[(\d+)\]", log)[0]), signal.SIGKILL)
            server.wait_until_logged("Application startup complete", times=3)
            wait_for("gqlapi_worker_deaths_total", 1)
            wait_for("gqlapi_workers", 2)
            wait_for("gqlapi_operations_total", 10, operation="", type="query", status="200", code="")
        assert server.stop()[0] == 0

    def test_needs_a_free_port(self, folder: Folder) -> None:
        server = folder.start("serve", "--workers", "1", secret_key=SECRET)
        server.wait_until_ready("/healthz")
        done = folder.run("serve", secret_key=SECRET, metrics_port=str(server.port), port=str(free_port()))
        assert done.returncode == 1
        assert "GQLAPI_METRICS_PORT" in done.stderr


def metric_names() -> set[str]:
    """Return the names of all samples that an export may have."""
    registry = CollectorRegistry()
    families = Families(registry)
    gauges = [families.gauge(name) for name in GAUGES]
    names = {gauge._name for gauge in gauges} | {worker_deaths(registry)._name + "_total"}
    for family in vars(families).values():
        if hasattr(family, "_type"):
            ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}[family._type]
            names |= {family._name + end for end in ends}
    return names


def names_in(text: str) -> set[str]:
    return set(re.findall(r"\bgqlapi_[a-z_]+\b", text))


class TestNames:
    def test_of_the_dashboard_exist(self) -> None:
        dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text())
        expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
        used = set().union(*map(names_in, expressions))
        assert len(expressions) > 10
        assert used <= metric_names()

    def test_of_the_documentation_exist_and_are_all(self) -> None:
        documented = names_in(Path(ROOT / "docs" / "operations.md").read_text())
        assert documented == {re.sub(r"_(bucket|sum|count)$", "", name) for name in metric_names()}
