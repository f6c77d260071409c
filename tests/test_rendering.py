"""Rendering posts again after an upgrade."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from gqlapi import rendering
from gqlapi.content import RENDERER_VERSION, render
from gqlapi.models import Post
from gqlapi.rendering import render_again
from gqlapi.repositories.post_content import PostContentRepository, StalePost
from gqlapi.work_pool import WorkPool
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


async def html_by_title(api: Api) -> dict[str, str]:
    nodes = (await api.data(POSTS))["posts"]["nodes"]
    return {node["title"]: node["content"]["html"] for node in nodes}


class TestBatches:
    async def test_are_bounded_by_the_length_of_the_markdown(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rendering, "BATCH_LENGTH", 1_000)
        author = make_user()
        lengths = (400, 500, 200, 3_000, 0, 0, 999, 1, 1)
        await save(
            api.database, [author, *(make_post(author, markdown="x" * length, renderer=0) for length in lengths)]
        )
        batches: list[list[int]] = []
        read = PostContentRepository.list_stale

        async def record(self: PostContentRepository, *args: Any, **options: Any) -> list[StalePost]:
            posts = await read(self, *args, **options)
            batches.append([len(post.markdown) for post in posts])
            return posts

        monkeypatch.setattr(PostContentRepository, "list_stale", record)

        assert (await render_again(api.database)).count == len(lengths)

        assert batches == [[400, 500], [200], [3_000, 0, 0], [999, 1], [1], []]

    async def test_are_rendered_outside_of_transactions(
        self, api: Api, posts: list[Post], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pool: Any = api.database.write_engine.pool
        checked_out: list[int] = []

        class Recorder(WorkPool):
            async def run(self, work: Callable[[Callable[[], None]], Any]) -> Any:
                checked_out.append(pool.checkedout())
                return await super().run(work)

        monkeypatch.setattr(rendering, "COMMAND_POOL", Recorder())

        await render_again(api.database)

        assert checked_out == [0] * (len(posts) + 1)


class TestChangesInBetween:
    async def change(self, api: Api, post: StalePost, **values: Any) -> None:
        async with api.database.write() as session:
            statement = sa.update(Post).where(Post.id == post.id).values(version=Post.version + 1, **values)
            await session.execute(statement)

    def change_while_rendering(
        self, api: Api, monkeypatch: pytest.MonkeyPatch, *, times: int, **values: Any
    ) -> list[str]:
        """Let somebody change the first post of each pass between its reading and its writing."""
        changed: list[str] = []
        read = PostContentRepository.list_stale

        async def read_and_change(self: PostContentRepository, *args: Any, **options: Any) -> list[StalePost]:
            posts = await read(self, *args, **options)
            pending.extend(post for post in posts[:1] if len(changed) < times)
            return posts

        pending: list[StalePost] = []

        class Changing(WorkPool):
            async def run(self, work: Callable[[Callable[[], None]], Any]) -> Any:
                for post in pending:
                    changed.append(post.title)
                    await test.change(api, post, **values)
                pending.clear()
                return await super().run(work)

        test = self
        monkeypatch.setattr(PostContentRepository, "list_stale", read_and_change)
        monkeypatch.setattr(rendering, "COMMAND_POOL", Changing())
        return changed

    async def test_are_kept(self, api: Api, posts: list[Post], monkeypatch: pytest.MonkeyPatch) -> None:
        values = {"markdown": "edited", "html": "<p>edited</p>", "renderer": RENDERER_VERSION}
        changed = self.change_while_rendering(api, monkeypatch, times=1, **values)

        result = await render_again(api.database)

        assert (result.count, result.kept) == (len(posts), {})
        assert changed == [posts[0].title]
        assert (await html_by_title(api))[posts[0].title] == "<p>edited</p>"

    async def test_by_an_older_server_are_rendered_in_the_next_pass(
        self, api: Api, posts: list[Post], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.change_while_rendering(api, monkeypatch, times=1, markdown="edited *again*", html="old", renderer=0)

        assert (await render_again(api.database)).count == len(posts) + 1

        assert (await html_by_title(api))[posts[0].title] == render("edited *again*").html

    async def test_end_a_run_that_they_follow(
        self, api: Api, posts: list[Post], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        changed = self.change_while_rendering(api, monkeypatch, times=100, html="old", renderer=0)

        assert (await render_again(api.database)).count == len(posts)
        assert len(changed) == rendering.MAX_PASSES


class TestPostsThatCannotBeRendered:
    async def test_keep_their_html_and_stop_nothing(self, api: Api, posts: list[Post]) -> None:
        author = make_user()
        explosion = "[^a]" * 6_000 + "\n\n[^a]: b"
        values = {"html": "<p>kept</p>", "text": "kept", "renderer": 0}
        bad = [make_post(author, slug=slug, title=slug, **values) for slug in ("explosion", "nested")]
        bad[0].markdown, bad[1].markdown = explosion, "<div>" * 3_000
        await save(api.database, [author, *bad])

        result = await render_again(api.database)

        assert result.count == len(posts) + 1
        assert {slug: reason.split()[0] for slug, reason in result.kept.items()} == {
            "explosion": "The",
            "nested": "The",
        }
        html = await html_by_title(api)
        assert html["explosion"] == html["nested"] == "<p>kept</p>"
        assert (await render_again(api.database)).kept == result.kept
