"""The posts around a post: before and after it, and those that share its tags."""

from collections.abc import AsyncIterator
from datetime import timedelta
from random import Random
from typing import Any

import pytest
import pytest_asyncio

from gqlapi.models import Post, PostState, UserRole
from gqlapi.models.base import EPOCH
from tests.api import Api, serve, settings_for
from tests.factories import LONG_AGO, make_draft, make_post, make_scheduled_post, make_tag, make_user, save
from tests.signing_in import sign_in_as
from tests.world import World

AROUND = """
query($ids: [ID!]!) {
  nodes(ids: $ids) { ... on Post { previous { id } next { id } related(first: 20) { id } } }
}
"""
STATES = (PostState.PUBLISHED, PostState.PUBLISHED, PostState.PUBLISHED, PostState.DRAFT, PostState.ARCHIVED)


def make_blog() -> World:
    """Create posts of which many are published at one moment, and a tag that nearly all of them have."""
    random = Random(3)  # noqa: S311 - test data
    author, tags = make_user(role=UserRole.EDITOR), [make_tag() for _ in range(6)]
    posts: list[Post] = []
    for number in range(240):
        state = random.choice(STATES)
        published_at = None if state is PostState.DRAFT else LONG_AGO + timedelta(minutes=number // 30)
        given = [tag for place, tag in enumerate(tags) if random.random() < (0.9, 0.6, 0.2, 0.1, 0.05, 0)[place]]
        deleted_at = LONG_AGO if number % 17 == 0 else None
        posts.append(
            make_post(author, *given, markdown="x", state=state, published_at=published_at, deleted_at=deleted_at)
        )
    posts += [make_scheduled_post(author, *tags), make_draft(author, *tags), make_post(author, *tags)]
    posts.append(make_post(author, tags[0], published_at=EPOCH))
    return World([author], tags, posts)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def blog(world_url: str) -> AsyncIterator[tuple[Api, World]]:
    """A server and the rows of its database, which the tests only read."""
    world = make_blog()
    async with serve(settings_for(world_url, max_cost=10**6)) as api:
        await save(api.database, [*world.users, *world.tags, *world.posts])
        yield api, world


def around(world: World, post: Post) -> dict[str, Any]:
    beside = [world.beside(post, is_next=is_next) for is_next in (False, True)]
    previous, following = (None if other is None else {"id": other.global_id} for other in beside)
    related = [{"id": other.global_id} for other in world.related(post, 20)]
    return {"previous": previous, "next": following, "related": related}


class TestNeighbours:
    async def test_are_those_of_the_oracle(self, blog: tuple[Api, World]) -> None:
        api, world = blog
        posts = [post for post in world.posts if world.is_public(post)]
        assert len(world.related(posts[0], 200)) >= 100  # of each tag not all are compared
        for start in range(0, len(posts), 100):
            some = posts[start : start + 100]
            data = await api.data(AROUND, {"ids": [post.global_id for post in some]})
            assert data["nodes"] == [around(world, post) for post in some]

    async def test_are_public_for_those_who_see_more(self, blog: tuple[Api, World]) -> None:
        api, world = blog
        posts = [post for post in world.posts if post.deleted_at is None and not world.is_public(post)]
        client = await sign_in_as(api, world.users[0])
        data = await client.data(AROUND, {"ids": [post.global_id for post in posts[-100:]]})
        assert data["nodes"] == [around(world, post) for post in posts[-100:]]
        assert {"DRAFT", "SCHEDULED", "ARCHIVED"} <= {world.status(post) for post in posts[-100:]}

    @pytest.mark.parametrize("size", [0, 21, -1])
    async def test_are_at_most_twenty(self, blog: tuple[Api, World], size: int) -> None:
        result = await blog[0].execute("query($n: Int!) { posts { nodes { related(first: $n) { id } } } }", {"n": size})
        [error] = result["errors"]
        assert (error["path"], error["extensions"]["code"]) == (["posts", "nodes", "related"], "BAD_USER_INPUT")
