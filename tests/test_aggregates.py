"""Aggregate statistics about posts, compared with the rows."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from gqlapi.models import Post, PostState, Tag, User
from tests.api import Api
from tests.factories import make_draft, make_post, make_scheduled_post, make_tag, make_user, save

START = datetime(2023, 11, 29, 22, 30, tzinfo=UTC)


@pytest.fixture
async def public(api: Api) -> list[Post]:
    """The public posts, among others that are not."""
    users: list[User] = [make_user() for _ in range(4)]
    tags: list[Tag] = [make_tag() for _ in range(5)]
    public = [
        make_post(
            users[number % 3],
            *tags[: number % 4],
            title="Even" if number % 2 == 0 else "Odd",
            markdown="word " * number,
            published_at=START + timedelta(hours=7 * number),
        )
        for number in range(1, 31)
    ]
    hidden = [
        make_draft(users[0], tags[0]),
        make_scheduled_post(users[0], tags[0]),
        make_post(users[0], tags[0], state=PostState.ARCHIVED),
        make_post(users[0], tags[0], deleted_at=START),
    ]
    await save(api.database, [*users, *tags, *public, *hidden])
    return public


def published(post: Post) -> datetime:
    assert post.published_at is not None
    return post.published_at


class TestPostAggregates:
    async def test_counts_and_measures_what_is_public(self, api: Api, public: list[Post]) -> None:
        with api.statements() as statements:
            data = await api.data("{ postAggregates { count averageLength buckets { key } } }")

        assert data["postAggregates"]["count"] == 30
        assert data["postAggregates"]["averageLength"] == pytest.approx(sum(len(post.text) for post in public) / 30)
        assert data["postAggregates"]["buckets"] == []
        assert len(statements) == 1

    @pytest.mark.parametrize(("group", "length"), [("DAY", 10), ("MONTH", 7)])
    async def test_groups_by_the_latest_periods_in_utc(
        self, api: Api, public: list[Post], group: str, length: int
    ) -> None:
        query = f"{{ postAggregates(groupBy: {group}, top: 4) {{ buckets {{ key count }} }} }}"
        buckets = (await api.data(query))["postAggregates"]["buckets"]

        expected = Counter(published(post).isoformat()[:length] for post in public)
        latest = sorted(expected.items(), reverse=True)[:4]
        assert [(bucket["key"], bucket["count"]) for bucket in buckets] == latest

    async def test_groups_by_status(self, api: Api, public: list[Post]) -> None:
        query = "{ postAggregates(groupBy: STATUS) { buckets { key count node { ... on Node { id } } } } }"

        assert (await api.data(query))["postAggregates"]["buckets"] == [
            {"key": "PUBLISHED", "count": len(public), "node": None}
        ]

    @pytest.mark.parametrize(("group", "statements"), [("TAG", 2), ("AUTHOR", 2)])
    async def test_groups_by_row_with_its_node_and_times(
        self, api: Api, public: list[Post], group: str, statements: int
    ) -> None:
        query = f"""{{
          postAggregates(groupBy: {group}, top: 3, filter: {{ title: {{ eq: "odd" }} }}) {{
            buckets {{ key count node {{ ... on Node {{ id }} }} firstPublishedAt lastPublishedAt }}
          }}
        }}"""
        with api.statements() as recorded:
            buckets = (await api.data(query))["postAggregates"]["buckets"]

        odd = [post for post in public if post.title == "Odd"]
        keys = Counter(
            key
            for post in odd
            for key in ([link.tag_id for link in post.post_tags] if group == "TAG" else [post.author_id])
        )
        assert len(recorded) == statements
        assert [bucket["count"] for bucket in buckets] == sorted(keys.values(), reverse=True)[:3]
        assert all(bucket["node"]["id"] == bucket["key"] for bucket in buckets)
        assert all(bucket["firstPublishedAt"] <= bucket["lastPublishedAt"] for bucket in buckets)

    @pytest.mark.parametrize("top", [0, 101])
    async def test_refuses_a_top_out_of_range(self, api: Api, top: int) -> None:
        with api.statements() as statements:
            result = await api.execute(f"{{ postAggregates(groupBy: TAG, top: {top}) {{ count }} }}")

        assert result["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert result["errors"][0]["path"] == ["postAggregates"]
        assert statements == []


class TestPostCount:
    async def test_counts_for_all_objects_in_one_statement(self, api: Api, public: list[Post]) -> None:
        with api.statements() as statements:
            data = await api.data('{ users { nodes { postCount odd: postCount(filter: {title: {eq: "odd"}}) } } }')

        by_author = Counter(post.author_id for post in public)
        odd = Counter(post.author_id for post in public if post.title == "Odd")
        expected = sorted((by_author[author], odd[author]) for author in by_author)
        assert sorted((user["postCount"], user["odd"]) for user in data["users"]["nodes"]) == expected
        assert len(statements) == 3

    async def test_counts_the_posts_of_tags(self, api: Api, public: list[Post]) -> None:
        data = await api.data("{ tags { nodes { postCount posts { totalCount } } } }")

        counts = [tag["postCount"] for tag in data["tags"]["nodes"]]
        assert sorted(counts) == sorted([*Counter(link.tag_id for p in public for link in p.post_tags).values(), 0, 0])
        assert counts == [tag["posts"]["totalCount"] for tag in data["tags"]["nodes"]]
