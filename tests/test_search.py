"""Search: which rows are found, in pages, and what hostile queries do."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gqlapi.models import Post, PostState, Row, Tag, User
from gqlapi.words import words
from tests.api import Api
from tests.examples import examples
from tests.factories import make_draft, make_post, make_scheduled_post, make_tag, make_user, save

VOCABULARY = (
    "apple", "Apples", "über", "STRASSE", "straße", "naïve", "example.com", "foo-bar", "foo", "bar", "c++", "the",
    "running", "run", "東京タワー", "京都", "שלום", "🦊fox", "O'Brien", "1984", "a_b", "x1y2", "word:word", "not",
)  # fmt: skip
SEARCH = """
query Search(
  $query: String!, $types: [SearchType!], $filter: PostFilter, $orderBy: SearchOrder
  $first: Int, $after: Cursor, $last: Int, $before: Cursor
) {
  search(
    query: $query, types: $types, filter: $filter, orderBy: $orderBy
    first: $first, after: $after, last: $last, before: $before
  ) {
    totalCount
    edges { cursor score highlight node { __typename ... on Node { id } } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""


def make_rows() -> list[Row]:
    """Create rows that hold every word of the vocabulary in some of them."""
    users: list[User] = [
        make_user(username=f"writer{number}", bio=f"Likes {VOCABULARY[number]} most") for number in range(12)
    ]
    tags: list[Tag] = [make_tag(name=f"{word} {number}") for number, word in enumerate(VOCABULARY)]
    rows: list[Row] = [*users, *tags]
    for number in range(80):
        listed = [VOCABULARY[(number * step) % len(VOCABULARY)] for step in range(1, 2 + number % 5)]
        values = {"title": f"Title {listed[0]}", "markdown": "\n\n".join(listed) + f" filler{number}"}
        make = (make_post, make_draft, make_scheduled_post)[number % 3 if number % 2 else 0]
        rows.append(make(users[number % 12], **values))
    rows += [make_post(user, title="Public", markdown="") for user in users]  # who has none is not found
    rows.append(make_post(users[0], markdown="apple", state=PostState.ARCHIVED))
    return rows


def text_of(row: Row) -> tuple[str, str]:
    match row:
        case Post():
            return row.title, row.text
        case User():
            return f"{row.username} {row.display_name}", row.bio or ""
        case Tag():
            return row.name, row.description or ""
    raise TypeError(row)


def is_visible(row: Row) -> bool:
    return not isinstance(row, Post) or (row.visible_from is not None and "archived" not in row.state)


def holds(row: Row, phrase: list[str], *, is_prefix: bool = False) -> bool:
    """Return whether the words are adjacent in the title or in the body."""
    for part in map(words, text_of(row)):
        for start in range(len(part) - len(phrase) + 1):
            *whole, last = part[start : start + len(phrase)]
            if whole == phrase[:-1] and (last.startswith(phrase[-1]) if is_prefix else last == phrase[-1]):
                return True
    return False


@pytest.fixture
async def rows(api: Api) -> list[Row]:
    """The rows that everybody may see, among others."""
    rows = make_rows()
    await save(api.database, rows)
    scheduled = [
        row for row in rows if isinstance(row, Post) and row.published_at and row.published_at > row.created_at
    ]
    return [row for row in rows if is_visible(row) and row not in scheduled]


async def found(api: Api, query: str, **variables: Any) -> set[str]:
    data = await api.data(SEARCH, {"query": query, "first": 90, **variables})
    ids = {edge["node"]["id"] for edge in data["search"]["edges"]}
    assert len(ids) == data["search"]["totalCount"] == len(data["search"]["edges"])
    return ids


class TestHits:
    async def test_finds_a_word_exactly_in_the_rows_that_hold_it(self, api: Api, rows: list[Row]) -> None:
        for word in VOCABULARY:
            is_prefix = len(words(word)[-1]) > 1
            expected = {row.global_id for row in rows if holds(row, words(word), is_prefix=is_prefix)}

            assert expected, word
            assert await found(api, word) == expected, word

    async def test_combines_phrases_beginnings_and_exclusions(self, api: Api, rows: list[Row]) -> None:
        cases: dict[str, Callable[[Row], bool]] = {
            '"foo bar"': lambda row: holds(row, ["foo", "bar"]),
            "app*": lambda row: holds(row, ["app"], is_prefix=True),
            "foo -bar": lambda row: holds(row, ["foo"], is_prefix=True) and not holds(row, ["bar"]),
            '"app"': lambda row: holds(row, ["app"]),
            "a": lambda row: holds(row, ["a"]),
            "title app": lambda row: holds(row, ["title"]) and holds(row, ["app"], is_prefix=True),
            "app title": lambda row: holds(row, ["app"]) and holds(row, ["title"], is_prefix=True),
            'title "straße': lambda row: holds(row, ["title"]) and holds(row, ["strasse"]),
            "東京": lambda row: holds(row, ["東", "京"]),
            '"likes ru*"': lambda row: holds(row, ["likes", "ru"], is_prefix=True),
        }
        for query, is_hit in cases.items():
            assert await found(api, query) == {row.global_id for row in rows if is_hit(row)}, query

    async def test_finds_only_the_types_asked_for(self, api: Api, rows: list[Row]) -> None:
        expected = {row.global_id for row in rows if isinstance(row, Tag) and holds(row, ["apple"], is_prefix=True)}

        assert await found(api, "apple", types=["TAG"]) == expected

    async def test_filters_posts(self, api: Api, rows: list[Row]) -> None:
        data = await api.data('{ posts(filter: {search: "foo -bar"}, first: 100) { totalCount nodes { id } } }')

        hits = [row for row in rows if isinstance(row, Post) and holds(row, ["foo"]) and not holds(row, ["bar"])]
        assert {node["id"] for node in data["posts"]["nodes"]} == {post.global_id for post in hits}
        assert data["posts"]["totalCount"] == len(hits)

    async def test_ranks_a_title_above_a_body(self, api: Api) -> None:
        author = make_user()
        in_body = make_post(author, title="Something else", markdown="quince")
        in_title = make_post(author, title="Quince", markdown="Something else")
        await save(api.database, [author, in_title, in_body])

        data = await api.data(SEARCH, {"query": "quince"})

        ids = [edge["node"]["id"] for edge in data["search"]["edges"]]
        assert ids == [in_title.global_id, in_body.global_id]

    async def test_costs_one_statement_and_one_for_each_type_and_its_texts(self, api: Api, rows: list[Row]) -> None:
        with api.statements() as one:
            await found(api, "apple")
        with api.statements() as many:
            await found(api, "title* -zzz")

        assert rows
        assert len(one) <= 8
        assert len(many) <= 8


class TestHighlight:
    async def test_marks_the_words_and_escapes_the_rest(self, api: Api) -> None:
        author = make_user(bio="knows <b>HTML</b> & quinces, quince by quince")
        await save(api.database, [author, make_post(author)])

        data = await api.data(SEARCH, {"query": "quince"})

        (edge,) = data["search"]["edges"]
        assert edge["highlight"] == (
            "knows &lt;b&gt;HTML&lt;/b&gt; &amp; <mark>quinces</mark>, <mark>quince</mark> by <mark>quince</mark>"
        )

    async def test_is_a_fragment_of_one_line(self, api: Api) -> None:
        author = make_user()
        post = make_post(author, markdown="\n\n".join(["before " * 40, "a quince & more", "after " * 40]))
        await save(api.database, [author, post])

        data = await api.data(SEARCH, {"query": "quince"})

        (edge,) = data["search"]["edges"]
        assert edge["highlight"].startswith("…before before")
        assert " before a <mark>quince</mark> &amp; more after " in edge["highlight"]
        assert edge["highlight"].endswith(" after…")
        assert "\n" not in edge["highlight"]


class TestPages:
    async def test_walks_through_all_hits_once(self, api: Api, rows: list[Row]) -> None:
        expected = await found(api, "title")
        walked: list[str] = []
        after = None
        while True:
            data = await api.data(SEARCH, {"query": "title", "first": 7, "after": after})
            walked += [edge["node"]["id"] for edge in data["search"]["edges"]]
            assert data["search"]["pageInfo"]["hasPreviousPage"] is (after is not None)
            after = data["search"]["pageInfo"]["endCursor"]
            if not data["search"]["pageInfo"]["hasNextPage"]:
                break

        assert len(rows) > 7
        assert len(walked) == len(set(walked))
        assert set(walked) == expected

    async def test_refuses_the_cursor_of_another_search(self, api: Api, rows: list[Row]) -> None:
        data = await api.data(SEARCH, {"query": "title", "first": 1})
        cursor = data["search"]["pageInfo"]["endCursor"]

        result = await api.execute(SEARCH, {"query": "apple", "after": cursor})

        assert rows
        assert result["errors"][0]["extensions"]["code"] == "INVALID_CURSOR"


class TestHostileQueries:
    @examples(30)
    @given(query=st.text(max_size=60) | st.text(alphabet="\"'*-()<>&|!:\\ aAzZ+^~{}[]%_NEAROT", max_size=60))
    @example(query='"')
    @example(query="NEAR(foo bar, 5)")
    @example(query="foo AND OR NOT")
    @example(query="title:foo")
    @example(query='* ** -* -"')
    @example(query="' & | ! <-> :* \\")
    @example(query="\u202e\u05e9\u05dc\u05d5\u05dd مرحبا 🦊👨‍👩‍👧")
    async def test_answers_or_refuses_clearly(self, api: Api, query: str) -> None:
        response = await api.post(SEARCH, {"query": query, "first": 1})

        assert response.status_code in {200, 422}
        for error in response.json().get("errors", []):
            assert error["extensions"]["code"] == "BAD_USER_INPUT"

    @pytest.mark.parametrize(
        "query", ["", " ", "...", "-foo", "a" * 501, "x " * 10_000, " ".join("abcdefghijklmnopqrstu")]
    )
    async def test_refuses_what_cannot_be_searched(self, api: Api, query: str) -> None:
        with api.statements() as statements:
            result = await api.execute(SEARCH, {"query": query})

        assert result["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert result["errors"][0]["path"] == ["search"]
        assert statements == []
