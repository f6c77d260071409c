"""Trusted documents in the database: the commands, and what running servers see of them."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gqlapi.database.types import utc_now
from gqlapi.database.unit import Database, create_database
from gqlapi.doctor import Finding, Severity
from gqlapi.doctor.texts import examine_texts
from gqlapi.documents.administration import NotChanged, Outcome, add_documents, remove_documents
from gqlapi.documents.ids import sha256_id
from gqlapi.repositories import documents as repository
from gqlapi.repositories.documents import DocumentRepository, DocumentWriteRepository, StoredDocument, Version
from tests.api import Api, only_error, serve, settings_for
from tests.commands import Done, run_beside

HELLO = "query Hello { __typename }"
COUNT = "query Count($n: Int = 1) { posts(first: $n) { nodes { id title } } }"
EXPENSIVE = "{ posts(first: 100) { nodes { author { posts(first: 100) { nodes { id } } } } } }"
BROKEN = "{ nothing }"
PAIR = "query A { __typename } query B { __typename }"
MISS = "PERSISTED_QUERY_NOT_FOUND"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = create_database(settings_for(database_url))
    yield database
    await database.dispose()


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A manifest with the two documents that can run."""
    return write(tmp_path / "persisted-documents.json", {sha256_id(HELLO): HELLO, "count-1": COUNT})


def write(path: Path, documents: dict[str, str]) -> Path:
    path.write_text(json.dumps(documents))
    return path


async def run(url: str, *arguments: str | Path, **settings: str) -> Done:
    return await run_beside("documents", *map(str, arguments), url=url, **settings)


async def add(database: Database, documents: dict[str, str], max_cost: int | None = None) -> dict[str, Outcome]:
    return await database.transact(lambda session: add_documents(session, documents, max_cost))


async def remove(database: Database, *ids: str) -> None:
    await database.transact(lambda session: remove_documents(session, ids))


async def keep(database: Database, document_id: str, text: str) -> None:
    """Write a row as it is, as another version of the server would have."""
    row = StoredDocument(document_id, text, None, utc_now())
    await database.transact(lambda session: DocumentWriteRepository(session).create_all([row]))


async def version_of(database: Database) -> Version:
    unit = database.read()
    try:
        return await DocumentRepository(unit).get_version()
    finally:
        await unit.close()


async def stored(database: Database) -> list[StoredDocument]:
    unit = database.read()
    try:
        return await DocumentRepository(unit).list_all()
    finally:
        await unit.close()


async def ask(api: Api, document_id: str, **body: Any) -> Any:
    """Return the data of a document, or the code of its error."""
    response = await api.http.post("/graphql", json={"documentId": document_id, **body})
    result = response.json()
    return only_error(response)["extensions"]["code"] if "errors" in result else result["data"]


class TestCommands:
    async def test_add_list_check_and_remove(self, database_url: str, manifest: Path) -> None:
        added = await run(database_url, "add", manifest)
        assert (added.status, added.lines) == (0, [f"added      {sha256_id(HELLO)}", "added      count-1"])
        assert added.errors == "Documents: 2 added, 0 changed, 0 unchanged.\n"
        again = await run(database_url, "add", manifest, "--max-cost", "5000")
        assert again.lines == [f"changed    {sha256_id(HELLO)}", "changed    count-1"]
        assert (await run(database_url, "add", manifest)).errors == "Documents: 0 added, 0 changed, 2 unchanged.\n"

        listed = await run(database_url, "list")
        assert [line.split("  ")[0::2] for line in listed.lines] == [
            [sha256_id(HELLO), "max cost 5000"],
            ["count-1", "max cost 5000"],
        ]
        assert [line.rpartition("  ")[2] for line in listed.lines] == ["Hello", "Count"]
        as_json = [json.loads(line) for line in (await run(database_url, "list", "--json")).lines]
        assert [(one["id"], one["operations"], one["maxCost"], one["text"]) for one in as_json] == [
            (sha256_id(HELLO), ["Hello"], 5000, HELLO),
            ("count-1", ["Count"], 5000, COUNT),
        ]
        assert (await run(database_url, "check")).errors == "2 documents can run.\n"

        removed = await run(database_url, "remove", sha256_id(HELLO).removeprefix("sha256:"), "count-1", "count-1")
        assert (removed.status, removed.errors) == (0, "Removed 2 documents.\n")
        assert (await run(database_url, "list")).lines == []

    async def test_change_all_documents_or_none(self, database_url: str, database: Database, tmp_path: Path) -> None:
        path = write(tmp_path / "m.json", {"hello": HELLO, "broken": BROKEN, "md5:x": HELLO, "large": EXPENSIVE})
        refused = await run(database_url, "add", path)
        assert refused.status == 1
        assert refused.errors.splitlines() == [
            "error broken: Cannot query field 'nothing' on type 'Query'.",
            "error 'md5:x': the prefix md5: is reserved; use sha256: or one that begins with x-.",
            "error large: The operation has cost 30401, over the limit of 20000.",
            "error Nothing was added.",
        ]
        assert await stored(database) == []
        await add(database, {"hello": HELLO})
        refused = await run(database_url, "remove", "hello", "nothing")
        assert (refused.status, refused.errors) == (1, "error There is no document 'nothing'.\n")
        assert len(await stored(database)) == 1

    async def test_never_change_a_text(self, database_url: str, database: Database, tmp_path: Path) -> None:
        await add(database, {"1": HELLO})
        refused = await run(database_url, "add", write(tmp_path / "m.json", {"0": HELLO, "1": COUNT}))
        assert (refused.status, refused.errors) == (1, "error 1 has another text already. Remove it first.\n")
        assert [(one.document_id, one.text) for one in await stored(database)] == [("1", HELLO)]


async def test_files_are_checked_without_a_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'nothing.db'}"
    fine, broken = write(tmp_path / "1.json", {"x": HELLO}), write(tmp_path / "2.json", {"y": BROKEN})
    assert (await run(url, "check", fine)).errors == "1 document can run.\n"
    refused = await run(url, "check", fine, broken)
    assert (refused.status, refused.errors) == (1, "error y: Cannot query field 'nothing' on type 'Query'.\n")
    assert not (tmp_path / "nothing.db").exists()


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
class TestFiles:
    async def test_that_cannot_be_read_are_refused_in_a_line(self, database_url: str, tmp_path: Path) -> None:
        path = tmp_path / "broken.json"
        path.write_text("{")
        for command in ("add", "check"):
            refused = await run(database_url, command, path)
            assert (refused.status, len(refused.errors.splitlines())) == (2, 1)
            assert refused.errors.startswith(f"error {path}: the file is not JSON")

    async def test_may_not_contradict_each_other(self, database_url: str, tmp_path: Path) -> None:
        one, two = write(tmp_path / "1.json", {"x": HELLO}), write(tmp_path / "2.json", {"x": COUNT})
        refused = await run(database_url, "add", one, two)
        assert (refused.status, refused.errors) == (2, f"error {two}: 'x' has another text in another file.\n")

    async def test_of_one_document_are_known_by_its_hash(self, database_url: str, tmp_path: Path) -> None:
        path = tmp_path / "hello.graphql"
        path.write_text(HELLO + "\n")
        assert (await run(database_url, "add", path)).lines == [f"added      {sha256_id(HELLO + chr(10))}"]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("{", "Syntax Error"),
            ("fragment F on Query { __typename }", "Name one of the document's operations"),
            ("query A { __typename } query A { __typename }", "There can be only one operation named 'A'"),
            ("query A { __typename } query B { nothing }", "Cannot query field 'nothing'"),
            ("{ posts(first: 1000) { totalCount } }", "`first` must be"),
            ("query($f: Int!) { posts(first: $f) { nodes { " + "author { posts { nodes { " * 8, "Syntax Error"),
            (
                "query($f: Int!) { posts(first: $f) {" + "nodes { author { posts {" * 8 + "totalCount" + "}" * 26,
                "depth",
            ),
            ("query($s: Boolean!) { __typename @skip(if: $s) posts(first: 1000) { totalCount } }", "`first` must be"),
            ("#" * 70_000, "The document has over 65536 characters."),
        ],
        ids=range(9),
    )
    async def test_of_documents_that_could_never_run_are_refused(
        self, database_url: str, tmp_path: Path, text: str, problem: str
    ) -> None:
        refused = await run(database_url, "check", write(tmp_path / "m.json", {"x": text}))
        assert refused.status == 1
        assert problem in refused.errors
        assert len(refused.errors.splitlines()) == 1

    @pytest.mark.parametrize(
        "text",
        [
            "query($f: Int!) { posts(first: $f) { nodes { author { posts(first: 100) { nodes { id } } } } } }",
            "query($b: Boolean!) { __typename "
            + " ".join(f"a{number}: __typename @include(if: $b)" for number in range(40))
            + " }",
            PAIR,
            "mutation { signOut(input: {}) { errors { code } } }",
        ],
        ids=range(4),
    )
    async def test_of_documents_that_can_run_for_some_values_pass(
        self, database_url: str, tmp_path: Path, text: str
    ) -> None:
        passed = await run(database_url, "check", write(tmp_path / "m.json", {"x": text}))
        assert (passed.status, passed.errors) == (0, "1 document can run.\n")


class TestTable:
    async def test_has_another_version_after_each_change(self, database: Database) -> None:
        versions = [await version_of(database)]

        async def note() -> None:
            versions.append(await version_of(database))

        await add(database, {"a": HELLO, "b": HELLO})
        await note()
        await remove(database, "b")  # the newest one: its position must not be used again
        await note()
        await add(database, {"b": HELLO})
        await note()
        await remove(database, "b")
        await add(database, {"c": HELLO})
        await note()
        await add(database, {"a": HELLO}, max_cost=1)
        await note()
        assert len(set(versions)) == len(versions)
        await add(database, {"a": HELLO, "c": HELLO})  # changes nothing
        assert await version_of(database) == versions[-1]
        assert [(one.document_id, one.max_cost) for one in await stored(database)] == [("c", None), ("a", 1)]

    async def test_serves_commands_that_run_at_once(self, database: Database) -> None:
        outcomes = await asyncio.gather(*(add(database, {"a": HELLO, str(number): HELLO}) for number in range(4)))
        assert sorted(outcome["a"] for outcome in outcomes) == [Outcome.ADDED, *[Outcome.UNCHANGED] * 3]
        assert len(await stored(database)) == 5

    async def test_is_bounded(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("gqlapi.documents.administration.MAX_DOCUMENTS", 2)
        await add(database, {"a": HELLO, "b": HELLO})
        with pytest.raises(NotChanged, match="There would be over 2 documents"):
            await add(database, {"c": HELLO})
        assert await add(database, {"a": HELLO}) == {"a": Outcome.UNCHANGED}
        assert repository.MAX_DOCUMENTS == 10_000


class TestServer:
    async def test_sees_what_is_added_and_removed_while_it_runs(
        self, database_url: str, manifest: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gqlapi.documents.trusted.MISS_SECONDS", 0)
        monkeypatch.setattr("gqlapi.documents.trusted.WATCH_SECONDS", 0.02)
        async with serve(settings_for(database_url, documents="trusted")) as api:
            assert await ask(api, "count-1") == MISS
            await run(database_url, "add", manifest)
            assert await ask(api, "count-1") == {"posts": {"nodes": []}}
            assert await ask(api, sha256_id(HELLO)) == {"__typename": "Query"}
            await run(database_url, "remove", "count-1")
            async with asyncio.timeout(30):
                while await ask(api, "count-1") != MISS:
                    await asyncio.sleep(0.02)
            assert await ask(api, sha256_id(HELLO)) == {"__typename": "Query"}

    async def test_sees_another_limit_of_the_cost_at_the_next_miss(
        self, database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gqlapi.documents.trusted.MISS_SECONDS", 0)
        await add(database, {"count": COUNT})
        async with serve(settings_for(database_url)) as api:
            assert await ask(api, "count") == {"posts": {"nodes": []}}
            await add(database, {"count": COUNT}, max_cost=1)
            assert await ask(api, "nothing") == MISS
            assert await ask(api, "count") == "LIMIT_EXCEEDED"

    async def test_knows_at_its_start_what_is_there(self, database_url: str, database: Database) -> None:
        await add(database, {"a": HELLO})
        async with serve(settings_for(database_url, documents="trusted")) as api:
            with api.statements() as statements:
                assert await ask(api, "a") == {"__typename": "Query"}
            assert statements == []

    async def test_refuses_what_fits_no_longer(self, database_url: str, database: Database) -> None:
        await keep(database, "old", BROKEN)
        await keep(database, "new", HELLO)
        with capture_logs() as logs:
            async with serve(settings_for(database_url, documents="trusted")) as api:
                documents = api.app.state.documents.trusted
                async with asyncio.timeout(30):
                    while not documents.get("new").is_checked:
                        await asyncio.sleep(0.01)
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr("gqlapi.operations.documents.parse", None)  # not called any more
                    assert await ask(api, "old") == "GRAPHQL_VALIDATION_FAILED"
                assert await ask(api, "new") == {"__typename": "Query"}
        assert [(line["id"], line["reason"]) for line in logs if line["event"] == "trusted document refused"] == [
            ("old", "Cannot query field 'nothing' on type 'Query'.")
        ]
        checked = await run(database_url, "check")
        assert (checked.status, checked.errors) == (1, "error old: Cannot query field 'nothing' on type 'Query'.\n")

    async def test_starts_without_its_table(self, empty_database_url: str) -> None:
        with capture_logs() as logs:
            async with serve(settings_for(empty_database_url)) as api:
                assert await api.data("{ __typename }") == {"__typename": "Query"}
        assert [line["event"] for line in logs].count("trusted documents not read") == 1


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
class TestDoctor:
    async def test_wants_documents_where_nothing_else_runs(self, database_url: str, database: Database) -> None:
        async def finding(**overrides: Any) -> Finding:
            [found] = [
                one for one in await examine_texts(settings_for(database_url, **overrides)) if one.code == "D123"
            ]
            return found

        assert (await finding()).severity is Severity.OK
        assert (await finding(documents="trusted")).severity is Severity.ERROR
        await add(database, {"a": HELLO})
        assert str(await finding(documents="trusted")) == (
            "D123 ok      documents: 1 trusted document; GQLAPI_DOCUMENTS=trusted."
        )


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
class TestCostLimit:
    async def test_of_a_document_may_be_higher(self, database_url: str, tmp_path: Path) -> None:
        path = write(tmp_path / "m.json", {"large": EXPENSIVE})
        assert (await run(database_url, "add", path)).status == 1
        assert (await run(database_url, "add", path, "--max-cost", "30400")).status == 1
        assert (await run(database_url, "add", path, "--max-cost", "30401")).status == 0
        async with serve(settings_for(database_url)) as api:
            response = await api.http.post("/graphql", json={"documentId": "large"})
            assert response.json()["data"] == {"posts": {"nodes": []}}
            assert response.json()["extensions"]["cost"] == {"requested": 30401, "limit": 30401}
            refused = only_error(await api.post(EXPENSIVE))  # the text has the limit of the server
            assert refused["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": 20000, "actual": 30401}

    async def test_of_a_document_may_be_lower(self, database_url: str, database: Database) -> None:
        await add(database, {"count": COUNT}, max_cost=20)
        async with serve(settings_for(database_url)) as api:
            assert await ask(api, "count", variables={"n": 1}) == {"posts": {"nodes": []}}
            response = await api.http.post("/graphql", json={"documentId": "count", "variables": {"n": 100}})
            assert only_error(response)["extensions"]["limit"] == 20
            assert await api.data(COUNT, {"n": 100}) == {"posts": {"nodes": []}}
