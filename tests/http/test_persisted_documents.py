"""Documents that are known by an id: Apollo's protocol, every form of a request, and the modes that admit no others."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from graphql import parse
from pydantic import ValidationError

from gqlapi.documents.automatic import BYTES_PER_ENTRY, MemoryStore
from gqlapi.documents.ids import sha256_id
from gqlapi.documents.persisted import NEEDS_ID, PersistedDocuments
from gqlapi.documents.trusted import Document, TrustedDocuments
from gqlapi.errors import Unavailable
from gqlapi.operations import Refused
from gqlapi.settings import Settings
from tests.api import Api, only_error, serve, settings_for

QUERY = "query Hello($n: Int = 1) { posts(first: $n) { totalCount } } query Bye { __typename }"
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
EMPTY = {"posts": {"totalCount": 0}}
MISS = {"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}
SIGN_OUT = "mutation { signOut(input: {}) { errors { code } } }"

HOSTILE_IDS = (
    "",
    "x",
    "sha256:",
    "sha256:" + "0" * 64,
    "0" * 64,
    "sha256:" + "0" * 63,
    sha256_id(QUERY).upper(),
    sha256_id(QUERY).replace("sha256", "SHA256"),
    f" {sha256_id(QUERY)}",
    f"{sha256_id(QUERY)}\n",
    f"sha256:{sha256_id(QUERY)}",
    QUERY,
    "../../etc/passwd",
    "'; DROP TABLE posts --",
    "\0",
    "\U0001f600" * 1_000,
    "x" * 100_000,
)
# What a server that runs trusted documents refuses, and whether it asks for an id.
UNTRUSTED: tuple[tuple[dict[str, Any], bool], ...] = (
    ({"query": "{ __typename }"}, True),
    ({"query": QUERY, "operationName": "Hello"}, True),
    ({"query": "{"}, True),
    ({"query": "{ __schema { types { name } } }", "documentId": None}, True),
    ({"query": "{ __typename }", "documentId": "x"}, False),
    ({"query": "{ __typename }", "documentId": sha256_id("{ __typename }")}, False),
    ({"documentId": "x"}, False),
    ({"documentId": sha256_id("{ __typename }")}, False),
)

Send = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def api(sqlite_url: str) -> AsyncIterator[Api]:
    async with serve(settings_for(sqlite_url)) as api:
        yield api


@pytest.fixture
async def trusting(sqlite_url: str) -> AsyncIterator[Api]:
    """A server that runs trusted documents only, and has one, the query."""
    async with serve(settings_for(sqlite_url, documents="trusted")) as api:
        trust(api, QUERY)
        yield api


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The documents that are parsed in the test."""
    texts: list[str] = []

    def record(text: str, **options: Any) -> Any:
        texts.append(text)
        return parse(text, **options)

    monkeypatch.setattr("gqlapi.operations.documents.parse", record)
    return texts


def trust(api: Api, text: str, max_cost: int | None = None) -> None:
    """Add a trusted document to the memory of a server."""
    documents: PersistedDocuments = api.app.state.documents
    documents.trusted._documents[sha256_id(text)] = Document(text, max_cost)


def apq(text: str, **other: Any) -> dict[str, Any]:
    """Return the extensions that Apollo Client sends for a document."""
    hash_ = sha256_id(text).removeprefix("sha256:")
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash_, **other}}}


def in_url(parameters: dict[str, Any]) -> dict[str, str]:
    """Return parameters as a URL has them."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()}


async def link(api: Api, text: str, **request: Any) -> tuple[Any, list[str]]:
    """Do what Apollo's link does with hashes in URLs: send the hash, and hash and text after a miss."""
    body = apq(text) | request
    response = await api.http.get("/graphql", params=in_url(body))
    sent = ["hash"]
    if any(error["message"] == "PersistedQueryNotFound" for error in response.json().get("errors", ())):
        response = await api.http.post("/graphql", json=body | {"query": text})
        sent.append("text")
    return response.json().get("data"), sent


class TestRegistration:
    async def test_takes_one_miss_and_one_registration(self, api: Api, parsed: list[str]) -> None:
        hello = {"operationName": "Hello"}
        assert await link(api, QUERY, **hello) == (EMPTY, ["hash", "text"])
        for _ in range(3):
            assert await link(api, QUERY, **hello) == (EMPTY, ["hash"])
        assert parsed == [QUERY]

    async def test_may_use_the_id_of_the_specification(self, api: Api) -> None:
        document_id = sha256_id("{ __typename }")
        assert only_error(await api.http.post("/graphql", json={"documentId": document_id})) == MISS
        await api.data("{ __typename }")  # which registers nothing
        assert only_error(await api.http.post("/graphql", json={"documentId": document_id})) == MISS
        assert (await api.execute("{ __typename }", documentId=document_id))["data"] == {"__typename": "Query"}
        response = await api.http.post("/graphql", json={"documentId": document_id})
        assert response.json()["data"] == {"__typename": "Query"}

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("{ nothing", "GRAPHQL_PARSE_FAILED"),
            ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
            ("{ posts(first: 100) { nodes { author { posts(first: 100) { nodes { id } } } } } }", "LIMIT_EXCEEDED"),
            ("query A { __typename } query B { __typename }", "OPERATION_RESOLUTION_FAILURE"),
        ],
    )
    async def test_needs_a_valid_document_within_the_limits(self, api: Api, text: str, code: str) -> None:
        assert only_error(await api.post(text, **apq(text)))["extensions"]["code"] == code
        assert only_error(await api.http.post("/graphql", json=apq(text))) == MISS

    async def test_needs_a_method_that_may_run_it(self, api: Api) -> None:
        await api.http.get("/graphql", params=in_url({"query": SIGN_OUT, **apq(SIGN_OUT)}))
        assert only_error(await api.http.post("/graphql", json=apq(SIGN_OUT))) == MISS

    @pytest.mark.parametrize("other", ["{ __typename  }", "{", ""])
    async def test_refuses_the_hash_of_another_text(self, api: Api, other: str) -> None:
        error = only_error(await api.post("{ __typename }", **apq(other)))
        assert error == {"message": "The id is not that of `query`.", "extensions": {"code": "BAD_REQUEST"}}
        assert only_error(await api.http.post("/graphql", json=apq(other))) == MISS

    async def test_takes_text_that_is_not_unicode(self, api: Api) -> None:
        text = '{ node(id: "\ud800") { id } }'
        content = json.dumps({"query": text, **apq(text)}).encode()
        response = await api.http.post("/graphql", content=content, headers={"Content-Type": "application/json"})
        assert only_error(response)["extensions"]["code"] == "GRAPHQL_PARSE_FAILED"

    async def test_can_be_switched_off(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url, max_apq_bytes=0)) as api:
            unsupported = only_error(await api.http.post("/graphql", json=apq(QUERY)))
            assert unsupported["message"] == "PersistedQueryNotSupported"
            assert unsupported["extensions"] == {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}
            assert (await api.execute(QUERY, operationName="Bye", **apq(QUERY)))["data"] == {"__typename": "Query"}
            assert only_error(await api.http.post("/graphql", json=apq(QUERY))) == unsupported
            assert only_error(await api.http.post("/graphql", json={"documentId": sha256_id(QUERY)})) == MISS

    async def test_has_a_budget(self) -> None:
        store = MemoryStore(10 * BYTES_PER_ENTRY)
        for number in range(40):
            await store.put(str(number), "x" * number)
        kept = [number for number in range(40) if await store.get(str(number)) is not None]
        assert kept == list(range(40 - len(kept), 40))
        assert 5 < len(kept) < 10
        await store.put("large", "é" * 6 * BYTES_PER_ENTRY)
        assert await store.get("large") is None


class TestForms:
    @pytest.fixture
    async def sends(self, api: Api) -> dict[str, Send]:
        trust(api, QUERY)
        document_id = sha256_id(QUERY)
        path = f"/graphql/documents/{document_id}"
        named = {"documentId": document_id}
        return {
            "GET": lambda **other: api.http.get("/graphql", params=in_url(named | other)),
            "GET APQ": lambda **other: api.http.get("/graphql", params=in_url(apq(QUERY) | other)),
            "GET URL": lambda **other: api.http.get(path, params=in_url(other)),
            "GET escaped": lambda **other: api.http.get(path.replace(":", "%3A"), params=in_url(other)),
            "POST": lambda **other: api.http.post("/graphql", json=named | other),
            "POST APQ": lambda **other: api.http.post("/graphql", json=apq(QUERY) | other),
            "POST URL": lambda **other: api.http.post(path, json=other),
            "POST both": lambda **other: api.http.post("/graphql", json=named | {"query": QUERY} | other),
            "without prefix": lambda **other: api.http.post("/graphql", json={"documentId": document_id[7:]} | other),
            "a browser's": lambda **other: api.http.get(path, params=in_url(other), headers=BROWSER),
        }

    async def test_run_the_document(self, sends: dict[str, Send], parsed: list[str]) -> None:
        for send in sends.values():
            response = await send(operationName="Hello", variables={"n": 3})
            assert (response.status_code, response.json()["data"]) == (200, EMPTY)
        for send in sends.values():
            assert only_error(await send(operationName="Hello", variables={"n": "x"}))["extensions"]["code"] == (
                "BAD_USER_INPUT"
            )
            assert (await send(operationName="Bye")).json()["data"] == {"__typename": "Query"}
            assert only_error(await send())["extensions"]["code"] == "OPERATION_RESOLUTION_FAILURE"
        assert parsed.count(QUERY) == 2 + len(sends)  # each operation once; what is ambiguous is not kept

    async def test_never_mutate_by_get(self, api: Api) -> None:
        trust(api, SIGN_OUT)
        path = f"/graphql/documents/{sha256_id(SIGN_OUT)}"
        by_get, by_post = await api.http.get(path), await api.http.post(path, json={})
        assert by_get.status_code >= 400
        assert by_post.json()["data"] == {"signOut": {"errors": [{"code": "UNAUTHENTICATED"}]}}

    async def test_of_another_protocol_are_refused(self, api: Api) -> None:
        digest = "0" * 64
        protocols: list[Any] = [
            "x",
            [],
            {"version": 1},
            {"version": 1, "sha256Hash": 1},
            {"version": 2, "sha256Hash": digest},
            {"sha256Hash": digest},
        ]
        for persisted in protocols:
            extensions = {"persistedQuery": persisted}
            for response in (
                await api.http.post("/graphql", json={"query": "{ __typename }", "extensions": extensions}),
                await api.http.get("/graphql", params=in_url({"extensions": extensions})),
            ):
                assert only_error(response)["extensions"]["code"] == "BAD_REQUEST"
                assert "persistedQuery" in only_error(response)["message"]

    async def test_may_have_null_in_the_place_of_an_id(self, api: Api) -> None:
        result = await api.execute("{ __typename }", documentId=None, extensions={"persistedQuery": None})
        assert result["data"] == {"__typename": "Query"}

    async def test_may_not_contradict_the_url(self, api: Api) -> None:
        trust(api, QUERY)
        response = await api.http.post(f"/graphql/documents/{sha256_id(QUERY)}", json=apq("{ __typename }"))
        assert only_error(response)["message"] == "The URL has the id of another document."

    async def test_of_misses_are_not_stored_by_caches(self, api: Api) -> None:
        missed = await api.http.get("/graphql", params={"documentId": "x"})
        assert missed.headers.get_list("cache-control") == ["no-store"]
        posted = await api.http.post("/graphql", json={"documentId": "x"})
        assert posted.headers.get_list("cache-control") == ["no-store"]


async def test_hostile_ids_are_not_found(api: Api, parsed: list[str]) -> None:
    trust(api, QUERY)
    for document_id in HOSTILE_IDS:
        assert only_error(await api.http.post("/graphql", json={"documentId": document_id})) == MISS
        extensions = {"persistedQuery": {"version": 1, "sha256Hash": document_id}}
        assert only_error(await api.http.post("/graphql", json={"extensions": extensions})) == MISS
        if len(document_id) < 1_000:  # a URL is shorter
            assert only_error(await api.http.get(f"/graphql/documents/{quote(document_id, safe='')}")) == MISS
    assert parsed == []


async def test_ids_are_strings(api: Api) -> None:
    wrong: list[Any] = [1, True, [], {}, ["sha256:"]]
    for document_id in wrong:
        response = await api.http.post("/graphql", json={"documentId": document_id})
        assert only_error(response)["message"] == "`documentId` must be a string or null."


class TestTrustedMode:
    async def test_runs_trusted_documents(self, trusting: Api) -> None:
        hello = {"operationName": "Hello"}
        for body in ({"documentId": sha256_id(QUERY)}, apq(QUERY), {"query": QUERY, **apq(QUERY)}):
            assert (await trusting.http.post("/graphql", json=body | hello)).json()["data"] == EMPTY
        assert await link(trusting, QUERY, **hello) == (EMPTY, ["hash"])

    async def test_refuses_all_others_before_parsing(self, trusting: Api, parsed: list[str]) -> None:
        documents: PersistedDocuments = trusting.app.state.documents
        documents.trusted._read_at = asyncio.get_running_loop().time() + 60  # a moment ago, however slow the machine is
        with trusting.statements() as statements:
            for body, asks_for_id in UNTRUSTED:
                error = only_error(await trusting.http.post("/graphql", json=body))
                assert error == (MISS | {"message": NEEDS_ID} if asks_for_id else MISS)
        assert (parsed, statements) == ([], [])

    async def test_refuses_another_text_under_a_trusted_id(self, trusting: Api, parsed: list[str]) -> None:
        error = only_error(await trusting.post("{ __typename }", documentId=sha256_id(QUERY)))
        assert (error["extensions"]["code"], parsed) == ("BAD_REQUEST", [])

    async def test_registers_nothing(self, trusting: Api) -> None:
        for _ in range(2):
            assert await link(trusting, "{ __typename }") == (None, ["hash", "text"])

    async def test_looks_at_the_database_once_a_second(self, trusting: Api) -> None:
        documents: PersistedDocuments = trusting.app.state.documents
        documents.trusted._read_at = None  # long ago
        with trusting.statements() as statements:
            for number in range(20):
                response = await trusting.http.post("/graphql", json={"documentId": f"x{number}"})
                assert only_error(response) == MISS
        assert len(statements) == 1

    async def test_has_no_graphiql(self, trusting: Api) -> None:
        response = await trusting.http.get("/graphql", headers=BROWSER)
        assert response.status_code == 404
        with pytest.raises(ValidationError, match="GQLAPI_GRAPHIQL needs GQLAPI_DOCUMENTS=any"):
            Settings.model_validate({"documents": "trusted", "graphiql": True})


class TestPersistedMode:
    async def test_runs_what_has_an_id(self, sqlite_url: str, parsed: list[str]) -> None:
        async with serve(settings_for(sqlite_url, documents="persisted")) as api:
            trust(api, QUERY)
            refused = only_error(await api.post("{ __typename }"))
            assert refused["message"] == NEEDS_ID
            assert parsed == []
            assert await link(api, "{ __typename }") == ({"__typename": "Query"}, ["hash", "text"])
            assert await link(api, "{ __typename }") == ({"__typename": "Query"}, ["hash"])
            assert await link(api, QUERY, operationName="Bye") == ({"__typename": "Query"}, ["hash"])


class TestUnreadableDatabase:
    async def test_is_not_a_miss(self) -> None:
        """Apollo Client would register the document in vain, and a proxy might keep the answer."""

        def fail() -> Any:
            raise Unavailable("The database cannot be reached.")

        documents = PersistedDocuments("trusted", TrustedDocuments(lambda *_: []), None)
        for _ in range(2):
            with pytest.raises(Refused) as refused:
                await documents.find("x", "", fail)
            assert isinstance(refused.value.errors[0].original_error, Unavailable)
