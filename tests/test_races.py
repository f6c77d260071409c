"""Several writers at once, on two servers over one database: no work is lost, and all answers are consistent."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import sqlalchemy as sa

from gqlapi.models import IdempotencyKey, Post, PostTag, Tag, User, UserRole
from tests.api import Api, gets_everything_back, serve, settings_for
from tests.consistency import assert_consistent, count
from tests.examples import rounds
from tests.factories import make_draft, make_tag, make_user, save
from tests.signing_in import sign_in_as

WRITERS = 20
POST = "post { id version slug title tags { name } }"


class Editor:
    """A user who may do everything with posts and tags, through either server in turn."""

    def __init__(self, user: User, clients: list[Api]) -> None:
        self.user = user
        self.clients = clients
        self._turns = 0

    @property
    def client(self) -> Api:
        self._turns += 1
        return self.clients[self._turns % len(self.clients)]

    @property
    def database(self) -> Any:
        return self.clients[0].database

    async def payload(self, mutation: str, given: dict[str, Any], selection: str = "") -> Any:
        return await self.client.payload(mutation, given, selection)

    async def drafts(self, number: int, *tags: Tag) -> list[Post]:
        posts = [make_draft(self.user, *tags) for _ in range(number)]
        await save(self.database, posts)
        return posts

    async def tags(self, number: int) -> list[Tag]:
        tags = [make_tag() for _ in range(number)]
        await save(self.database, tags)
        return tags


@pytest.fixture
async def editor(database_url: str) -> AsyncIterator[Editor]:
    """An editor at two servers; in the end everything comes back, and the tables agree with each other."""
    async with AsyncExitStack() as stack:
        # The queue is longer than any race: being refused is another test's business.
        settings = settings_for(database_url, pool_size=5, pool_timeout_seconds=20)
        servers = [await stack.enter_async_context(serve(settings)) for _ in range(2)]
        user = make_user(username="ada", role=UserRole.EDITOR)
        await save(servers[0].database, [user])
        editor = Editor(user, [await sign_in_as(server, user) for server in servers])
        yield editor
        for server in servers:
            assert await gets_everything_back(server.database)
        await assert_consistent(servers[0].database)


def codes(payload: Any) -> list[str]:
    return [error["code"] for error in payload["errors"]]


async def all_of(*operations: Awaitable[Any]) -> list[Any]:
    async with asyncio.timeout(60):
        return await asyncio.gather(*operations)


class TestUpdatePost:
    async def test_has_one_winner_of_each_version(self, editor: Editor) -> None:
        [post] = await editor.drafts(1)

        async def update(version: int, title: str) -> Any:
            given = {"id": post.global_id, "expectedVersion": version, "patch": {"title": title}}
            return await editor.payload("updatePost", given, POST)

        for version in range(1, 1 + rounds(10)):
            rivals = await all_of(update(version, f"A{version}"), update(version, f"B{version}"))
            [winner] = [rival for rival in rivals if not rival["errors"]]
            [loser] = [rival for rival in rivals if rival["errors"]]
            [error] = loser["errors"]
            assert (winner["post"]["version"], error["code"]) == (version + 1, "VERSION_CONFLICT")
            assert (error["expectedVersion"], error["currentVersion"]) == (version, version + 1)
            assert error["current"] == {"id": post.global_id}

    async def test_loses_no_update(self, editor: Editor) -> None:
        [post] = await editor.drafts(1)

        async def add(number: int) -> Any:
            patch = {"title": f"Title {number}", "tags": {"add": [{"name": f"Tag {number}"}]}}
            return await editor.payload("updatePost", {"id": post.global_id, "patch": patch}, POST)

        payloads = await all_of(*map(add, range(WRITERS)))
        assert [payload["errors"] for payload in payloads] == [[]] * WRITERS
        # A payload is read after the commit, so it may show a later version; none shows an earlier one.
        assert max(payload["post"]["version"] for payload in payloads) == 1 + WRITERS
        row = (await editor.client.data("query($id: ID!) { post(by: { id: $id }) { version tags { name } } }",
                                        {"id": post.global_id}))["post"]  # fmt: skip
        assert row["version"] == 1 + WRITERS
        assert {tag["name"] for tag in row["tags"]} == {f"Tag {number}" for number in range(WRITERS)}

    async def test_and_publishing_keep_the_links_in_step(self, editor: Editor) -> None:
        tags = await editor.tags(4)
        posts = await editor.drafts(5, tags[0])
        chance = random.Random(1)  # noqa: S311 - a test that can be repeated

        async def change() -> Any:
            id_ = {"id": chance.choice(posts).global_id}
            tag = {"id": chance.choice(tags).global_id}
            changes: list[tuple[str, dict[str, Any]]] = [
                ("publishPost", id_),
                ("unpublishPost", id_),
                ("archivePost", id_),
                ("updatePost", {**id_, "patch": {"tags": {"add": [tag]}}}),
                ("updatePost", {**id_, "patch": {"tags": {"remove": [tag]}}}),
                ("updatePost", {**id_, "patch": {"tags": {"set": [tag]}}}),
            ]
            mutation, given = chance.choice(changes)
            return await editor.payload(mutation, given, POST)

        payloads = await all_of(*(change() for _ in range(80)))
        assert [codes(payload) for payload in payloads] == [[]] * 80
        async with editor.database.write() as session:
            versions = sum(await session.scalars(sa.select(Post.version)))
        assert versions == len(posts) + 80


class TestIdempotencyKey:
    async def test_happens_once(self, editor: Editor) -> None:
        for round_ in (1, 2, 3):
            given = {"title": "One", "markdown": "", "tags": [{"name": "New"}], "idempotencyKey": f"key {round_}"}
            payloads = await all_of(*(editor.payload("createPost", given, POST) for _ in range(WRITERS)))
            assert payloads[0]["errors"] == []
            assert payloads == [payloads[0]] * WRITERS
            assert (await count(editor.database, Post), await count(editor.database, Tag)) == (round_, 1)

    async def test_of_a_rejected_mutation_is_free_for_the_next(self, editor: Editor) -> None:
        """The first one to come is rejected by what it finds, and the others wait for its end."""
        given = {"title": "One", "markdown": "", "slug": "one", "idempotencyKey": "key"}
        await editor.payload("createPost", {"title": "One", "markdown": "", "slug": "one"})
        payloads = await all_of(*(editor.payload("createPost", given) for _ in range(WRITERS)))
        assert [codes(payload) for payload in payloads] == [["NOT_UNIQUE"]] * WRITERS
        async with editor.database.write() as session:
            assert [*await session.scalars(sa.select(IdempotencyKey.key))] == []

    async def test_of_two_inputs_is_one_of_theirs(self, editor: Editor) -> None:
        def given(number: int) -> dict[str, Any]:
            return {"title": f"Title {number % 2}", "markdown": "", "idempotencyKey": "key"}

        payloads = await all_of(*(editor.payload("createPost", given(number), POST) for number in range(WRITERS)))
        assert Counter(map(tuple, map(codes, payloads))) == {(): WRITERS / 2, ("IDEMPOTENCY_MISMATCH",): WRITERS / 2}
        assert await count(editor.database, Post) == 1


class TestCreatePost:
    async def test_gives_each_a_slug_of_its_own(self, editor: Editor) -> None:
        given = {"title": "One title", "markdown": ""}
        for round_ in (1, 2):  # in the second one, numbers are in use, and no longer free for all
            payloads = await all_of(*(editor.payload("createPost", given, POST) for _ in range(WRITERS)))
            assert [payload["errors"] for payload in payloads] == [[]] * WRITERS
            async with editor.database.write() as session:
                slugs = [*await session.scalars(sa.select(Post.slug))]
            assert len({*slugs}) == len(slugs) == round_ * WRITERS
            assert all(slug.startswith("one-title") for slug in slugs)

    async def test_gives_a_chosen_slug_to_one(self, editor: Editor) -> None:
        given = {"title": "One title", "markdown": "", "slug": "mine", "tags": [{"name": "New"}]}
        payloads = await all_of(*(editor.payload("createPost", given, POST) for _ in range(WRITERS)))
        assert sorted(map(codes, payloads)) == [[], *[["NOT_UNIQUE"]] * (WRITERS - 1)]
        [winner] = [payload["post"]["id"] for payload in payloads if payload["post"]]
        existing = {error["existing"]["id"] for payload in payloads for error in payload["errors"]}
        assert existing == {winner}
        assert (await count(editor.database, Post), await count(editor.database, Tag)) == (1, 1)

    @pytest.mark.parametrize("round_", range(2))
    async def test_makes_each_new_tag_once(self, editor: Editor, round_: int) -> None:
        # Two of a name's spellings share one slug, so the transactions wait for each other in more than one order.
        names = ["C", "C++", "C#", "c!", "D", "Ä", "A", "Ä?"]
        chance = random.Random(round_)  # noqa: S311 - a test that can be repeated

        async def create() -> Any:
            tags = [{"name": name} for name in chance.sample(names, len(names))]
            return await editor.payload("createPost", {"title": "x", "markdown": "", "tags": tags}, POST)

        payloads = await all_of(*(create() for _ in range(WRITERS)))
        assert [payload["errors"] for payload in payloads] == [[]] * WRITERS
        for payload in payloads:
            assert {tag["name"] for tag in payload["post"]["tags"]} == {*names}
        assert await count(editor.database, Tag) == len(names)


class TestTags:
    @pytest.mark.parametrize("seed", range(3))
    async def test_that_are_merged_lose_no_post(self, editor: Editor, seed: int) -> None:
        """Merging tags into one, while posts with these tags are made, published and given others."""
        target, *sources = await editor.tags(5)
        posts = await editor.drafts(6, *sources[:2])
        by_id = [{"id": tag.global_id} for tag in sources]

        def merge(*tags: dict[str, str]) -> Awaitable[Any]:
            return editor.payload("mergeTags", {"from": [tag["id"] for tag in tags], "into": target.global_id})

        def publish(post: Post) -> Awaitable[Any]:
            return editor.payload("publishPost", {"id": post.global_id}, POST)

        def retag(post: Post, tag: dict[str, str]) -> Awaitable[Any]:
            return editor.payload("updatePost", {"id": post.global_id, "patch": {"tags": {"add": [tag]}}}, POST)

        def create(tag: dict[str, str]) -> Awaitable[Any]:
            given = {"title": "x", "markdown": "", "publish": True, "tags": [tag]}
            return editor.payload("createPost", given, POST)

        operations = [merge(*by_id[:2]), merge(*by_id[2:]), *map(publish, posts), *map(create, by_id)]
        operations += map(retag, posts, by_id * 2)
        random.Random(seed).shuffle(operations)  # noqa: S311 - a test that can be repeated
        payloads = await all_of(*operations)
        # A tag that is merged already is reported; nothing else goes wrong.
        found = [codes(payload) for payload in payloads]
        assert all(codes_ in ([], ["NOT_FOUND"]) for codes_ in found)
        async with editor.database.write() as session:
            links = [*await session.execute(sa.select(PostTag.post_id, PostTag.tag_id))]
        assert {tag_id for _, tag_id in links} == {target.id}
        created = [payload for payload in payloads if payload.get("post", {}) and payload["post"]["title"] == "x"]
        assert len(links) == len(posts) + len(created)

    async def test_that_are_deleted_leave_no_link(self, editor: Editor) -> None:
        for _ in range(3):
            tags = await editor.tags(5)
            by_id = [{"id": tag.global_id} for tag in tags]

            def create(tag: dict[str, str]) -> Awaitable[Any]:
                return editor.payload("createPost", {"title": "x", "markdown": "", "tags": [tag]}, POST)

            creations = [create(tag) for tag in by_id * 3]
            named = [create({"name": tag.name}) for tag in tags]
            deletions = [editor.payload("deleteTag", tag) for tag in by_id]
            payloads = await all_of(*creations[:7], *deletions, *named, *creations[7:])
            deleted, remade = payloads[7:12], payloads[12:17]
            assert [payload["errors"] for payload in deleted] == [[]] * 5
            # A tag that is named is there afterwards, or was deleted again from the post that named it.
            assert [payload["errors"] for payload in remade] == [[]] * 5
            for payload in (*payloads[:7], *payloads[17:]):
                assert codes(payload) in ([], ["NOT_FOUND"])
            await assert_consistent(editor.database)

    async def test_are_put_by_many_at_once(self, editor: Editor) -> None:
        given = {"slug": "one", "name": "One"}
        payloads = await all_of(
            *(
                editor.payload("upsertTag", {**given, "description": str(number)}, "created")
                for number in range(WRITERS)
            )
        )
        assert [payload["errors"] for payload in payloads] == [[]] * WRITERS
        assert [payload["created"] for payload in payloads].count(True) == 1
        async with editor.database.write() as session:
            assert [*await session.scalars(sa.select(Tag.version))] == [WRITERS]
