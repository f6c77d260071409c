"""`gqlapi search reindex`: all rows, beside servers that change them."""

from typing import Any

import pytest
import sqlalchemy as sa

from gqlapi.database.search import DOCUMENTS, WORDS, Indexed
from gqlapi.database.search_index import ROWS_AT_ONCE, SOURCES
from gqlapi.database.unit import Database
from gqlapi.models import Post, Tag, User, UserRole, new_id
from gqlapi.reindexing import reindex
from gqlapi.repositories.search import SearchIndex
from tests.api import Api
from tests.factories import make_draft, make_post, make_tag, make_user, save
from tests.processes import Folder
from tests.signing_in import sign_in_as

SEARCH = "query($query: String!) { search(query: $query) { totalCount nodes { __typename } } }"


async def found(api: Api, query: str) -> list[str]:
    return sorted(node["__typename"] for node in (await api.data(SEARCH, {"query": f'"{query}"'}))["search"]["nodes"])


async def empty_index(api: Api) -> None:
    async with api.database.write() as session:
        if api.database.dialect_name == "sqlite":
            await session.execute(sa.delete(WORDS))
        await session.execute(sa.delete(DOCUMENTS))


async def indexed(api: Api) -> set[Any]:
    async with api.database.write() as session:
        return {tuple(row) for row in await session.execute(sa.select(DOCUMENTS.c.node_id, DOCUMENTS.c.kind))}


@pytest.fixture
async def rows(api: Api) -> tuple[User, Tag, list[Post]]:
    ada = make_user(username="ada", display_name="Quince", bio="Writes.", role=UserRole.EDITOR)
    tag = make_tag(name="Quince", description="A fruit")
    posts = [make_post(ada, tag, title=f"Number{number}", markdown="*quince*") for number in range(ROWS_AT_ONCE + 1)]
    await save(api.database, [ada, tag, *posts, make_draft(ada, title="Hidden quince")])
    return ada, tag, posts


class TestReindex:
    async def test_makes_the_index_that_writing_made(self, api: Api, rows: tuple[User, Tag, list[Post]]) -> None:
        before = await indexed(api)
        hits = [await found(api, query) for query in ("quince", "fruit", "ada", "number3", "writes")]
        await empty_index(api)
        assert await found(api, "quince") == []

        counts = await reindex(api.database)

        assert counts == {"posts": ROWS_AT_ONCE + 2, "users": 1, "tags": 1, "removed": 0}
        assert await indexed(api) == before
        assert [await found(api, query) for query in ("quince", "fruit", "ada", "number3", "writes")] == hits
        assert hits[1:] == [["Tag"], ["User"], ["Post"], ["User"]]

    async def test_replaces_what_is_there_and_removes_what_has_no_row(
        self, api: Api, rows: tuple[User, Tag, list[Post]]
    ) -> None:
        ada, _, posts = rows
        async with api.database.write() as session:
            index = SearchIndex(session)
            strays = [(new_id(), kind, Indexed.of("stray", "")) for kind in SOURCES]
            strays.append((posts[0].id, "post", Indexed.of("stray", "")))
            async for _ in index.put_all(strays):
                pass
            await session.execute(sa.update(User).values(deleted_at=ada.created_at).where(User.id == ada.id))
        assert (await reindex(api.database))["removed"] == 4
        assert await found(api, "stray") == []
        assert await found(api, "number0") == ["Post"]
        assert await found(api, "ada") == []

    async def test_replaces_words_without_a_document(self, api: Api, rows: tuple[User, Tag, list[Post]]) -> None:
        async with api.database.write() as session:
            await session.execute(sa.delete(DOCUMENTS))
        assert await found(api, "number3") == []
        assert (await reindex(api.database))["posts"] == ROWS_AT_ONCE + 2
        assert await found(api, "number3") == ["Post"]

    async def test_leaves_what_changes_meanwhile_to_who_changes_it(
        self, api: Api, rows: tuple[User, Tag, list[Post]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ada, _, posts = rows
        client = await sign_in_as(api, ada)
        transact, pending = Database.transact, ["Changed"]

        async def change_before(self: Database, *arguments: Any, **options: Any) -> Any:
            if pending:
                given = {"id": posts[0].global_id, "patch": {"title": pending.pop()}}
                assert (await client.payload("updatePost", given, "post { id }"))["errors"] == []
            return await transact(self, *arguments, **options)

        monkeypatch.setattr(Database, "transact", change_before)
        assert (await reindex(api.database))["posts"] == ROWS_AT_ONCE + 1
        assert await found(api, "changed") == ["Post"]
        assert await found(api, posts[0].title) == []


class TestCommand:
    def test_tells_how_much_it_indexed(self, folder: Folder) -> None:
        assert folder.run("migrate").returncode == 0
        assert folder.run("seed", "--users", "2", "--posts", "3", "--tags", "1").returncode == 0
        result = folder.run("search", "reindex")
        assert (result.returncode, result.stdout) == (0, "")
        assert result.stderr.splitlines()[-1] == "Indexed 3 posts, 2 users, 1 tags; removed 0 documents without a row."
