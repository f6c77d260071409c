"""After any history, lists have the same public posts for every viewer, and each viewer reaches all they may see."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from gqlapi.database.types import utc_now
from gqlapi.models import Post, PostState, User, UserRole
from tests.api import Api, serve, settings_for
from tests.examples import examples
from tests.factories import make_user, save
from tests.signing_in import sign_in_as

STEPS = ("publishPost", "schedule", "archivePost", "unpublishPost", "deletePost", "restorePost")
# Which viewer writes, which post is changed, and how; a step that is refused changes nothing.
histories = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.sampled_from(("create", *STEPS))), max_size=14)
WRITERS = (UserRole.AUTHOR, UserRole.AUTHOR, UserRole.EDITOR, UserRole.ADMIN)
PUBLIC = """
{
  posts(first: 50) {
    totalCount
    nodes {
      id
      author { postCount posts(first: 50) { totalCount nodes { id } } }
      tags { postCount posts(first: 50) { totalCount nodes { id } } }
    }
  }
  draftless: posts(filter: { not: { title: { eq: "x" } } }) { totalCount }
  postAggregates(groupBy: STATUS) { count buckets { key count } }
  search(query: "quince") { totalCount edges { score cursor node { ... on Node { id } } } }
}
"""
ASKED = """
query($any: PostFilter = { status: [DRAFT, SCHEDULED, PUBLISHED, ARCHIVED] }, $deleted: DateTimeFilter) {
  posts(filter: $any, first: 50) { totalCount nodes { id author { id } } }
  trash: posts(filter: { deletedAt: $deleted }, first: 50) { totalCount nodes { id } }
  postAggregates(filter: $any) { count }
  search(query: "quince", types: [POST], filter: $any, first: 50) { totalCount nodes { ... on Node { id } } }
  viewer { postCount(filter: $any) posts(filter: $any, first: 50) { totalCount nodes { id } } }
}
"""


@pytest_asyncio.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    """A client of a server that takes expensive operations."""
    async with serve(settings_for(database_url, max_cost=1_000_000)) as api:
        yield api


async def play(writers: list[Api], history: list[tuple[int, int, str]]) -> None:
    ids: list[str] = []
    for writer, place, step in history:
        client = writers[writer]
        if step == "create":
            given = {"title": "Quince", "markdown": "quince", "tags": [{"name": "Fruit"}]}
            ids.append((await client.payload("createPost", given, "post { id }"))["post"]["id"])
        elif ids:
            id_ = ids[place % len(ids)]
            values = {"id": id_, "at": "2999-01-01T00:00:00Z"} if step == "schedule" else {"id": id_}
            await client.payload("publishPost" if step == "schedule" else step, values)


def sees(viewer: User | None, post: Post) -> bool:
    """Whether a viewer may see a post that is not deleted, or could if it were not."""
    if viewer is not None and viewer.role in {UserRole.EDITOR, UserRole.ADMIN}:
        return True
    is_own = viewer is not None and viewer.role is UserRole.AUTHOR and post.author_id == viewer.id
    return is_own or is_public(post)


def is_public(post: Post) -> bool:
    is_due = post.published_at is not None and post.published_at <= utc_now()
    return post.state is PostState.PUBLISHED and is_due and post.deleted_at is None


@examples(6)
@given(history=histories)
async def test_are_equal_for_every_viewer_and_each_reaches_what_they_may_see(
    api: Api, history: list[tuple[int, int, str]]
) -> None:
    users = [make_user(role=role) for role in WRITERS]
    reader = make_user(role=UserRole.READER)
    async with api.database.write() as session:
        await session.execute(sa.delete(Post))
    await save(api.database, [*users, reader])
    writers = [await sign_in_as(api, user) for user in users]
    await play(writers, history)
    async with api.database.write() as session:
        posts = list(await session.scalars(sa.select(Post)))

    public = await api.data(PUBLIC)
    assert {node["id"] for node in public["posts"]["nodes"]} == {post.global_id for post in posts if is_public(post)}
    viewers: list[tuple[User | None, Api]] = [
        (None, api),
        (reader, await sign_in_as(api, reader)),
        *zip(users, writers, strict=True),
    ]
    for viewer, client in viewers:
        assert await client.data(PUBLIC) == public
        await check_asked(client, viewer, posts)


async def check_asked(client: Api, viewer: User | None, posts: list[Post]) -> None:
    data: dict[str, Any] = await client.data(ASKED, {"deleted": {"isNull": False}})
    seen = {post.global_id for post in posts if post.deleted_at is None and sees(viewer, post)}
    for list_ in (data["posts"], data["search"]):
        assert ({node["id"] for node in list_["nodes"]}, list_["totalCount"]) == (seen, len(seen))
    assert data["postAggregates"]["count"] == len(seen)
    trash = {post.global_id for post in posts if post.deleted_at is not None and sees(viewer, post)}
    assert ({node["id"] for node in data["trash"]["nodes"]}, data["trash"]["totalCount"]) == (trash, len(trash))
    if viewer is None:
        assert data["viewer"] is None
        return
    own = {node["id"] for node in data["posts"]["nodes"] if node["author"]["id"] == viewer.global_id}
    assert {node["id"] for node in data["viewer"]["posts"]["nodes"]} == own
    assert data["viewer"]["postCount"] == data["viewer"]["posts"]["totalCount"] == len(own)
