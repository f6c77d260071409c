"""Batches over HTTP: their forms, their answers, and what their operations may do together."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import strawberry

from gqlapi.operations import compiled
from tests.api import Api, gets_everything_back, only_error, serve, settings_for
from tests.factories import make_post, make_tag, make_user, save
from tests.shared_types import build_types

INFO = {"query": "{ serverInfo { maxCost } }"}
ANSWER = {"data": {"serverInfo": {"maxCost": 20_000}}}
TAG = "query($slug: String!) { tag(by: { slug: $slug }) { name } }"
SLUGS = ["a", "b", "none", "c"]
TAGS = [{"data": {"tag": None if slug == "none" else {"name": slug}}} for slug in SLUGS]
SETS = {"query": TAG, "variables": [{"slug": slug} for slug in SLUGS]}
LINES = {"Accept": "application/jsonl"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """A server of two places with three tags, whose batches have up to ten operations."""
    path = tmp_path_factory.mktemp("batching") / "batching.db"
    path.write_bytes(sqlite_template.read_bytes())
    settings = settings_for(f"sqlite:///{path}", max_batch_size=10, pool_size=2, report_costs=False)
    async with serve(settings) as api:
        await save(api.database, [make_tag(name=name) for name in "abc"])
        yield api


async def send(api: Api, content: Any, **headers: str) -> httpx.Response:
    response = await api.http.post("/graphql", json=content, headers={**api.headers, **headers})
    assert response.headers["cache-control"] == "no-store"
    return response


def lines_of(response: httpx.Response) -> list[Any]:
    assert (response.status_code, response.headers["content-type"]) == (200, "application/jsonl")
    assert response.text.endswith("\n")
    return [json.loads(line) for line in response.text.splitlines()]


def codes(answer: dict[str, Any]) -> list[str]:
    return [error["extensions"]["code"] for error in answer["errors"]]


def numbered(name: str, answers: list[Any]) -> list[Any]:
    return [{name: number, **answer} for number, answer in enumerate(answers)]


class TestArray:
    async def test_is_answered_by_an_array_in_its_order(self, server: Api) -> None:
        response = await send(server, [*({**SETS, "variables": own} for own in SETS["variables"]), INFO])
        assert (response.status_code, response.headers["content-type"]) == (200, "application/json; charset=utf-8")
        assert response.json() == numbered("requestIndex", [*TAGS, ANSWER])

    async def test_may_have_one_operation(self, server: Api) -> None:
        assert (await send(server, [INFO])).json() == [{"requestIndex": 0, **ANSWER}]

    async def test_is_refused_by_default(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url)) as api:
            refused = [await send(api, [INFO]), await send(api, SETS)]
        for response, word in zip(refused, ("Batching", "`variables`"), strict=True):
            error = only_error(response)
            assert (response.status_code, error["extensions"]["code"]) == (422, "BAD_REQUEST")
            assert error["message"].startswith(word)

    async def test_is_announced_where_it_is_allowed(self, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(strawberry.Schema, "__init__", build_types)  # they know the limits
        for size in (1, 7):
            async with serve(settings_for(sqlite_url, max_batch_size=size)) as api:
                data = await api.data("{ serverInfo { capabilities { name value } } }")
            announced = {one["name"]: one["value"] for one in data["serverInfo"]["capabilities"]}
            assert announced.get("gqlapi.batching") == (None if size == 1 else "7")

    @pytest.mark.parametrize(
        "content", [[INFO] * 11, {**SETS, "variables": [{}] * 11}, [SETS, SETS, SETS], [[]] * 11, [5] * 19_000]
    )
    async def test_with_too_many_operations_is_refused_whole(self, server: Api, content: Any) -> None:
        with server.statements() as statements:
            response = await send(server, content)
        error = only_error(response)
        assert (response.status_code, error["extensions"]["code"]) == (422, "LIMIT_EXCEEDED")
        assert error["message"].endswith("over the limit of 10.")
        assert statements == []

    async def test_without_operations_is_refused(self, server: Api) -> None:
        response = await send(server, [])
        assert (response.status_code, only_error(response)["extensions"]["code"]) == (422, "BAD_REQUEST")

    @pytest.mark.parametrize("wrong", [5, None, [], [INFO], {}, {"query": 1}, {**INFO, "variables": []}])
    async def test_answers_what_is_no_operation_in_its_place(self, server: Api, wrong: Any) -> None:
        response = await send(server, [INFO, wrong, INFO])
        first, second, third = response.json()
        assert (response.status_code, codes(second)) == (200, ["BAD_REQUEST"])
        assert [first, third] == [{"requestIndex": number, **ANSWER} for number in (0, 2)]
        assert await gets_everything_back(server.database)

    async def test_of_nothing_that_is_an_operation_gives_its_place_back(self, server: Api) -> None:
        assert [codes(answer) for answer in (await send(server, [1, 2])).json()] == [["BAD_REQUEST"]] * 2
        assert await gets_everything_back(server.database)

    async def test_has_an_error_mode_for_each_operation(self, server: Api) -> None:
        failing = {"query": '{ nodes(ids: ["wrong"]) { id } }'}
        answers = (await send(server, [failing, {**failing, "onError": "HALT"}])).json()
        assert [answer["data"] for answer in answers] == [{"nodes": [None]}, None]

    async def test_with_a_wrong_token_is_unauthenticated(self, server: Api) -> None:
        response = await send(server.bearing("wrong"), [INFO, INFO])
        assert (response.status_code, [codes(answer) for answer in response.json()]) == (401, [["UNAUTHENTICATED"]] * 2)
        assert "invalid_token" in response.headers["www-authenticate"]

    async def test_runs_only_documents_that_are_trusted(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url, max_batch_size=2, documents="trusted")) as api:
            answers = (await send(api, [INFO, {"documentId": "sha256:" + "0" * 64}])).json()
        assert [codes(answer) for answer in answers] == [["PERSISTED_QUERY_NOT_FOUND"]] * 2


class TestVariables:
    async def test_are_answered_by_an_array_in_their_order(self, server: Api) -> None:
        assert (await send(server, SETS)).json() == numbered("variableIndex", TAGS)

    async def test_stand_in_arrays_of_operations(self, server: Api) -> None:
        expected = [{"requestIndex": 1, **answer} for answer in numbered("variableIndex", TAGS)]
        response = await send(server, [INFO, SETS])
        assert response.json() == [{"requestIndex": 0, **ANSWER}, *expected]

    async def test_that_are_wrong_are_errors_of_their_set(self, server: Api) -> None:
        answers = (await send(server, {**SETS, "variables": [{"slug": "a"}, {"slug": 1}, 5, None, {}]})).json()
        assert answers[0] == {"variableIndex": 0, **TAGS[0]}
        assert [codes(answer) for answer in answers[1:]] == [
            ["BAD_USER_INPUT"], ["BAD_REQUEST"], ["BAD_USER_INPUT"], ["BAD_USER_INPUT"],
        ]  # fmt: skip

    async def test_share_one_plan(self, server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        calls: list[str] = []
        for name in ("read_document", "validation_errors", "compile_operation"):
            original = getattr(compiled, name)

            def count(*arguments: Any, original: Any = original, name: str = name, **options: Any) -> Any:
                calls.append(name)
                return original(*arguments, **options)

            monkeypatch.setattr(compiled, name, count)
        answers = (await send(server, {**SETS, "query": f"{TAG} # new"})).json()
        assert answers == numbered("variableIndex", TAGS)
        assert calls == ["read_document", "validation_errors", "compile_operation"]

    async def test_are_one_object_in_a_url(self, server: Api) -> None:
        response = await server.http.get("/graphql", params={"query": TAG, "variables": json.dumps(SETS["variables"])})
        assert (response.status_code, only_error(response)["extensions"]["code"]) == (422, "BAD_REQUEST")


class TestLines:
    @pytest.mark.parametrize(
        "accept", ["application/jsonl", "application/json, Application/JSONL ; q=0.5", "application/jsonl;q=1.0,*/*"]
    )
    async def test_are_sent_to_clients_that_name_them(self, server: Api, accept: str) -> None:
        lines = lines_of(await send(server, SETS, Accept=accept))
        assert sorted(lines, key=lambda line: line["variableIndex"]) == numbered("variableIndex", TAGS)

    @pytest.mark.parametrize(
        "accept", ["*/*", "application/json", "application/jsonl;q=0,*/*", "*/*, application/jsonl; q=0.0"]
    )
    async def test_are_not_sent_to_others(self, server: Api, accept: str) -> None:
        assert (await send(server, SETS, Accept=accept)).json() == numbered("variableIndex", TAGS)

    async def test_have_both_indexes_where_there_are_both(self, server: Api) -> None:
        lines = lines_of(await send(server, [SETS, 5], **LINES))
        indexes = sorted((line["requestIndex"], line.get("variableIndex")) for line in lines)
        assert indexes == [(0, 0), (0, 1), (0, 2), (0, 3), (1, None)]

    async def test_leave_as_soon_as_they_are_known(self, server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        may_end, schema = asyncio.Event(), server.app.state.schema
        execute = schema.execute

        async def wait(query: str, variables: Any, *arguments: Any) -> Any:
            if variables == {"slug": "a"}:
                await may_end.wait()
            return await execute(query, variables, *arguments)

        monkeypatch.setattr(schema, "execute", wait)
        async with server.http.stream("POST", "/graphql", json=SETS, headers=LINES) as response:
            lines = response.aiter_lines()
            early = [json.loads(await anext(lines))["variableIndex"] for _ in range(3)]
            may_end.set()
            late = [json.loads(line)["variableIndex"] async for line in lines]
        assert (sorted(early), late) == ([1, 2, 3], [0])

    async def test_stop_when_the_client_disconnects(self, server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        cancelled, schema = [], server.app.state.schema
        execute = schema.execute

        async def wait(query: str, variables: Any, *arguments: Any) -> Any:
            if variables == {"slug": "b"}:
                return await execute(query, variables, *arguments)
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                cancelled.append(variables["slug"])
                raise

        monkeypatch.setattr(schema, "execute", wait)
        sets = {**SETS, "variables": [{"slug": "a"}, {"slug": "b"}]}
        async with server.http.stream("POST", "/graphql", json=sets, headers=LINES) as response:
            assert json.loads(await anext(response.aiter_lines()))["variableIndex"] == 1
            assert server.database.gate.free == 1
        assert await gets_everything_back(server.database)
        assert cancelled == ["a"]


class TestPlaces:
    async def test_are_taken_by_each_operation(self, server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        gate, schema = server.database.gate, server.app.state.schema
        execute, running, seen = schema.execute, 0, []

        async def observe(*arguments: Any) -> Any:
            nonlocal running
            running += 1
            seen.append((running, gate.size - gate.free))
            await asyncio.sleep(0.01)
            running -= 1
            return await execute(*arguments)

        monkeypatch.setattr(schema, "execute", observe)
        response = await send(server, [INFO] * 8)
        assert response.json() == numbered("requestIndex", [ANSWER] * 8)
        # As many run as there are places.
        assert (len(seen), max(seen)) == (8, (2, 2))
        assert all(own <= taken for own, taken in seen)
        assert await gets_everything_back(server.database)

    async def test_that_are_not_free_are_errors_of_their_operations(self, sqlite_url: str) -> None:
        settings = settings_for(sqlite_url, max_batch_size=3, pool_size=1, pool_queue_size=0)
        async with serve(settings) as api:
            response = await send(api, [{"query": "{ tags { totalCount } }"}] * 3)
            first, *others = response.json()
            assert (response.status_code, first["data"]) == (200, {"tags": {"totalCount": 0}})
            assert [codes(answer) for answer in others] == [["UNAVAILABLE"]] * 2
            assert await gets_everything_back(api.database)
            place = await api.database.gate.enter()
            refused = await api.http.post("/graphql", json=[INFO])
            place.leave()
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")


class TestLongAnswers:
    @pytest.mark.parametrize("headers", [{}, LINES])
    async def test_are_sent_in_pieces(
        self, sqlite_url: str, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gqlapi.http.runner.MAX_WHOLE_LENGTH", 0)
        monkeypatch.setattr("gqlapi.http.pieces.PIECE_BYTES", 8)
        async with serve(settings_for(sqlite_url, max_batch_size=2, report_costs=False)) as api:
            author = make_user()
            await save(api.database, [author, make_post(author, title="Löng", markdown="text " * 100)])
            query = {"query": "{ posts { nodes { title content { markdown text } } } }"}
            alone = await api.execute(query["query"])
            response = await send(api, [query, query], **headers)
        answers = lines_of(response) if headers else response.json()
        assert sorted(answers, key=lambda answer: answer["requestIndex"]) == numbered("requestIndex", [alone] * 2)


class TestBudget:
    @pytest.mark.parametrize(
        ("name", "query", "each", "limit"),
        [
            ("aliases", "{ a: __typename b: __typename }", 2, 5),
            ("root fields", "{ __typename serverInfo { version } }", 2, 5),
            ("directives", "{ __typename @skip(if: false) @include(if: true) }", 2, 5),
            ("fields", "{ tags { totalCount } }", 2, 5),
            ("cost", "{ __typename serverInfo { version } }", 3, 7),
        ],
    )
    async def test_is_that_of_one_operation(
        self, sqlite_url: str, name: str, query: str, each: int, limit: int
    ) -> None:
        setting = {f"max_{name.replace(' ', '_')}": limit}
        async with serve(settings_for(sqlite_url, max_batch_size=4, report_costs=False, **setting)) as api:
            answers = (await send(api, [{"query": query}] * 4)).json()
            assert "errors" not in await api.execute(query)
        assert [answer.get("errors") is None for answer in answers] == [True, True, False, False]
        for answer in answers[2:]:
            [error] = answer["errors"]
            assert (answer.get("data"), error["message"]) == (
                None, f"The batch has {name} {3 * each}, over the limit of {limit}.",
            )  # fmt: skip
            assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": limit, "actual": 3 * each}

    async def test_is_not_used_by_what_is_refused(self, server: Api) -> None:
        wrong = {"query": "{ " + " ".join(f"a{number}: nope" for number in range(30)) + " }"}
        fitting = {"query": "{ " + " ".join(f"a{number}: __typename" for number in range(20)) + " }"}
        answers = (await send(server, [wrong, fitting])).json()
        assert ["errors" in answer for answer in answers] == [True, False]

    @pytest.mark.parametrize("headers", [{}, LINES])
    async def test_bounds_the_bytes_of_all_answers(self, sqlite_url: str, headers: dict[str, str]) -> None:
        settings = settings_for(sqlite_url, max_batch_size=3, max_answer_bytes=1_000, report_costs=False)
        async with serve(settings) as api:
            long = {"query": "{ " + " ".join(f"a{number}{'x' * 80}: __typename" for number in range(6)) + " }"}
            response = await send(api, [long] * 3, **headers)
        answers = lines_of(response) if headers else response.json()
        assert sorted(["errors" in answer for answer in answers]) == [False, True, True]
        assert {code for answer in answers if "errors" in answer for code in codes(answer)} == {"LIMIT_EXCEEDED"}
