"""Scores of a search: what ranks before what, and that hidden rows change nothing."""

from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from gqlapi.models import Post, PostState, Row
from gqlapi.repositories import search
from gqlapi.repositories.search import SearchIndex
from tests.api import Api
from tests.examples import examples
from tests.factories import LONG_AGO, make_draft, make_post, make_scheduled_post, make_tag, make_user, save

WORDS = ("apple", "apples", "banana", "cherry", "東京", "zebra")
QUERIES = ("apple", "app*", '"apple banana"', "banana cherry", "東京", "zebra -apple")
SEARCH = """
query Search($query: String!, $first: Int, $after: Cursor) {
  search(query: $query, first: $first, after: $after) {
    totalCount
    edges { cursor score node { ... on Node { id } } }
  }
}
"""
texts = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
pairs = st.tuples(texts, texts)


async def results(api: Api) -> list[Any]:
    """Return scores, order and cursors of all hits of all queries."""
    return [(await api.data(SEARCH, {"query": query, "first": 100}))["search"] for query in QUERIES]


async def ranked(api: Api, query: str, rows: Sequence[Row]) -> list[int]:
    """Save rows and return their numbers, best hit first."""
    await save(api.database, rows)
    data = await api.data(SEARCH, {"query": query, "first": 100})
    numbers = {row.global_id: number for number, row in enumerate(rows)}
    return [numbers[edge["node"]["id"]] for edge in data["search"]["edges"]]


class TestHiddenRows:
    @examples(5)
    @given(
        shown=st.lists(pairs, min_size=1, max_size=6),
        hidden=st.lists(pairs, min_size=1, max_size=12),
        changed=pairs,
    )
    async def test_change_no_score_no_order_and_no_cursor(
        self, api: Api, shown: list[tuple[str, str]], hidden: list[tuple[str, str]], changed: tuple[str, str]
    ) -> None:
        author = make_user(bio=f"apple {shown[0][0]}")
        posts = [make_post(author, title=f"T {title}", markdown=body) for title, body in shown]
        await save(api.database, [author, make_tag(description=shown[0][1]), *posts])
        before = await results(api)
        assert before[0]["edges"]

        rows = make_hidden(author, hidden)
        await save(api.database, rows)
        assert await results(api) == before

        async with api.database.write() as session:
            values = {"title": f"T {changed[0]}", "text": changed[1]}
            await session.execute(sa.update(Post).where(Post.id.in_([row.id for row in rows])).values(values))
            for row in rows:
                row.title, row.text = values["title"], values["text"]
            await SearchIndex(session).put(rows)
        assert await results(api) == before

        async with api.database.write() as session:
            await session.execute(sa.delete(Post).where(Post.id.in_([row.id for row in rows])))
            await SearchIndex(session).remove([row.id for row in rows])
        assert await results(api) == before

    async def test_take_no_place_among_the_candidates(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(search, "MAX_CANDIDATES", 3)
        author = make_user()
        shown = [make_post(author, title="Zebra") for _ in range(2)]
        hidden = [make_draft(author, title="Zebra") for _ in range(5)]

        assert await ranked(api, "zebra", [author, *shown, *hidden]) == [2, 1]


def make_hidden(author: Any, pairs: Sequence[tuple[str, str]]) -> list[Post]:
    """Create posts that a visitor may not see, for each reason in turn."""
    kinds: list[tuple[Any, dict[str, Any]]] = [
        (make_draft, {}),
        (make_scheduled_post, {}),
        (make_post, {"state": PostState.ARCHIVED}),
        (make_post, {"deleted_at": LONG_AGO}),
    ]
    made = []
    for number, (title, body) in enumerate(pairs):
        make, values = kinds[number % len(kinds)]
        made.append(make(author, title=f"T {title}", markdown=body, **values))
    return made


class TestRank:
    async def test_puts_a_title_before_any_number_of_hits_in_a_body(self, api: Api) -> None:
        author = make_user()
        rows = [
            make_post(author, title="Other", markdown="quince " * 50),
            make_post(author, title="Quince", markdown="something else " * 2_000),
            make_post(author, title="Other", markdown="quince"),
        ]

        assert (await ranked(api, "quince", [author, *rows]))[0] == 2

    async def test_puts_more_hits_before_fewer(self, api: Api) -> None:
        author = make_user()
        bodies = ["quince " * count + "other " * (6 - count) for count in (1, 3, 5, 2, 4)]
        rows = [make_post(author, title="Title", markdown=body) for body in bodies]

        assert await ranked(api, "quince", [author, *rows]) == [3, 5, 2, 4, 1]

    async def test_puts_the_same_hits_in_a_short_text_first(self, api: Api) -> None:
        author = make_user()
        bodies = ["quince " + "other " * count for count in (200, 10, 1_000, 50)]
        rows = [make_post(author, title="Title", markdown=body) for body in bodies]

        assert await ranked(api, "quince", [author, *rows]) == [2, 4, 1, 3]

    async def test_counts_each_word_by_itself(self, api: Api) -> None:
        author = make_user()
        bodies = ["quince medlar", "quince quince quince medlar medlar medlar", "quince quince quince medlar other two"]
        rows = [make_post(author, title="Title", markdown=body) for body in bodies]

        assert (await ranked(api, "quince medlar", [author, *rows]))[0] == 2

    async def test_of_a_word_that_is_not_counted_is_still_a_hit(self, api: Api) -> None:
        author = make_user()
        rows = [make_post(author, title="Title", markdown="other " * 5_000 + "quince")]

        assert await ranked(api, "quince", [author, *rows]) == [1]
