"""Many posts at once, and what writing costs."""

import threading
from collections import Counter
from typing import Any

import pytest

from gqlapi.content import Checkpoint, RenderedContent, render
from gqlapi.database import search
from gqlapi.repositories import post_content
from gqlapi.words import words
from tests.api import Api, serve, settings_for
from tests.factories import make_user, save
from tests.publishing.test_posts import codes
from tests.signing_in import sign_in_as

RESULTS = "createdCount results { post { title slug tags { name } } errors { code path } }"
BAD = {"title": "", "markdown": "x"}


def rows(count: int, **given: Any) -> list[dict[str, Any]]:
    return [{"title": f"Post {number}", "markdown": "x", "publish": True, **given} for number in range(count)]


async def create_posts(client: Api, posts: list[dict[str, Any]], **given: Any) -> Any:
    return await client.payload("createPosts", {"posts": posts, **given}, RESULTS)


async def count(api: Api) -> int:
    total: int = (await api.data("{ posts { totalCount } }"))["posts"]["totalCount"]
    return total


async def count_tags(api: Api) -> int:
    total: int = (await api.data("{ tags { totalCount } }"))["tags"]["totalCount"]
    return total


class TestCreatePosts:
    async def test_writes_all_in_their_order(self, api: Api, client: Api) -> None:
        payload = await create_posts(client, rows(100, tags=[{"name": "same"}, {"name": "new"}]))
        assert (payload["createdCount"], payload["errors"], await count(api)) == (100, [], 100)
        assert [result["post"]["title"] for result in payload["results"]] == [f"Post {n}" for n in range(100)]
        assert payload["results"][99]["post"]["tags"] == [{"name": "same"}, {"name": "new"}]

    async def test_that_rejects_the_failed_writes_the_others(self, api: Api, client: Api) -> None:
        posts = rows(100)
        posts[12], posts[40], posts[99] = BAD, {**posts[40], "tags": [{"slug": "missing"}]}, {**BAD, "slug": "A b"}
        payload = await create_posts(client, posts, onError="REJECT_FAILED")
        assert (payload["createdCount"], await count(api)) == (97, 97)
        assert codes(payload) == [
            ("REQUIRED", "posts/12/title"), ("NOT_FOUND", "posts/40/tags/0/slug"),
            ("REQUIRED", "posts/99/title"), ("INVALID", "posts/99/slug"),
        ]  # fmt: skip
        for number, result in enumerate(payload["results"]):
            assert (result["post"] is None) is bool(result["errors"]) is (number in {12, 40, 99})

    async def test_that_rejects_all_writes_none(self, api: Api, client: Api) -> None:
        posts = rows(100, tags=[{"name": "new"}])
        posts[12] = posts[40] = posts[99] = BAD
        payload = await create_posts(client, posts)
        assert (payload["createdCount"], await count(api)) == (0, 0)
        assert codes(payload) == [("REQUIRED", f"posts/{number}/title") for number in (12, 40, 99)]
        assert payload["results"] == []
        assert await count_tags(api) == 0

    async def test_that_writes_none_keeps_nothing(self, api: Api, client: Api) -> None:
        bad = rows(2, tags=[{"name": "Orphan"}, {"slug": "missing"}])
        payload = await create_posts(client, bad, onError="REJECT_FAILED", idempotencyKey="k")
        assert codes(payload) == [("NOT_FOUND", f"posts/{number}/tags/1/slug") for number in range(2)]
        assert (payload["createdCount"], payload["results"], await count_tags(api)) == (0, [], 0)
        corrected = await create_posts(client, rows(2), onError="REJECT_FAILED", idempotencyKey="k")
        assert (corrected["createdCount"], corrected["errors"]) == (2, [])

    async def test_makes_no_tags_for_a_row_that_fails(self, api: Api, client: Api) -> None:
        posts = [*rows(1, tags=[{"name": "Good"}]), *rows(1, tags=[{"name": "Orphan"}, {"slug": "missing"}])]
        payload = await create_posts(client, posts, onError="REJECT_FAILED")
        assert (payload["createdCount"], await count_tags(api)) == (1, 1)

    async def test_takes_two_thousand_new_tags(self, database_url: str) -> None:
        posts = [{**row, "tags": [{"name": f"Tag {n} {m}"} for m in range(20)]} for n, row in enumerate(rows(100))]
        async with serve(settings_for(database_url, max_cost=70_000)) as api:
            ada = make_user()
            await save(api.database, [ada])
            payload = await create_posts(await sign_in_as(api, ada), posts)
            assert (payload["createdCount"], await count_tags(api)) == (100, 2000)
            assert payload["results"][99]["post"]["tags"] == [{"name": f"Tag 99 {m}"} for m in range(20)]

    @pytest.mark.parametrize(
        ("posts", "points"),
        [
            ({"title": "A", "markdown": "x" * 20_000}, 1_000),
            ({"title": "A", "markdown": "", "tags": [{"name": f"Tag {number}"} for number in range(20)]}, 500),
        ],
        ids=["text", "tags"],
    )
    async def test_costs_points_for_texts_and_tags(self, client: Api, posts: Any, points: int) -> None:
        query = "mutation($input: CreatePostsInput!) { createPosts(input: $input) { createdCount } }"
        most = 20_000 // (points + 50)
        for count in (most, most + 1):
            result = await client.execute(query, {"input": {"posts": [posts] * count}})
            if count == most:
                assert result["data"] == {"createPosts": {"createdCount": count}}
            else:
                assert result["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
            posts = {**posts, "title": "B"}

    async def test_reports_a_bounded_number_of_errors(self, api: Api, client: Api) -> None:
        bad = rows(10, tags=[{"slug": f"missing-{number}"} for number in range(20)])
        payload = await create_posts(client, [*rows(1), *bad], onError="REJECT_FAILED")
        assert len(payload["errors"]) == 100
        assert [len(result["errors"]) for result in payload["results"]] == [0] + [10] * 10
        payload = await create_posts(client, bad)
        assert len(payload["errors"]) == 100
        assert await count(api) == 1

    async def test_stores_the_first_spelling_of_a_new_tag(self, api: Api, client: Api) -> None:
        await create_posts(client, [*rows(1, tags=[{"name": "Zig"}]), *rows(1, tags=[{"name": " ZIG "}])])
        assert await api.data("{ tags { nodes { name } } }") == {"tags": {"nodes": [{"name": "Zig"}]}}

    async def test_leaves_a_chosen_slug_to_who_chose_it(self, client: Api) -> None:
        chosen, made = {"title": "Other", "markdown": "", "slug": "hello"}, {"title": "Hello", "markdown": ""}
        payload = await create_posts(client, [made, chosen, made])
        assert [result["post"]["slug"] for result in payload["results"]] == ["hello-2", "hello", "hello-3"]

    async def test_renders_long_texts_aside(self, client: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        """One text is short; a hundred of them would keep everybody waiting."""
        threads: list[tuple[str, threading.Thread]] = []

        def render_somewhere(markdown: str, checkpoint: Checkpoint) -> RenderedContent:
            threads.append(("render", threading.current_thread()))
            return render(markdown, checkpoint)

        def find_somewhere(text: str) -> list[str]:
            threads.append((text, threading.current_thread()))
            return words(text)

        monkeypatch.setattr(post_content, "render", render_somewhere)
        monkeypatch.setattr(search, "words", find_somewhere)
        await create_posts(client, [{"title": "A", "markdown": "x" * 400}] * 3)
        aside = [work for work, thread in threads if thread is not threading.main_thread()]
        assert Counter(aside) == {"render": 3, "x" * 400: 3}
        assert {work for work, thread in threads if thread is threading.main_thread()} == {"A"}

    async def test_reports_each_text_that_cannot_be_rendered(self, api: Api, client: Api) -> None:
        explosion = "[^a]" * 6_000 + "\n\n[^a]: b"
        posts = [*rows(1), *rows(1, markdown=explosion), *rows(1, markdown="<div>" * 3_000)]
        payload = await create_posts(client, posts, onError="REJECT_FAILED")
        assert codes(payload) == [("INVALID", "posts/1/markdown"), ("INVALID", "posts/2/markdown")]
        assert (payload["createdCount"], await count(api)) == (1, 1)

    async def test_gives_equal_titles_slugs_of_their_own(self, client: Api) -> None:
        payload = await create_posts(client, [{"title": "Same", "markdown": ""}] * 30)
        slugs = [result["post"]["slug"] for result in payload["results"]]
        assert slugs[:3] == ["same", "same-2", "same-3"]
        assert len(set(slugs)) == 30

    async def test_lets_the_first_of_equal_slugs_win(self, api: Api, client: Api) -> None:
        await create_posts(client, rows(1, slug="taken"))
        posts = [*rows(1, slug="new"), *rows(1, slug="NEW"), *rows(1, slug="taken"), *rows(1)]
        payload = await create_posts(client, posts, onError="REJECT_FAILED")
        assert codes(payload) == [("NOT_UNIQUE", "posts/1/slug"), ("NOT_UNIQUE", "posts/2/slug")]
        assert (payload["createdCount"], await count(api)) == (2, 3)
        everything = await create_posts(client, posts)
        assert codes(everything) == [("NOT_UNIQUE", f"posts/{number}/slug") for number in range(3)]
        assert await count(api) == 3

    @pytest.mark.parametrize(("size", "code"), [(0, "REQUIRED"), (101, "TOO_MANY")])
    async def test_takes_one_to_a_hundred(self, client: Api, size: int, code: str) -> None:
        assert codes(await create_posts(client, rows(size))) == [(code, "posts")]

    async def test_without_an_author_writes_none(self, api: Api) -> None:
        assert codes(await create_posts(api, rows(2))) == [("UNAUTHENTICATED", "")]


class TestStatements:
    async def test_are_as_many_for_two_posts_as_for_a_hundred(self, client: Api) -> None:
        """Each with its own tag, and one that fails."""
        await create_posts(client, rows(1, slug="taken"))
        counts = []
        for size in (3, 100):
            posts = [{**row, "tags": [{"name": f"Tag {n} of {size}"}]} for n, row in enumerate(rows(size))]
            posts[1]["slug"] = "taken"
            with client.statements() as statements:
                payload = await create_posts(client, posts, onError="REJECT_FAILED")
            assert payload["createdCount"] == size - 1
            counts.append(len(statements))
        assert counts[0] == counts[1] <= 24

    async def test_of_one_post_are_few(self, client: Api, dialect: str) -> None:
        await client.payload("createPost", {"title": "x", "markdown": "x", "tags": [{"name": "a"}]})
        with client.statements() as statements:
            given = {"title": "y", "markdown": "y", "tags": [{"name": "a"}], "publish": True}
            await client.payload("createPost", given, "post { id author { username } tags { name } }")
        # The caller; tags, slugs, post, links, search, change; then the post, its author and its tags.
        assert len(statements) <= {"sqlite": 16, "postgresql": 12}[dialect]
