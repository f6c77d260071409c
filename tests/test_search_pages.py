"""Search in pages of either direction, ordered and filtered, and the hits beyond those whose texts are ranked."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gqlapi.models import Post, Row, Tag, User
from gqlapi.repositories import search
from tests.api import Api
from tests.examples import examples
from tests.factories import LONG_AGO, make_draft, make_post, make_tag, make_user, save
from tests.signing_in import sign_in_as
from tests.test_search import SEARCH

ORDERS = [{"field": field, "direction": end} for field in ("RELEVANCE", "PUBLISHED_AT") for end in ("ASC", "DESC")]


def id_of(edge: Any) -> str:
    return str(edge["node"]["id"])


@pytest.fixture
async def rows(api: Api) -> list[Row]:
    """Hits of several kinds, with equal scores and equal times among them, and rows that are no hits."""
    author = make_user(display_name="Quince", created_at=LONG_AGO)
    tags = [make_tag(name="Quince", created_at=LONG_AGO), make_tag(name="Other")]
    posts = [
        make_post(
            author,
            *tags[number % 2 :],
            title=("Quince", "Quinces of the garden", "Other")[number % 3],
            markdown="quince " * (number % 4) + "filler " * (number % 5),
            published_at=LONG_AGO + timedelta(days=number // 2),
        )
        for number in range(24)
    ]
    rows: list[Row] = [author, *tags, *posts, make_draft(author, title="Quince")]
    await save(api.database, rows)
    return rows


async def pages(api: Api, size: int, order: Any, *, backward: bool) -> list[list[str]]:
    """Walk through all pages, in the order of the list."""
    walked: list[list[str]] = []
    cursor = None
    while True:
        window = {"last": size, "before": cursor} if backward else {"first": size, "after": cursor}
        found = (await api.data(SEARCH, {"query": "quince", "orderBy": order, **window}))["search"]
        ids, info = [id_of(edge) for edge in found["edges"]], found["pageInfo"]
        assert (info["hasNextPage"] if backward else info["hasPreviousPage"]) is (cursor is not None)
        walked = [ids, *walked] if backward else [*walked, ids]
        cursor = info["startCursor" if backward else "endCursor"]
        if not (info["hasPreviousPage"] if backward else info["hasNextPage"]):
            return walked


class TestPages:
    @pytest.mark.parametrize("order", ORDERS, ids=lambda order: "-".join(order.values()))
    @examples(2)
    @given(size=st.integers(1, 9))
    async def test_of_either_direction_are_the_list(
        self, api: Api, rows: list[Row], order: dict[str, str], size: int
    ) -> None:
        variables = {"query": "quince", "orderBy": order, "first": 100}
        whole = (await api.data(SEARCH, variables))["search"]
        expected = [id_of(edge) for edge in whole["edges"]]
        assert whole["totalCount"] == len(expected) == len(set(expected)) > 9

        forward = await pages(api, size, order, backward=False)
        backward = await pages(api, size, order, backward=True)

        assert rows
        assert sum(forward, []) == sum(backward, []) == expected  # noqa: RUF017 - short lists
        assert {len(page) for page in forward[:-1]} <= {size} >= {len(page) for page in backward[1:]}

    async def test_are_ordered_by_publication(self, api: Api, rows: list[Row]) -> None:
        found = (await api.data(SEARCH, {"query": "quince", "orderBy": {"field": "PUBLISHED_AT"}, "first": 100}))[
            "search"
        ]

        moments = {row.global_id: getattr(row, "published_at", row.created_at) for row in rows}
        ids = {row.global_id: row.id for row in rows}
        hits = [id_of(edge) for edge in found["edges"]]
        assert hits == sorted(hits, key=lambda id_: (moments[id_], ids[id_]), reverse=True)

    async def test_refuse_both_directions_at_once(self, api: Api) -> None:
        result = await api.execute(SEARCH, {"query": "quince", "first": 1, "last": 1})

        assert result["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"

    async def test_refuse_the_cursor_of_another_ordering(self, api: Api, rows: list[Row]) -> None:
        data = await api.data(SEARCH, {"query": "quince", "first": 1})
        by_date = {"orderBy": {"field": "PUBLISHED_AT"}, "after": data["search"]["pageInfo"]["endCursor"]}

        result = await api.execute(SEARCH, {"query": "quince", **by_date})

        assert rows
        assert result["errors"][0]["extensions"]["code"] == "INVALID_CURSOR"


class TestFilter:
    async def test_narrows_the_posts_alone(self, api: Api, rows: list[Row]) -> None:
        tag = next(row for row in rows if isinstance(row, Tag))
        since = LONG_AGO + timedelta(days=6)
        row_filter = {
            "tags": {"some": {"id": {"eq": tag.global_id}}},
            "publishedAt": {"gte": since.isoformat()},
            "search": "garden",
        }
        data = await api.data(SEARCH, {"query": "quince", "filter": row_filter, "first": 50})

        expected = {
            row.global_id
            for row in rows
            if not isinstance(row, Post)
            or (
                any(link.tag_id == tag.id for link in row.post_tags)
                and row.published_at is not None
                and row.published_at >= since
                and "garden" in row.title
            )
        }
        expected -= {row.global_id for row in rows if isinstance(row, Tag) and row.name == "Other"}
        assert {id_of(edge) for edge in data["search"]["edges"]} == expected
        assert data["search"]["totalCount"] == len(expected) > 3

    async def test_by_status_finds_the_drafts_of_their_author_alone(self, api: Api, rows: list[Row]) -> None:
        author, draft = next(row for row in rows if isinstance(row, User)), rows[-1]
        variables = {"query": "quince", "types": ["POST"], "filter": {"status": ["DRAFT"]}}
        own, others = await sign_in_as(api, author), api

        assert [id_of(edge) for edge in (await own.data(SEARCH, variables))["search"]["edges"]] == [draft.global_id]
        assert (await others.data(SEARCH, variables))["search"]["edges"] == []


class TestManyHits:
    async def test_of_the_title_are_all_ranked_and_older_ones_follow(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(search, "MAX_CANDIDATES", 2)
        author = make_user()
        exact = make_post(author, title="Quince")
        longer = [make_post(author, title="Quince and more of it") for _ in range(4)]
        bodies = [make_post(author, title="Other", markdown="quince " * count) for count in (9, 5, 1, 1)]
        await save(api.database, [author, exact, *longer, *bodies])

        edges = (await api.data(SEARCH, {"query": "quince"}))["search"]["edges"]

        ranked = [exact, *longer[::-1], bodies[3], bodies[2], bodies[1], bodies[0]]
        assert [id_of(edge) for edge in edges] == [post.global_id for post in ranked]
        assert [edge["score"] for edge in edges[-2:]] == [0.0, 0.0]
        assert edges[0]["score"] == 2.0

    async def test_the_whole_word_precedes_what_begins_with_it(self, api: Api) -> None:
        author = make_user()
        posts = [make_post(author, title=title) for title in ("Cache", "Caches", "Caching")]
        await save(api.database, [author, *posts])

        for query, first in (("cache", 0), ("caches", 1), ("cachi", 2)):
            edges = (await api.data(SEARCH, {"query": query}))["search"]["edges"]
            assert id_of(edges[0]) == posts[first].global_id
        assert len((await api.data(SEARCH, {"query": "cach"}))["search"]["edges"]) == len(posts)
