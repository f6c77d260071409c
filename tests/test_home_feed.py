"""The queries that every blog asks first, and what they cost."""

import pytest

from gqlapi.models import Post, Tag, User
from tests.api import Api
from tests.factories import make_post, make_tag, make_user, save

HOME_FEED = """
query HomeFeed($first: Int!) {
  posts(first: $first) { nodes { id title excerpt author { displayName } tags { name } } }
}
"""
NESTED = """
{
  users(first: 20) {
    nodes {
      username
      posts(first: 2) {
        totalCount
        nodes { title tags { name posts(first: 1) { nodes { title } } } }
      }
    }
  }
}
"""


@pytest.fixture
async def posts(api: Api) -> list[Post]:
    users: list[User] = [make_user() for _ in range(25)]
    tags: list[Tag] = [make_tag() for _ in range(10)]
    posts = [
        make_post(users[number % 25], *(tags[(number + offset) % 10] for offset in range(number % 4)))
        for number in range(150)
    ]
    await save(api.database, [*users, *tags, *posts])
    return posts


class TestHomeFeed:
    @pytest.mark.parametrize("first", [10, 100])
    async def test_costs_two_statements_whatever_its_size(self, api: Api, posts: list[Post], first: int) -> None:
        with api.statements() as statements:
            data = await api.data(HOME_FEED, {"first": first})

        assert len(statements) == 2
        newest = sorted(posts, key=lambda post: post.visible_from or post.created_at, reverse=True)[:first]
        assert [node["title"] for node in data["posts"]["nodes"]] == [post.title for post in newest]

    async def test_nested_lists_cost_one_statement_each_and_one_a_count(self, api: Api, posts: list[Post]) -> None:
        with api.statements() as statements:
            data = await api.data(NESTED)

        # users, their posts, their counts, the posts' tags, the tags' posts
        assert len(statements) == 5
        assert len(posts) == 150
        assert all(user["posts"]["totalCount"] == 6 for user in data["users"]["nodes"])
