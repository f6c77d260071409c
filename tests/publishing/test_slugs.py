"""Slugs of posts and tags: where they come from, who may have them, and what old ones find."""

import asyncio
import random
from typing import Any

import pytest
import sqlalchemy as sa

from gqlapi.database.slugs import POST_SLUGS, TAG_SLUGS
from gqlapi.models import Post, PostSlug, Tag, TagSlug, User, UserRole
from tests.api import Api
from tests.factories import make_draft, make_post, make_tag, make_user, save
from tests.publishing.test_posts import codes
from tests.signing_in import sign_in_as

POST = "post { id slug slugFollowsTitle version }"
WAITING = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")


@pytest.fixture
async def ada(api: Api) -> User:
    ada = make_user(role=UserRole.EDITOR)
    await save(api.database, [ada])
    return ada


@pytest.fixture
async def client(api: Api, ada: User) -> Api:
    return await sign_in_as(api, ada)


async def create(client: Api, title: str = "Hello", **given: Any) -> Any:
    payload = await client.payload("createPost", {"title": title, "markdown": "", **given}, POST)
    assert payload["errors"] == []
    return payload["post"]


async def update(client: Api, post: Any, **patch: Any) -> Any:
    payload = await client.payload("updatePost", {"id": post["id"], "patch": patch}, POST)
    assert payload["errors"] == []
    return payload["post"]


async def publish(client: Api, post: Any, **given: Any) -> Any:
    return (await client.payload("publishPost", {"id": post["id"], **given}, POST))["post"]


async def find(client: Api, slug: str, kind: str = "post") -> Any:
    """Return the current slug of what a slug finds."""
    query = f"query($slug: String!) {{ {kind}(by: {{ slug: $slug }}) {{ slug }} }}"
    found = (await client.data(query, {"slug": slug}))[kind]
    return found and found["slug"]


async def registered(api: Api, key: Any, slug: Any) -> dict[str, Any]:
    async with api.database.write() as session:
        return {row[0]: row[1] for row in await session.execute(sa.select(slug, key))}


class TestSlugOfADraft:
    async def test_follows_its_title(self, api: Api, client: Api) -> None:
        post = await create(client, "Untitled")
        assert (post["slug"], post["slugFollowsTitle"]) == ("untitled", True)
        assert (await update(client, post, title="My first post"))["slug"] == "my-first-post"
        assert await find(client, "untitled") is None
        other = await create(client, "Untitled")
        assert other["slug"] == "untitled"
        assert (await update(client, other, title="My first post!"))["slug"] == "my-first-post-2"
        assert {*await registered(api, PostSlug.post_id, PostSlug.slug)} == {"my-first-post", "my-first-post-2"}

    async def test_stays_when_the_new_title_has_the_same(self, client: Api) -> None:
        await create(client)
        post = await create(client)
        assert post["slug"] == "hello-2"
        assert (await update(client, post, title="HELLO!"))["slug"] == "hello-2"
        assert (await update(client, post, slug=None))["slug"] == "hello-2"

    async def test_stays_when_it_was_chosen(self, client: Api) -> None:
        post = await create(client, slug="mine")
        assert post["slugFollowsTitle"] is False
        assert (await update(client, post, title="Another"))["slug"] == "mine"

    async def test_becomes_automatic_again(self, client: Api) -> None:
        post = await create(client, slug="mine")
        post = await update(client, post, slug=None)
        assert (post["slug"], post["slugFollowsTitle"]) == ("hello", True)
        assert (await update(client, post, title="Later"))["slug"] == "later"
        chosen = await update(client, post, slug="later")
        assert (chosen["slug"], chosen["slugFollowsTitle"]) == ("later", False)

    async def test_is_free_again_when_another_is_chosen(self, client: Api) -> None:
        post = await create(client, slug="mine")
        await update(client, post, slug="other")
        assert (await create(client, slug="mine"))["slug"] == "mine"


class TestSlugOfAPublishedPost:
    async def test_stays_when_the_title_changes(self, client: Api) -> None:
        post = await publish(client, await create(client))
        assert post["slugFollowsTitle"] is False
        assert (await update(client, post, title="Another"))["slug"] == "hello"

    async def test_stays_when_it_is_a_draft_again(self, client: Api) -> None:
        post = await create(client, publish=True)
        await client.payload("unpublishPost", {"id": post["id"]}, POST)
        assert (await update(client, post, title="Another"))["slug"] == "hello"

    async def test_is_made_from_the_title_on_request(self, client: Api) -> None:
        post = await create(client, publish=True)
        post = await update(client, post, title="Another", slug=None)
        assert (post["slug"], post["slugFollowsTitle"]) == ("another", False)
        assert (await update(client, post, title="A third"))["slug"] == "another"
        assert await find(client, "hello") == "another"

    async def test_is_kept_as_an_old_one_when_it_was_scheduled(self, client: Api) -> None:
        post = await publish(client, await create(client), at="2999-01-01T00:00:00Z")
        await update(client, post, slug="moved")
        assert await find(client, "hello") == "moved"


class TestOldSlug:
    async def test_finds_its_post_in_one_statement(self, client: Api) -> None:
        post = await create(client, publish=True)
        await update(client, post, slug="moved")
        await update(client, post, slug="moved-again")
        for slug in ("hello", "HELLO", "moved", "moved-again"):
            with client.statements() as statements:
                assert await find(client, slug) == "moved-again"
            # The caller, and the post.
            assert len(statements) == 2

    async def test_finds_no_post_that_is_hidden(self, api: Api, client: Api) -> None:
        post = await create(client, publish=True)
        await update(client, post, slug="moved")
        await client.payload("archivePost", {"id": post["id"]}, POST)
        assert (await find(api, "hello"), await find(client, "hello")) == (None, "moved")
        await client.payload("deletePost", {"id": post["id"]}, "deletedId")
        assert await find(client, "hello") is None

    async def test_is_taken_for_other_posts(self, client: Api) -> None:
        post = await create(client, publish=True)
        await update(client, post, slug="moved")
        other = await create(client)
        assert other["slug"] == "hello-2"
        for mutation, given in (
            ("createPost", {"title": "x", "markdown": "", "slug": "HELLO"}),
            ("createPosts", {"posts": [{"title": "x", "markdown": "", "slug": "hello"}]}),
            ("updatePost", {"id": other["id"], "patch": {"slug": "hello"}}),
        ):
            [error] = (await client.payload(mutation, given))["errors"]
            assert (error["code"], error["path"][-1], error["existing"]) == ("NOT_UNIQUE", "slug", {"id": post["id"]})
        await client.payload("deletePost", {"id": post["id"]}, "deletedId")
        assert (await create(client))["slug"] == "hello-3"

    async def test_may_be_taken_back_by_its_post(self, client: Api) -> None:
        post = await create(client, publish=True)
        await update(client, post, slug="moved")
        assert (await update(client, post, slug="hello"))["slug"] == "hello"
        assert (await update(client, post, slug="moved"))["slug"] == "moved"
        assert (await update(client, post, slug=None))["slug"] == "hello"
        assert await find(client, "moved") == "hello"

    async def test_costs_as_much_as_a_current_one(self, client: Api) -> None:
        post = await create(client, publish=True)
        await update(client, post, slug="moved")
        query = '{ post(by: { slug: "%s" }) { slug } rateLimit { cost } }'
        costs = [(await client.data(query % slug))["rateLimit"]["cost"] for slug in ("hello", "moved")]
        assert costs[0] == costs[1]


class TestRegistry:
    async def test_has_each_slug_once(self, api: Api, ada: User) -> None:
        tag, first, second = make_tag(slug="a"), make_post(ada, slug="first"), make_draft(ada, slug="second")
        await save(api.database, [tag, first, second])
        posts = await registered(api, PostSlug.post_id, PostSlug.slug)
        assert (posts, await registered(api, TagSlug.tag_id, TagSlug.slug)) == (
            {"first": first.id, "second": second.id},
            {"a": tag.id},
        )

    async def test_refuses_the_slug_of_another_row(self, api: Api, ada: User) -> None:
        first, second, tag, other = make_post(ada), make_post(ada), make_tag(), make_tag()
        await save(api.database, [tag, other, first, second])
        async with api.database.write() as session:
            session.add_all([PostSlug(post_id=first.id, slug="old"), TagSlug(tag_id=tag.id, slug="old")])
        table: Any
        for table, row, registry in ((Post, second, POST_SLUGS), (Tag, other, TAG_SLUGS)):
            statement = sa.update(table).where(table.id == row.id).values(slug="old")
            with pytest.raises(sa.exc.IntegrityError, match=registry.name):
                async with api.database.write() as session:
                    await session.execute(statement)

    async def test_forgets_the_slugs_of_a_row_that_is_gone(self, api: Api, ada: User) -> None:
        post = make_post(ada)
        await save(api.database, [post])
        async with api.database.write() as session:
            await session.execute(sa.delete(Post))
        assert await registered(api, PostSlug.post_id, PostSlug.slug) == {}


class TestSlugOfAMergedTag:
    async def merge(self, client: Api, *sources: Tag, into: Tag) -> None:
        given = {"from": [tag.global_id for tag in sources], "into": into.global_id}
        assert (await client.payload("mergeTags", given))["errors"] == []

    async def test_finds_the_tag_that_took_its_posts(self, api: Api, client: Api) -> None:
        tags = [make_tag(slug=slug) for slug in ("js", "ecmascript", "javascript", "scripting")]
        await save(api.database, tags)
        await self.merge(client, tags[0], tags[1], into=tags[2])
        assert [await find(api, slug, "tag") for slug in ("js", "ecmascript", "javascript")] == ["javascript"] * 3
        await self.merge(client, tags[2], into=tags[3])
        assert [await find(api, slug, "tag") for slug in ("JS", "javascript")] == ["scripting"] * 2

    async def test_names_it_in_posts(self, api: Api, client: Api) -> None:
        js, javascript = make_tag(slug="js"), make_tag(slug="javascript")
        await save(api.database, [js, javascript])
        await self.merge(client, js, into=javascript)
        given = {"title": "x", "markdown": "", "tags": [{"slug": "js"}, {"slug": "javascript"}]}
        payload = await client.payload("createPost", given, "post { id tags { slug } }")
        assert payload["post"]["tags"] == [{"slug": "javascript"}]
        patch = {"tags": {"remove": [{"slug": "js"}]}}
        payload = await client.payload(
            "updatePost", {"id": payload["post"]["id"], "patch": patch}, "post { tags { slug } }"
        )
        assert payload["post"]["tags"] == []

    async def test_is_taken_for_other_tags(self, api: Api, client: Api) -> None:
        js, javascript = make_tag(slug="js", name="JS"), make_tag(slug="javascript")
        await save(api.database, [js, javascript])
        await self.merge(client, js, into=javascript)
        payload = await client.payload("upsertTag", {"slug": "JS", "name": "Another"})
        assert codes(payload) == [("NOT_UNIQUE", "slug")]
        assert payload["errors"][0]["existing"] == {"id": javascript.global_id}
        # The name is free again, and makes a tag with its own slug.
        payload = await client.payload(
            "createPost", {"title": "x", "markdown": "", "tags": [{"name": "JS"}]}, "post { tags { slug } }"
        )
        assert payload["post"]["tags"] == [{"slug": "js-2"}]

    async def test_is_free_again_when_that_tag_is_deleted(self, api: Api, client: Api) -> None:
        js, javascript = make_tag(slug="js"), make_tag(slug="javascript")
        await save(api.database, [js, javascript])
        await self.merge(client, js, into=javascript)
        await client.payload("deleteTag", {"id": javascript.global_id}, "deletedId")
        payload = await client.payload("upsertTag", {"slug": "js", "name": "JS"}, "created")
        assert (payload["created"], payload["errors"]) == (True, [])


class TestRaces:
    async def test_of_posts_for_one_slug_give_it_to_one(self, api: Api, client: Api) -> None:
        """New posts, titles of drafts, and chosen slugs, all at once."""
        drafts = [await create(client, f"Draft {number}") for number in range(4)]
        chosen = [
            client.payload("updatePost", {"id": post["id"], "patch": {"slug": "wanted"}}, POST) for post in drafts[:2]
        ]
        titles = [
            client.payload("updatePost", {"id": post["id"], "patch": {"title": "Wanted"}}, POST) for post in drafts[2:]
        ]
        new = [client.payload("createPost", {"title": "Wanted", "markdown": ""}, POST) for _ in range(3)]
        payloads = await asyncio.gather(*chosen, *titles, *new)
        assert all(codes(payload) == [("NOT_UNIQUE", "patch/slug")] for payload in payloads if payload["errors"])
        assert not [error for payload in payloads[2:] for error in payload["errors"]]
        slugs = await registered(api, PostSlug.post_id, PostSlug.slug)
        assert "wanted" in slugs
        assert sorted(await self.current(api)) == sorted(slugs)

    async def current(self, api: Api) -> list[str]:
        async with api.database.write() as session:
            return [*await session.scalars(sa.select(Post.slug))]

    @pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
    async def test_with_an_old_slug_that_is_being_added_take_another(self, api: Api, client: Api, ada: User) -> None:
        """The statement that has found the slug free waits for the other transaction."""
        post = make_post(ada)
        await save(api.database, [post])
        async with api.database.write() as session:
            await session.execute(sa.insert(PostSlug).values(post_id=post.id, slug="wanted"))
            creating = asyncio.create_task(create(client, "Wanted"))
            while not (await session.scalars(WAITING)).one():
                await asyncio.sleep(0.01)
        assert (await creating)["slug"] == "wanted-2"


class Blog:
    """What the rules say of slugs: who has which, and which of them are kept."""

    def __init__(self) -> None:
        self.owners: dict[str, str] = {}
        self.current: dict[str, str] = {}
        self.rules: dict[str, str] = {}
        self.titles: dict[str, str] = {}

    def give(self, id_: str, slug: str, rule: str) -> None:
        old = self.current.get(id_)
        if old is not None and old != slug and self.rules[id_] != "fixed":
            del self.owners[old]
        self.current[id_], self.owners[slug] = slug, id_
        self.rules[id_] = "fixed" if self.rules.get(id_) == "fixed" else rule

    def free(self, title: str, id_: str) -> str:
        names = [title.lower(), *(f"{title.lower()}-{number}" for number in range(2, 21))]
        return next(name for name in names if self.owners.get(name, id_) == id_)

    def retitle(self, id_: str, title: str) -> None:
        if self.rules[id_] == "title" and title != self.titles[id_]:
            self.give(id_, self.free(title, id_), "title")
        self.titles[id_] = title


class TestRandomHistory:
    @pytest.mark.parametrize("seed", range(3))
    async def test_gives_each_post_what_the_rules_say(self, api: Api, client: Api, seed: int) -> None:
        chance, blog = random.Random(seed), Blog()  # noqa: S311 - a test that can be repeated
        for _ in range(45):
            title, action = chance.choice("ABC"), chance.choice(["create", "title", "title", "slug", "null", "publish"])
            if action == "create" or not blog.current:
                post = await create(client, title)
                blog.titles[post["id"]] = title
                blog.give(post["id"], blog.free(title, post["id"]), "title")
                continue
            id_ = chance.choice([*blog.current])
            slug = chance.choice(["a", "b", "c-2", "own"])
            given = {"title": {"title": title}, "slug": {"slug": slug}, "null": {"slug": None}}.get(action)
            if given is None:
                await publish(client, {"id": id_})
                blog.rules[id_] = "fixed"
                continue
            payload = await client.payload("updatePost", {"id": id_, "patch": given}, POST)
            is_refused = action == "slug" and blog.owners.get(slug, id_) != id_
            assert bool(payload["errors"]) is is_refused
            if action == "title":
                blog.retitle(id_, title)
            elif action == "null" and blog.rules[id_] != "title":
                blog.give(id_, blog.free(blog.titles[id_], id_), "title")
            elif action == "slug" and not is_refused:
                blog.give(id_, slug, "chosen")
        for slug, id_ in blog.owners.items():
            assert await find(client, slug) == blog.current[id_]
        assert {*await registered(api, PostSlug.post_id, PostSlug.slug)} == {*blog.owners}
