"""@defer and @stream over HTTP: which requests get several payloads, in which format, within which limits."""

import asyncio
import json
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from graphql import GraphQLError, IncrementalDeferResult, SubsequentIncrementalExecutionResult
from graphql.execution import CompletedResult, PendingResult
from starlette.types import Message
from strawberry.types import ExecutionResult

from gqlapi.errors import LimitExceeded
from gqlapi.http.streaming import INCREMENTAL_V02, StreamedAnswer
from gqlapi.models import UserRole
from tests.api import Api, only_error, serve, settings_for
from tests.factories import make_post, make_tag, make_user, save
from tests.increments import EVENTS, HEADERS, V02, V2022, merged, parts, payloads_of
from tests.signing_in import sign_in_as

JSON = "application/json"
RESPONSE = "application/graphql-response+json"
APOLLO = f"{V2022},{RESPONSE},{JSON};q=0.9"
URQL = f"{RESPONSE}, application/graphql+json, {JSON}, {EVENTS}, multipart/mixed"
DEFER = '{ tag(by: { slug: "a" }) { slug ... @defer(label: "L") { name } } }'
STREAM = '{ tags { nodes @stream(label: "L", initialCount: 1) { slug } } }'
PLAIN = '{ tag(by: { slug: "a" }) { slug } }'
TAG = {"tag": {"slug": "a", "name": "a"}}
PART = "Content-Type: application/json; charset=utf-8\r\n\r\n"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def api(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """A server with three tags, and an editor with two posts, whom the client has signed in."""
    path = tmp_path_factory.mktemp("incremental") / "incremental.db"
    path.write_bytes(sqlite_template.read_bytes())
    settings = settings_for(f"sqlite:///{path}", max_batch_size=2, documents="any", report_costs=False)
    async with serve(settings) as api:
        tags, editor = [make_tag(name=name) for name in "abc"], make_user(username="ed", role=UserRole.EDITOR)
        await save(api.database, [*tags, editor, *(make_post(editor, *tags, title=title) for title in ("One", "Two"))])
        yield await sign_in_as(api, editor)


async def ask(api: Api, query: str, accept: str = V02, **body: Any) -> httpx.Response:
    return await api.with_headers(Accept=accept).post(query, **body)


async def result_of(api: Api, query: str, accept: str = V02, **body: Any) -> Any:
    response = await ask(api, query, accept, **body)
    payloads = payloads_of(response)
    assert len(payloads) > 1
    return merged(payloads)


class TestFormat:
    @pytest.mark.parametrize(
        ("accept", "expected"),
        [
            (V02, HEADERS[V02]),
            (V2022, HEADERS[V2022]),
            (APOLLO, HEADERS[V2022]),
            (APOLLO.replace(V2022, V02), HEADERS[V02]),
            (URQL, HEADERS[V2022]),
            ('application/json, multipart/mixed; DeferSpec="20220824"', HEADERS[V2022]),
            (f"{V02};q=0.5, {V2022}", HEADERS[V2022]),
            (EVENTS, HEADERS[EVENTS]),
            (f"{JSON}, {EVENTS}", HEADERS[EVENTS]),
            (f"{JSON}, multipart/mixed;q=0.9", f"{JSON}; charset=utf-8"),
            (f"{JSON}, multipart/mixed;q=0", f"{JSON}; charset=utf-8"),
            (f"{JSON}, multipart/mixed;deferSpec=20300101", f"{JSON}; charset=utf-8"),
            (f"{JSON}, multipart/mixed;subscriptionSpec=1.0", f"{JSON}; charset=utf-8"),
            (JSON, f"{JSON}; charset=utf-8"),
            (f"{RESPONSE}, */*", f"{RESPONSE}; charset=utf-8"),
            ("*/*", f"{JSON}; charset=utf-8"),
        ],
    )
    async def test_is_what_the_client_prefers(self, api: Api, accept: str, expected: str) -> None:
        response = await ask(api, DEFER, accept)
        assert (response.status_code, response.headers["content-type"]) == (200, expected)
        assert response.headers["vary"].startswith("Accept")
        assert response.headers["cache-control"] == "no-store"
        data = response.json() if expected.startswith("application/") else merged(payloads_of(response))
        assert data == {"data": TAG}

    async def test_of_multipart_is_framed_to_the_byte(self, api: Api) -> None:
        first, last = '{"data":{"tag":{"slug":"a"}},%s"hasNext":true}', '"completed":[{"id":"0"}]}'
        pending = '"pending":[{"id":"0","path":["tag"],"label":"L"}],'
        part = '{"hasNext":false,"incremental":[{"data":{"name":"a"},"id":"0"}],' + last
        expected = f"\r\n---\r\n{PART}{first % pending}\r\n---\r\n{PART}{part}\r\n-----\r\n"
        assert (await ask(api, DEFER)).content == expected.encode()
        part = '{"incremental":[{"data":{"name":"a"},"path":["tag"],"label":"L"}],"hasNext":false}'
        expected = f"\r\n---\r\n{PART}{first % ''}\r\n---\r\n{PART}{part}\r\n-----\r\n"
        assert (await ask(api, DEFER, V2022)).content == expected.encode()

    async def test_of_a_stream_of_2022_has_the_index_of_the_first_item(self, api: Api) -> None:
        first, *others = payloads_of(await ask(api, STREAM, V2022))
        assert first == {"data": {"tags": {"nodes": [{"slug": "a"}]}}, "hasNext": True}
        items = [{"slug": "b"}, {"slug": "c"}]
        assert others == [
            {"incremental": [{"items": items, "path": ["tags", "nodes", 1], "label": "L"}], "hasNext": False}
        ]

    @pytest.mark.parametrize("accept", [EVENTS, V02])
    async def test_of_one_payload_is_the_only_one_that_the_client_reads(self, api: Api, accept: str) -> None:
        assert payloads_of(await ask(api, PLAIN, accept)) == [{"data": {"tag": {"slug": "a"}}}]
        refused = await ask(api, "{ nope }", accept)
        assert (refused.status_code, refused.headers["content-type"]) == (422, f"{RESPONSE}; charset=utf-8")

    async def test_is_json_from_the_reference_executor_as_well(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url, executor="reference", report_costs=False)) as api:
            await save(api.database, [make_tag(name=name) for name in "abc"])
            assert (await ask(api, DEFER, JSON)).json() == {"data": TAG}
            assert (await ask(api, STREAM, JSON)).json() == await result_of(api, STREAM)
            assert await result_of(api, DEFER) == {"data": TAG}

    async def test_is_json_for_operations_that_deliver_nothing_later(self, api: Api) -> None:
        for query in (PLAIN, DEFER.replace("@defer(", "@defer(if: false, ")):
            assert (await ask(api, query, APOLLO)).headers["content-type"] == f"{RESPONSE}; charset=utf-8"


class TestOperation:
    async def test_may_decide_by_a_variable(self, api: Api) -> None:
        query = f"query($later: Boolean! = true) {DEFER.replace('@defer(', '@defer(if: $later, ')}"
        assert await result_of(api, query) == {"data": TAG}
        assert await result_of(api, query, variables={"later": True}) == {"data": TAG}
        assert (await ask(api, query, APOLLO, variables={"later": False})).json() == {"data": TAG}
        refused = only_error(await ask(api, query, APOLLO, variables={"later": None}))
        assert refused["extensions"]["code"] == "BAD_USER_INPUT"

    async def test_may_be_one_of_several(self, api: Api) -> None:
        query = f"query One {DEFER} query Two {PLAIN}"
        assert await result_of(api, query, operationName="One") == {"data": TAG}
        response = await ask(api, query, APOLLO, operationName="Two")
        assert response.headers["content-type"] == f"{RESPONSE}; charset=utf-8"

    async def test_may_nest_fragments_in_lists(self, api: Api) -> None:
        query = """
          { user(by: { username: "ed" }) { ...User @defer(label: "user") } }
          fragment User on User { posts { nodes { title ...Tags @defer(label: "tags") } } }
          fragment Tags on Post { tags { slug } }
        """
        plain = (await ask(api, query, JSON)).json()
        assert len(plain["data"]["user"]["posts"]["nodes"]) == 2
        for accept in (V02, V2022, EVENTS):
            assert await result_of(api, query, accept) == plain

    async def test_that_writes_answers_at_once(self, api: Api) -> None:
        query = 'mutation { upsertTag(input: { slug: "a", name: "a" }) { tag { slug ... @defer { name } } } }'
        response = await ask(api, query, APOLLO)
        assert response.headers["content-type"] == f"{RESPONSE}; charset=utf-8"
        assert response.json() == {"data": {"upsertTag": TAG}}

    async def test_may_be_known_by_its_id(self, api: Api) -> None:
        extensions = {"persistedQuery": {"version": 1, "sha256Hash": sha256(DEFER.encode()).hexdigest()}}
        assert await result_of(api, DEFER, extensions=extensions) == {"data": TAG}
        parameters = {"extensions": json.dumps(extensions)}
        response = await api.http.get("/graphql", params=parameters, headers={"Accept": V02})
        assert merged(payloads_of(response)) == {"data": TAG}

    async def test_of_a_batch_answers_at_once(self, api: Api) -> None:
        response = await api.http.post("/graphql", json=[{"query": DEFER}], headers={"Accept": APOLLO})
        assert response.json() == [{"requestIndex": 0, "data": TAG}]

    @pytest.mark.parametrize(
        "query",
        [
            '{ ... @defer(label: "x") { serverInfo { maxCost } } ... @defer(label: "x") { __typename } }',
            '{ tag(by: { slug: "a" }) @stream { slug } }',
            "mutation { ... @defer { __typename } }",
        ],
        ids=["labels", "no list", "root of a mutation"],
    )
    async def test_must_be_valid(self, api: Api, query: str) -> None:
        assert (await ask(api, query)).json()["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"

    async def test_streams_from_no_negative_index(self, api: Api) -> None:
        error = only_error(await ask(api, "{ tags { nodes @stream(initialCount: -1) { slug } } }", APOLLO))
        assert (error["extensions"]["code"], error["path"]) == ("BAD_USER_INPUT", ["tags", "nodes"])

    async def test_finds_the_directives_in_the_schema(self, api: Api) -> None:
        directives = (await api.data("{ __schema { directives { name args { name } } } }"))["__schema"]["directives"]
        arguments = {directive["name"]: [own["name"] for own in directive["args"]] for directive in directives}
        assert (arguments["defer"], arguments["stream"]) == (["if", "label"], ["if", "label", "initialCount"])


class TestLimit:
    @pytest.mark.parametrize(
        "part", ["nodes { ... @defer { tags { slug } } }", "nodes @stream { tags @stream { slug } }"]
    )
    async def test_of_the_cost_counts_what_is_delivered_later(self, api: Api, part: str) -> None:
        query = f"{{ tags(first: 20) {{ nodes {{ posts(first: 20) {{ {part} }} }} }} }}"
        plain = await ask(api, query, JSON)
        assert "errors" not in plain.json()
        error = only_error(await ask(api, query, APOLLO))
        assert (error["extensions"]["code"], error["path"]) == ("LIMIT_EXCEEDED", ["tags"])

    async def test_of_the_rate_is_in_the_headers(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url, visitor_points_per_minute=100, report_costs=False)) as api:
            for query in ("{ ... @defer { serverInfo { maxCost } } }", "{ serverInfo { maxCost } }"):
                response = await ask(api, query)
                assert payloads_of(response)
                assert "ratelimit" in response.headers

    async def test_of_the_cost_counts_it_in_introspection(self, api: Api) -> None:
        fields = "types @stream { name fields { name args { name type { name kind } } type { name kind } } }"
        assert "errors" not in (await ask(api, f"{{ __schema {{ {fields} }} }}", JSON)).json()
        error = only_error(await ask(api, f"{{ __schema {{ {fields} }} }}", APOLLO))
        assert error["extensions"]["code"] == "LIMIT_EXCEEDED"

    @pytest.mark.parametrize("accept", [V02, V2022])
    async def test_of_the_bytes_counts_all_payloads(self, sqlite_url: str, accept: str) -> None:
        deferred = "b: posts(first: 9) { nodes { slug content { text } } }"
        query = f"{{ a: posts {{ nodes {{ content {{ text }} }} }} ... @defer {{ {deferred} }} }}"
        async with serve(settings_for(sqlite_url, max_answer_bytes=1_100, report_costs=False)) as api:
            author = make_user()
            await save(api.database, [author, make_post(author, markdown="x" * 500)])
            payloads = payloads_of(await ask(api, query, accept))
            result = merged(payloads)
            assert [error["extensions"]["code"] for error in result["errors"]] == ["LIMIT_EXCEEDED"]
            assert result["data"] == {"a": {"nodes": [{"content": {"text": "x" * 500}}]}}


class TestSlowReader:
    async def test_gets_what_was_left_when_the_time_was_over(self) -> None:
        """A server waits for the client before it writes: nothing is written of what is cancelled."""
        sent: list[Message] = []
        may_write = asyncio.Event()

        async def send(message: Message) -> None:
            if len(sent) == 2:
                await may_write.wait()
            sent.append(message)

        answer = StreamedAnswer(send, INCREMENTAL_V02, 1_000)
        await answer.begin(ExecutionResult({"a": 1}, None), [PendingResult("0", [])], {})
        part = SubsequentIncrementalExecutionResult(
            has_next=True, pending=[PendingResult("1", ["b"])], completed=[CompletedResult("0")]
        )
        adding = asyncio.create_task(answer.add(part))
        await asyncio.sleep(0)
        adding.cancel()
        await asyncio.wait([adding])
        may_write.set()
        await answer.end([GraphQLError("late")])
        payloads = parts("".join(message["body"].decode() for message in sent[1:]))
        assert [message.get("more_body") for message in sent] == [None, True, True, False]
        assert payloads[1:] == [part.formatted, {"completed": [failed("1", "late")], "hasNext": False}]

    async def test_hears_of_no_payload_that_is_too_large(self) -> None:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        answer = StreamedAnswer(send, INCREMENTAL_V02, 100)
        await answer.begin(ExecutionResult({"a": 1}, None), [PendingResult("0", [])], {})
        part = IncrementalDeferResult({"b": "x" * 100}, "0")
        with pytest.raises(LimitExceeded):
            await answer.add(SubsequentIncrementalExecutionResult(False, None, [part], [CompletedResult("0")]))  # noqa: FBT003 - graphql-core's
        await answer.end([GraphQLError("large")])
        payloads = parts("".join(message["body"].decode() for message in sent[1:]))
        assert payloads[1:] == [{"completed": [failed("0", "large")], "hasNext": False}]


def failed(id_: str, message: str) -> dict[str, Any]:
    return {"id": id_, "errors": [{"message": message}]}
