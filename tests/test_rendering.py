"""Rendering posts again after an upgrade."""

import pytest

from gqlapi.content import RENDERER_VERSION, render
from gqlapi.models import Post
from gqlapi.rendering import render_again
from tests.api import Api
from tests.factories import make_draft, make_post, make_user, save

POSTS = "{ posts(first: 100) { nodes { title version updatedAt content { html text } } } }"


@pytest.fixture
async def posts(api: Api) -> list[Post]:
    """Posts that an older renderer made badly, and one that is up to date."""
    author = make_user()
    stale = [
        make_post(author, title=f"Stale {number}", markdown=f"*new{number}*", renderer=0, html="old", text="old")
        for number in range(7)
    ]
    current = make_post(author, title="Current", html="kept", text="kept")
    await save(api.database, [author, *stale, current, make_draft(author, renderer=0, html="old", text="old")])
    return stale


class TestRenderAgain:
    async def test_renders_what_an_older_renderer_made(self, api: Api, posts: list[Post]) -> None:
        before = {node["title"]: node for node in (await api.data(POSTS))["posts"]["nodes"]}

        assert (await render_again(api.database)).count == len(posts) + 1

        after = {node["title"]: node for node in (await api.data(POSTS))["posts"]["nodes"]}
        for post in posts:
            assert after[post.title]["content"]["html"] == render(post.markdown).html
        assert after["Current"]["content"]["html"] == "kept"
        assert {title: (node["version"], node["updatedAt"]) for title, node in after.items()} == {
            title: (node["version"], node["updatedAt"]) for title, node in before.items()
        }
        assert (await render_again(api.database)).count == 0

    async def test_renders_all_when_asked_to(self, api: Api, posts: list[Post]) -> None:
        assert (await render_again(api.database, all_posts=True)).count == len(posts) + 2

        nodes = (await api.data(POSTS))["posts"]["nodes"]
        assert RENDERER_VERSION > 0
        assert "kept" not in {node["content"]["html"] for node in nodes}

    async def test_indexes_what_it_rendered(self, api: Api, posts: list[Post]) -> None:
        await render_again(api.database)

        data = await api.data(
            '{ search(query: "new3") { nodes { ... on Post { title } } } old: search(query: "old") { totalCount } }'
        )

        assert data["search"]["nodes"] == [{"title": posts[3].title}]
        assert data["old"]["totalCount"] == 0

    async def test_goes_on_where_it_stopped(self, api: Api, posts: list[Post], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("gqlapi.rendering.BATCH_SIZE", 3)
        reports: list[tuple[str, int, int]] = []

        await render_again(api.database, report=lambda *report: reports.append(report))

        assert reports == [("posts", 3, 8), ("posts", 6, 8), ("posts", 8, 8)]
        assert len(posts) == 7
