"""No more bodies of posts are read than an answer may hold."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gqlapi.database.kept import KeptStatement
from gqlapi.database.read_unit import ReadUnit
from gqlapi.repositories.base import ROWS_WITH_BODIES
from tests.api import Api, serve, settings_for
from tests.factories import make_post, make_tag, make_user, save

LIMIT = 20_000
POSTS = 60
LENGTH = 1_000
CONTENT = "content { markdown html text }"
OF_ONE = "posts(first: 60) { nodes { content { html } } }"
ONE_BY_ONE = " ".join(f'a{n}: post(by: {{slug: "post-{n}"}}) {{ {CONTENT} }}' for n in range(10))


@pytest.fixture(params=["snapshot", "statement"])
async def server(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    settings = settings_for(database_url, max_answer_bytes=LIMIT, read_consistency=request.param, report_costs=False)
    async with serve(settings) as api:
        author, tag = make_user(username="ada"), make_tag(slug="tag")
        texts = {"markdown": "m" * LENGTH, "html": "h" * LENGTH, "text": "word " * (LENGTH // 5)}
        posts = [make_post(author, tag, slug=f"post-{number}", title="word", **texts) for number in range(POSTS)]
        await save(api.database, [author, tag, *posts])
        yield api


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The characters of long texts that each statement brought into memory."""
    lengths: list[int] = []
    fetch = KeptStatement.fetch

    async def note(statement: KeptStatement, *arguments: Any, **options: Any) -> Any:
        rows = await fetch(statement, *arguments, **options)
        texts = [value for row in rows for value in row if isinstance(value, str) and len(value) >= LENGTH]
        lengths.append(sum(map(len, texts)))
        return rows

    monkeypatch.setattr(KeptStatement, "fetch", note)
    return lengths


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The characters that each read counted."""
    lengths: list[int] = []
    count_body = ReadUnit.count_body

    def count(unit: ReadUnit, length: int) -> None:
        lengths.append(length)
        count_body(unit, length)

    monkeypatch.setattr(ReadUnit, "count_body", count)
    return lengths


class TestBodies:
    @pytest.mark.parametrize(
        "document",
        [
            pytest.param(f"{{ {OF_ONE} }}", id="list"),
            pytest.param(f"{{ users(first: 1) {{ nodes {{ {OF_ONE} }} }} }}", id="of users"),
            pytest.param(f"{{ tags(first: 1) {{ nodes {{ {OF_ONE} }} }} }}", id="of tags"),
            pytest.param('{ search(query: "word", first: 60) { edges { highlight } } }', id="highlights"),
            pytest.param('{ search(query: "word", first: 60) { nodes { ... on Post { content { text } } } } }', id="h"),
            pytest.param(f"{{ {ONE_BY_ONE} }}", id="one by one"),
        ],
    )  # fmt: skip
    async def test_are_read_up_to_a_budget(self, server: Api, fetched: list[int], document: str) -> None:
        """Up to ten rows are read before they are counted; of more, the database says first how long they are."""
        result = await server.execute(document)
        assert {error["extensions"]["code"] for error in result["errors"]} == {"LIMIT_EXCEEDED"}
        assert sum(fetched) <= LIMIT + 3 * LENGTH * ROWS_WITH_BODIES

    async def test_of_many_rows_are_read_if_they_fit(self, server: Api, fetched: list[int]) -> None:
        data: Any = await server.data("{ posts(first: 15) { nodes { content { html } } } }")
        assert {len(node["content"]["html"]) for node in data["posts"]["nodes"]} == {LENGTH}
        assert sum(fetched) == 16 * LENGTH

    async def test_that_fit_are_all_returned(self, server: Api, counted: list[int]) -> None:
        data: Any = await server.data("{ posts(first: 5) { nodes { content { html text } } } }")
        assert len(data["posts"]["nodes"]) == 5
        assert {len(node["content"]["html"]) for node in data["posts"]["nodes"]} == {LENGTH}
        assert sum(counted) > 10 * LENGTH

    async def test_that_are_not_selected_are_not_read(self, server: Api, counted: list[int]) -> None:
        await server.data("{ posts(first: 60) { nodes { id title excerpt(length: 10) } } }")
        assert counted == []
