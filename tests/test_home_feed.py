"""The queries that every blog asks first, and what they cost."""

from dataclasses import dataclass
from uuid import UUID

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


@dataclass(frozen=True)
class Blog:
    """25 users with six posts each, which carry none to three of ten tags."""

    users: list[User]
    tags: list[Tag]
    posts: list[Post]

    def newest(self, count: int, of: User | Tag | None = None) -> list[Post]:
        """Return the newest posts: of all, of an author or with a tag."""
        found = [post for post in self.posts if of is None or of.id in {post.author_id, *_tag_ids(post)}]
        return sorted(found, key=lambda post: post.visible_from or post.created_at, reverse=True)[:count]

    def tags_of(self, post: Post) -> list[Tag]:
        """Return the tags of a post, in its order."""
        by_id = {tag.id: tag for tag in self.tags}
        return [by_id[id_] for id_ in _tag_ids(post)]


def _tag_ids(post: Post) -> list[UUID]:
    return [link.tag_id for link in post.post_tags]


@pytest.fixture
async def blog(api: Api) -> Blog:
    users, tags = [make_user() for _ in range(25)], [make_tag() for _ in range(10)]
    posts = [
        make_post(users[number % 25], *(tags[(number + offset) % 10] for offset in range(number % 4)))
        for number in range(150)
    ]
    await save(api.database, [*users, *tags, *posts])
    return Blog(users, tags, posts)


class TestHomeFeed:
    @pytest.mark.parametrize("first", [10, 100])
    async def test_costs_two_statements_whatever_its_size(self, api: Api, blog: Blog, first: int) -> None:
        with api.statements() as statements:
            data = await api.data(HOME_FEED, {"first": first})

        assert len(statements) == 2
        assert [node["title"] for node in data["posts"]["nodes"]] == [post.title for post in blog.newest(first)]

    async def test_nested_lists_cost_one_statement_each_and_one_a_count(self, api: Api, blog: Blog) -> None:
        with api.statements() as statements:
            data = await api.data(NESTED)

        # users, their posts, their counts, the posts' tags, the tags' posts
        assert len(statements) == 5
        authors = {user.username: user for user in blog.users}
        assert len({node["username"] for node in data["users"]["nodes"]}) == 20
        for node in data["users"]["nodes"]:
            assert node["posts"] == {
                "totalCount": 6,
                "nodes": [
                    {
                        "title": post.title,
                        "tags": [
                            {"name": tag.name, "posts": {"nodes": [{"title": blog.newest(1, tag)[0].title}]}}
                            for tag in blog.tags_of(post)
                        ],
                    }
                    for post in blog.newest(2, authors[node["username"]])
                ],
            }
