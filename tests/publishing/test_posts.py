"""The life cycle of posts."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gqlapi.database.types import utc_now
from gqlapi.models import Post, PostChange, PostState, PostTag, User, UserRole
from gqlapi.publishing import drafts
from gqlapi.words import slug_of
from tests.api import Api
from tests.factories import make_draft, make_post, make_tag, make_user, save
from tests.signing_in import sign_in_as

POST = """
post { id slug title status version publishedAt tags { name } author { username } content { markdown html } }
postEdge { cursor node { id } }
"""
LATER = "2999-01-01T00:00:00.000Z"
LONG_AGO = "2001-02-03T04:05:06.007Z"


def codes(payload: Any) -> list[tuple[str, str]]:
    return [(error["code"], "/".join(error["path"] or [])) for error in payload["errors"]]


@pytest.fixture
async def client(api: Api, ada: User) -> AsyncIterator[Api]:
    """A client of the author Ada; what is left in the end agrees with itself."""
    yield await sign_in_as(api, ada)
    await assert_consistent(api)


async def assert_consistent(api: Api) -> None:
    """Links repeat what their posts say, and the change feed has a row for each version."""
    async with api.database.write() as session:
        posts = {post.id: post for post in await session.scalars(sa.select(Post))}
        for link in await session.scalars(sa.select(PostTag)):
            assert link.visible_from == posts[link.post_id].visible_from
        for post in posts.values():
            changes = sa.select(PostChange.version).where(PostChange.post_id == post.id).order_by(PostChange.id)
            versions = [*await session.scalars(changes)]
            assert versions == [*range(post.version - len(versions) + 1, post.version + 1)]


async def create(client: Api, **given: Any) -> Any:
    return await client.payload("createPost", {"title": "Hello", "markdown": "*World*", **given}, POST)


async def update(client: Api, post: Any, patch: dict[str, Any], **given: Any) -> Any:
    id_ = post["id"] if isinstance(post, dict) else post.global_id
    return await client.payload("updatePost", {"id": id_, "patch": patch, **given}, POST)


async def change(client: Api, mutation: str, post: Any, **given: Any) -> Any:
    selection = "deletedId" if mutation == "deletePost" else POST
    return await client.payload(mutation, {"id": post["id"], **given}, selection)


async def changes_of(api: Api) -> list[str]:
    async with api.database.write() as session:
        kinds = await session.scalars(sa.select(PostChange.kind).order_by(PostChange.id))
        return [kind.name for kind in kinds]


class TestCreatePost:
    async def test_writes_a_draft(self, api: Api, client: Api) -> None:
        payload = await create(client)
        assert payload["errors"] == []
        assert payload["post"].items() >= {
            "slug": "hello", "title": "Hello", "status": "DRAFT", "version": 1, "publishedAt": None, "tags": [],
            "author": {"username": "ada"},
            "content": {"markdown": "*World*", "html": "<p><em>World</em></p>\n"},
        }.items()  # fmt: skip
        assert await changes_of(api) == ["CREATED"]
        assert (await api.data("{ posts { totalCount } }"))["posts"]["totalCount"] == 0

    async def test_publishes_at_once(self, api: Api, client: Api) -> None:
        payload = await create(client, publish=True)
        assert payload["post"]["status"] == "PUBLISHED"
        assert (await api.data('{ search(query: "world") { totalCount } }'))["search"]["totalCount"] == 1

    async def test_removes_what_could_run(self, client: Api) -> None:
        markdown = "a <script>alert(1)</script> <b onclick='alert(2)'>b</b>\n\n[x](javascript:alert(3))"
        html = (await create(client, markdown=markdown))["post"]["content"]["html"]
        assert html == '<p>a  <b>b</b></p>\n<p><a rel="noopener noreferrer">x</a></p>\n'

    @pytest.mark.parametrize(
        ("title", "slug"),
        [
            ("Ünïcode & Straße", "ünïcode-strasse"),
            ("日本語 タイトル", "日本語-タイトル"),
            ("नमस्ते दुनिया", "नमस्ते-दुनिया"),
            ("It's 50% off!", "its-50-off"),
            ("🎉", "post"),
        ],
    )
    async def test_makes_a_slug_of_every_script(self, api: Api, client: Api, title: str, slug: str) -> None:
        payload = await create(client, title=title, publish=True)
        assert payload["post"]["slug"] == slug == slug_of(slug, 200)
        found = await api.data("query($slug: String!) { post(by: { slug: $slug }) { title } }", {"slug": slug})
        assert found["post"] == {"title": title}

    async def test_counts_on_when_a_slug_is_taken(self, client: Api) -> None:
        slugs = [(await create(client))["post"]["slug"] for _ in range(22)]
        assert slugs[:20] == ["hello", *(f"hello-{number}" for number in range(2, 21))]
        assert len(set(slugs)) == 22

    async def test_cuts_a_long_slug_between_words(self, client: Api) -> None:
        slug = (await create(client, title="word " * 60))["post"]["slug"]
        assert slug == "-".join(["word"] * 38)

    async def test_tells_who_has_a_slug_only_those_who_may_know(self, api: Api, client: Api) -> None:
        bela = make_user()
        public, draft = make_post(bela, slug="public"), make_draft(bela, slug="draft")
        await save(api.database, [bela, public, draft])
        for post, existing in ((public, {"id": public.global_id}), (draft, None)):
            [error] = (await create(client, slug=post.slug))["errors"]
            assert (error["code"], error["path"], error["existing"]) == ("NOT_UNIQUE", ["slug"], existing)

    async def test_finds_and_makes_tags(self, api: Api, client: Api) -> None:
        known = make_tag(name="Known", slug="known-slug")
        await save(api.database, [known])
        tags = [{"name": "New"}, {"slug": "KNOWN-slug"}, {"id": known.global_id}, {"name": " knOWN "}, {"name": "c++"}]
        payload = await create(client, tags=tags)
        assert payload["post"]["tags"] == [{"name": "New"}, {"name": "Known"}, {"name": "c++"}]
        data = await api.data('{ search(query: "new", types: TAG) { totalCount } tags { totalCount } }')
        assert (data["search"]["totalCount"], data["tags"]["totalCount"]) == (1, 3)

    async def test_tells_all_that_is_wrong_at_once(self, api: Api, client: Api) -> None:
        tags = [{"id": "x"}, {"name": ""}, {"slug": "a b"}, {"name": "x" * 101}]
        payload = await create(client, title=" ", markdown="x" * 100_001, slug="A  b", tags=tags)
        assert codes(payload) == [
            ("INVALID", "tags/0/id"), ("REQUIRED", "title"), ("TOO_LONG", "markdown"), ("INVALID", "slug"),
            ("REQUIRED", "tags/1/name"), ("INVALID", "tags/2/slug"), ("TOO_LONG", "tags/3/name"),
        ]  # fmt: skip
        assert payload["post"] is None
        assert await changes_of(api) == []

    @pytest.mark.parametrize(
        ("given", "error"),
        [
            ({"title": "x" * 301}, ("TOO_LONG", "title")),
            ({"title": "\ufdfa" * 300}, ("TOO_LONG", "title")),  # NFKC makes 18 characters of each
            ({"slug": ""}, ("REQUIRED", "slug")),
            ({"slug": "x" * 201}, ("TOO_LONG", "slug")),
            ({"slug": "-x"}, ("INVALID", "slug")),
            ({"tags": [{"name": f"t{number}"} for number in range(21)]}, ("TOO_MANY", "tags")),
            ({"tags": [{"slug": "missing"}]}, ("NOT_FOUND", "tags/0/slug")),
            ({"tags": [{"id": make_tag().global_id}]}, ("NOT_FOUND", "tags/0/id")),
            ({"tags": [{"id": make_user().global_id}]}, ("INVALID", "tags/0/id")),
        ],
    )
    async def test_refuses_a_wrong_value(self, client: Api, given: dict[str, Any], error: tuple[str, str]) -> None:
        assert codes(await create(client, **given)) == [error]

    async def test_gives_an_edge_of_the_default_list(self, api: Api, client: Api) -> None:
        for _ in range(3):
            await create(client, publish=True)
        second = (await create(client, publish=True))["postEdge"]
        await create(client, publish=True)
        page = "query($after: Cursor) { posts(after: $after) { nodes { id } } }"
        after = (await api.data(page, {"after": second["cursor"]}))["posts"]["nodes"]
        all_posts = (await api.data(page))["posts"]["nodes"]
        assert after == all_posts[2:]


class TestUpdatePost:
    async def test_changes_what_is_given(self, api: Api, client: Api) -> None:
        post = (await create(client, tags=[{"name": "a"}], publish=True))["post"]
        payload = await update(client, post, {"title": "Bye"})
        assert payload["post"].items() >= {
            "title": "Bye", "slug": "hello", "version": 2, "tags": [{"name": "a"}], "publishedAt": post["publishedAt"],
            "content": post["content"],
        }.items()  # fmt: skip
        assert await changes_of(api) == ["CREATED", "UPDATED"]

    async def test_is_found_by_what_it_says_now(self, api: Api, client: Api) -> None:
        post = (await create(client, publish=True))["post"]
        await update(client, post, {"title": "Bye", "markdown": "moon"})
        found = '{ a: search(query: "world") { totalCount } b: search(query: "bye moon") { totalCount } }'
        assert await api.data(found) == {"a": {"totalCount": 0}, "b": {"totalCount": 1}}

    @pytest.mark.parametrize("patch", [{}, {"tags": {}}, {"tags": {"add": [], "remove": None}}])
    async def test_writes_nothing_for_an_empty_patch(self, api: Api, client: Api, patch: dict[str, Any]) -> None:
        post = (await create(client, tags=[{"name": "First"}]))["post"]
        before = await client.data("query($id: ID!) { post(by: {id: $id}) { version updatedAt } }", {"id": post["id"]})
        given = {"id": post["id"], "patch": patch, "expectedVersion": 1}
        payload = await client.payload("updatePost", given, "post { version updatedAt }")
        assert payload == {**before, "errors": []}
        assert codes(await update(client, post, patch, expectedVersion=2)) == [("VERSION_CONFLICT", "expectedVersion")]
        assert await changes_of(api) == ["CREATED"]

    @pytest.mark.parametrize(
        ("patch", "tags"),
        [
            ({"set": [{"name": "c"}, {"name": "a"}]}, ["c", "a"]),
            ({"set": []}, []),
            ({"add": [{"name": "c"}, {"name": "a"}]}, ["a", "b", "c"]),
            ({"remove": [{"name": "A"}, {"name": "never made"}]}, ["b"]),
            ({"add": [{"name": "c"}], "remove": [{"slug": "a"}]}, ["b", "c"]),
        ],
    )
    async def test_changes_tags(self, client: Api, patch: dict[str, Any], tags: list[str]) -> None:
        post = (await create(client, tags=[{"name": "a"}, {"name": "b"}], publish=True))["post"]
        payload = await update(client, post, {"tags": patch})
        assert payload["errors"] == []
        assert [tag["name"] for tag in payload["post"]["tags"]] == tags

    @pytest.mark.parametrize(
        ("patch", "error"),
        [
            ({"title": None}, ("REQUIRED", "patch/title")),
            ({"title": ""}, ("REQUIRED", "patch/title")),
            ({"markdown": None}, ("REQUIRED", "patch/markdown")),
            ({"slug": "taken"}, ("NOT_UNIQUE", "patch/slug")),
            ({"tags": None}, ("REQUIRED", "patch/tags")),
            ({"tags": {"set": [], "add": [{"name": "x"}]}}, ("INVALID", "patch/tags")),
            ({"tags": {"add": [{"name": f"t{n}"} for n in range(20)]}}, ("TOO_MANY", "patch/tags")),
            ({"tags": {"add": [{"slug": "missing"}]}}, ("NOT_FOUND", "patch/tags/add/0/slug")),
            ({"tags": {"remove": [{"id": "x"}]}}, ("INVALID", "patch/tags/remove/0/id")),
        ],
    )
    async def test_refuses_a_wrong_value(self, client: Api, patch: dict[str, Any], error: tuple[str, str]) -> None:
        await create(client, slug="taken")
        post = (await create(client, tags=[{"name": "a"}]))["post"]
        assert codes(await update(client, post, patch)) == [error]
        data = await client.data("query($id: ID!) { post(by: { id: $id }) { version } tags { totalCount } }", post)
        assert data == {"post": {"version": 1}, "tags": {"totalCount": 1}}

    async def test_tells_all_that_is_wrong_at_once(self, client: Api) -> None:
        given = {"id": "x", "patch": {"title": "", "slug": "A b"}, "idempotencyKey": ""}
        assert codes(await client.payload("updatePost", given)) == [
            ("INVALID", "id"), ("INVALID", "idempotencyKey"), ("REQUIRED", "patch/title"), ("INVALID", "patch/slug"),
        ]  # fmt: skip

    async def test_of_nobody_is_refused_before_anything_is_looked_at(
        self, api: Api, client: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        post = (await create(client))["post"]
        monkeypatch.setattr(drafts, "make_content", None)
        for id_ in (post["id"], "x"):
            payload = await update(api, {"id": id_}, {"title": "", "markdown": "x"})
            assert codes(payload) == [("UNAUTHENTICATED", "")]

    async def test_of_another_version_writes_nothing(self, client: Api) -> None:
        post = (await create(client))["post"]
        await update(client, post, {"title": "One"}, expectedVersion=1)
        [error] = (await update(client, post, {"title": "Two"}, expectedVersion=1))["errors"]
        assert error["code"] == "VERSION_CONFLICT"
        assert (error["expectedVersion"], error["currentVersion"], error["current"]["id"]) == (1, 2, post["id"])
        assert (await update(client, post, {}))["post"].items() >= {"title": "One", "version": 2}.items()

    async def test_to_the_same_values_is_a_version(self, client: Api) -> None:
        post = (await create(client))["post"]
        same = {"title": post["title"]}
        assert [(await update(client, post, same))["post"]["version"] for _ in range(3)] == [2, 3, 4]

    async def test_of_what_is_not_there_is_not_found(self, api: Api, client: Api) -> None:
        bela = make_user()
        draft = make_draft(bela)
        await save(api.database, [bela, draft])
        for post in (draft, make_draft(bela)):
            [error] = (await update(client, post, {"title": "x"}))["errors"]
            assert (error["code"], error["path"], error["id"]) == ("NOT_FOUND", ["id"], post.global_id)


TRANSITIONS = {
    "publishPost": ("PUBLISHED", "PUBLISHED"),
    "unpublishPost": ("DRAFT", "UNPUBLISHED"),
    "archivePost": ("ARCHIVED", "ARCHIVED"),
}
PREPARATIONS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "DRAFT": [],
    "SCHEDULED": [("publishPost", {"at": LATER})],
    "PUBLISHED": [("publishPost", {"at": LONG_AGO})],
    "ARCHIVED": [("publishPost", {"at": LONG_AGO}), ("archivePost", {})],
}


@pytest.mark.parametrize("before", PREPARATIONS)
class TestStates:
    async def prepare(self, client: Api, before: str) -> Any:
        post = (await create(client, tags=[{"name": "a"}]))["post"]
        for mutation, given in PREPARATIONS[before]:
            post = (await change(client, mutation, post, **given))["post"]
        assert post["status"] == before
        return post

    @pytest.mark.parametrize("mutation", TRANSITIONS)
    async def test_follow_each_other(self, api: Api, client: Api, before: str, mutation: str) -> None:
        post = await self.prepare(client, before)
        payload = await change(client, mutation, post, expectedVersion=post["version"])
        status, kind = TRANSITIONS[mutation]
        assert (payload["post"]["status"], payload["post"]["version"]) == (status, post["version"] + 1)
        assert (await changes_of(api))[-1] == kind
        is_public = (await api.data("{ tags { nodes { postCount } } }"))["tags"]["nodes"] == [{"postCount": 1}]
        assert is_public is (status == "PUBLISHED")

    async def test_keep_their_time_or_forget_it(self, client: Api, before: str) -> None:
        post = await self.prepare(client, before)
        archived = (await change(client, "archivePost", post))["post"]["publishedAt"]
        assert archived == (LONG_AGO if before in {"PUBLISHED", "ARCHIVED"} else None)
        published = (await change(client, "publishPost", post))["post"]["publishedAt"]
        assert (published == LONG_AGO) is (before in {"PUBLISHED", "ARCHIVED"})
        assert (await change(client, "archivePost", post))["post"]["publishedAt"] == published
        assert (await change(client, "unpublishPost", post))["post"]["publishedAt"] is None

    async def test_come_back_after_a_deletion(self, api: Api, client: Api, before: str) -> None:
        post = await self.prepare(client, before)
        assert await change(client, "deletePost", post) == {"deletedId": post["id"], "errors": []}
        assert codes(await update(client, post, {})) == [("NOT_FOUND", "id")]
        assert codes(await create(client, slug="hello")) == [("NOT_UNIQUE", "slug")]
        trash = "withDeleted: posts(filter: {deletedAt: {isNull: false}}) { nodes { id viewerCanUpdate } }"
        deleted = f"{{ posts {{ totalCount }} {trash} }}"
        assert await client.data(deleted) == {
            "posts": {"totalCount": 0},
            "withDeleted": {"nodes": [{"id": post["id"], "viewerCanUpdate": False}]},
        }
        restored = (await change(client, "restorePost", post))["post"]
        assert restored == {**post, "version": post["version"] + 2}
        assert (await changes_of(api))[-2:] == ["DELETED", "RESTORED"]
        assert codes(await change(client, "restorePost", post)) == [("INVALID", "id")]


class TestPublishPost:
    async def test_refuses_a_time_before_1970(self, client: Api) -> None:
        post = (await create(client))["post"]
        assert codes(await change(client, "publishPost", post, at="1969-12-31T23:59:59Z")) == [("INVALID", "at")]

    async def test_tells_all_that_is_wrong_at_once(self, client: Api) -> None:
        given = {"id": "x", "at": "1969-12-31T23:59:59Z", "idempotencyKey": "x" * 256}
        expected = [("INVALID", "id"), ("TOO_LONG", "idempotencyKey"), ("INVALID", "at")]
        assert codes(await client.payload("publishPost", given)) == expected

    async def test_later_takes_a_public_post_away(self, api: Api, client: Api) -> None:
        post = (await create(client, publish=True))["post"]
        for kind in ("UNPUBLISHED", "UPDATED"):
            assert (await change(client, "publishPost", post, at=LATER))["post"]["status"] == "SCHEDULED"
            assert (await changes_of(api))[-1] == kind

    async def test_schedules_by_the_clock_alone(self, api: Api, client: Api) -> None:
        post = (await create(client, tags=[{"name": "a"}]))["post"]
        soon = utc_now() + timedelta(seconds=2)
        scheduled = await change(client, "publishPost", post, at=soon.isoformat())
        count = "{ posts { totalCount } tags { nodes { postCount } } }"
        hidden = {"posts": {"totalCount": 0}, "tags": {"nodes": [{"postCount": 0}]}}
        assert (scheduled["post"]["status"], await api.data(count)) == ("SCHEDULED", hidden)
        while utc_now() <= soon:
            await api.data(count)
            await asyncio.sleep(0.05)
        assert await api.data(count) == {"posts": {"totalCount": 1}, "tags": {"nodes": [{"postCount": 1}]}}


class TestEditors:
    async def test_change_posts_of_others(self, api: Api, client: Api) -> None:
        editor = make_user(role=UserRole.EDITOR)
        await save(api.database, [editor])
        post = (await create(client))["post"]
        payload = await change(await sign_in_as(api, editor), "publishPost", post)
        assert payload["post"].items() >= {"status": "PUBLISHED", "author": {"username": "ada"}}.items()


async def test_what_is_stored_has_a_known_state(api: Api, client: Api) -> None:
    await create(client, publish=True)
    async with api.database.write() as session:
        assert (await session.scalars(sa.select(Post.state))).all() == [PostState.PUBLISHED]
