"""Changes of many posts at once: what they do to each, and how many statements they take."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from gqlapi.models import GlobalId, Post, PostChange, PostState, Tag, User, UserRole, new_id
from tests.api import Api, serve, settings_for
from tests.consistency import assert_consistent
from tests.factories import make_draft, make_post, make_tag, make_user, save
from tests.publishing.test_posts import codes
from tests.signing_in import sign_in_as

POST = "title slug slugFollowsTitle status version deletedAt tags { name } content { html }"
RESULTS = f"changedCount results {{ post {{ {POST} }} errors {{ code path }} }}"
DELETED = "deletedCount results { deletedId errors { code path } }"
UNKNOWN = GlobalId("Post", new_id()).encode()


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    """A server at which a hundred titles may change at once."""
    async with serve(settings_for(database_url, max_cost=10**6)) as api:
        yield api


@pytest.fixture
async def client(api: Api, ada: User) -> AsyncIterator[Api]:
    yield await sign_in_as(api, ada)
    await assert_consistent(api.database)


async def drafts(api: Api, author: User, *tags: Tag, count: int = 3, **values: Any) -> list[Post]:
    made = [make_draft(author, *tags, **values) for _ in range(count)]
    await save(api.database, [*tags, *made])
    return made


def refs(posts: list[Post], **given: Any) -> list[dict[str, Any]]:
    return [{"id": post.global_id, **given} for post in posts]


async def send(client: Api, mutation: str, posts: list[dict[str, Any]], **given: Any) -> Any:
    selection = DELETED if mutation == "deletePosts" else RESULTS
    return await client.payload(mutation, {"posts": posts, **given}, selection)


async def rows_of(api: Api) -> dict[str, Post]:
    async with api.database.write() as session:
        return {post.global_id: post for post in await session.scalars(sa.select(Post))}


class TestPublishPosts:
    async def test_publishes_all(self, api: Api, client: Api, ada: User) -> None:
        tag = make_tag()
        payload = await send(client, "publishPosts", refs(await drafts(api, ada, tag)))
        assert (payload["changedCount"], payload["errors"]) == (3, [])
        assert {result["post"]["status"] for result in payload["results"]} == {"PUBLISHED"}
        query = "query($id: ID!) { tag(by: { id: $id }) { postCount } }"
        assert (await api.data(query, {"id": tag.global_id}))["tag"]["postCount"] == 3
        later = await send(client, "publishPosts", refs(await drafts(api, ada)), at="2999-01-01T00:00:00Z")
        assert {result["post"]["status"] for result in later["results"]} == {"SCHEDULED"}

    async def test_keeps_the_time_of_those_that_were_public(self, api: Api, client: Api, ada: User) -> None:
        archived, draft = make_post(ada, state=PostState.ARCHIVED), make_draft(ada)
        await save(api.database, [archived, draft])
        await send(client, "publishPosts", refs([draft, archived]))
        rows = await rows_of(api)
        assert rows[archived.global_id].published_at == archived.published_at
        assert rows[draft.global_id].published_at != archived.published_at

    async def test_refuses_a_time_that_cannot_be(self, api: Api, client: Api, ada: User) -> None:
        payload = await send(client, "publishPosts", refs(await drafts(api, ada)), at="1969-01-01T00:00:00Z")
        assert codes(payload) == [("INVALID", "at")]


class TestDeletePosts:
    async def test_deletes_all_in_their_order(self, api: Api, client: Api, ada: User) -> None:
        posts = await drafts(api, ada)
        payload = await send(client, "deletePosts", refs(posts))
        assert [result["deletedId"] for result in payload["results"]] == [post.global_id for post in posts]
        assert payload["deletedCount"] == 3
        assert all(post.deleted_at for post in (await rows_of(api)).values())
        again = await send(client, "deletePosts", refs(posts))
        assert codes(again) == [("NOT_FOUND", f"posts/{number}/id") for number in range(3)]


class TestUpdatePosts:
    async def test_patches_each_in_its_own_way(self, api: Api, client: Api, ada: User) -> None:
        a, b, c = await drafts(api, ada, make_tag(name="Old"))
        patches = [
            {"title": "New title", "tags": {"add": [{"name": "New"}]}},
            {"markdown": "*x*", "slug": "mine", "tags": {"set": []}},
            {},
        ]
        posts = [{"id": post.global_id, "patch": patch} for post, patch in zip((a, b, c), patches, strict=True)]
        payload = await send(client, "updatePosts", posts)
        first, second, third = (result["post"] for result in payload["results"])
        assert (first["title"], first["slug"], first["version"]) == ("New title", a.slug, 2)
        assert first["tags"] == [{"name": "Old"}, {"name": "New"}]
        assert (second["slug"], second["content"]["html"], second["tags"]) == ("mine", "<p><em>x</em></p>\n", [])
        assert (third["title"], third["version"]) == (c.title, 1)
        assert payload["changedCount"] == 3
        found = await client.data('{ search(query: "new title", filter: {status: [DRAFT]}) { totalCount } }')
        assert found["search"]["totalCount"] == 1

    async def test_makes_slugs_of_titles(self, client: Api) -> None:
        given = {"posts": [{"title": "Untitled", "markdown": ""}] * 3}
        created = await client.payload("createPosts", given, "results { post { id slug } }")
        posts = [{"id": result["post"]["id"], "patch": {"title": "Same"}} for result in created["results"]]
        payload = await send(client, "updatePosts", posts)
        assert [result["post"]["slug"] for result in payload["results"]] == ["same", "same-2", "same-3"]

    async def test_gives_a_slug_to_the_first_who_chooses_it(self, api: Api, client: Api, ada: User) -> None:
        posts = await drafts(api, ada)
        taken = make_post(ada, slug="taken")
        await save(api.database, [taken])
        slugs = ["wanted", "Wanted", "taken"]
        given = [{"id": post.global_id, "patch": {"slug": slug}} for post, slug in zip(posts, slugs, strict=True)]
        payload = await send(client, "updatePosts", given, onError="REJECT_FAILED")
        assert codes(payload) == [("NOT_UNIQUE", "posts/1/patch/slug"), ("NOT_UNIQUE", "posts/2/patch/slug")]
        assert [result["post"] and result["post"]["slug"] for result in payload["results"]] == ["wanted", None, None]

    async def test_reports_all_that_is_wrong(self, api: Api, client: Api, ada: User) -> None:
        [post, other, third] = await drafts(api, ada)
        payload = await send(
            client,
            "updatePosts",
            [
                {"id": post.global_id, "patch": {"title": "", "tags": {"add": [{"id": "x"}]}}},
                {"id": "x", "patch": {"markdown": None}},
                {"id": other.global_id, "patch": {"markdown": "<div>" * 3_000}},
                {"id": third.global_id, "patch": {"title": "Fine"}},
                {"id": third.global_id, "patch": {"title": "Twice"}},
            ],
        )
        assert codes(payload) == [
            ("INVALID", "posts/0/patch/tags/add/0/id"), ("REQUIRED", "posts/0/patch/title"),
            ("INVALID", "posts/1/id"), ("REQUIRED", "posts/1/patch/markdown"),
            ("INVALID", "posts/2/patch/markdown"), ("INVALID", "posts/4/id"),
        ]  # fmt: skip
        assert {row.version for row in (await rows_of(api)).values()} == {1}


class TestTags:
    async def test_are_added_behind_the_others(self, api: Api, client: Api, ada: User) -> None:
        old = make_tag(name="Old")
        posts = [make_draft(ada, old), make_draft(ada)]
        await save(api.database, [old, *posts])
        payload = await send(client, "addTags", refs(posts), tags=[{"name": "New"}, {"id": old.global_id}])
        assert [[tag["name"] for tag in result["post"]["tags"]] for result in payload["results"]] == [
            ["Old", "New"], ["New", "Old"],
        ]  # fmt: skip
        payload = await send(client, "removeTags", refs(posts), tags=[{"slug": "new"}, {"slug": "missing"}])
        assert [[tag["name"] for tag in result["post"]["tags"]] for result in payload["results"]] == [["Old"]] * 2
        assert {row.version for row in (await rows_of(api)).values()} == {3}

    async def test_that_are_missing_are_reported_once(self, api: Api, client: Api, ada: User) -> None:
        posts = refs(await drafts(api, ada))
        for on_error in ("REJECT_ALL", "REJECT_FAILED"):
            payload = await send(client, "addTags", posts, tags=[{"slug": "no"}], onError=on_error)
            assert codes(payload) == [("NOT_FOUND", "tags/0/slug")]
        assert codes(await send(client, "addTags", posts, tags=[])) == [("REQUIRED", "tags")]
        many = [{"name": f"Tag {number}"} for number in range(21)]
        assert codes(await send(client, "addTags", posts, tags=many)) == [("TOO_MANY", "tags")]

    async def test_are_at_most_twenty_for_each(self, api: Api, client: Api, ada: User) -> None:
        tags = [make_tag() for _ in range(20)]
        posts = [make_draft(ada, *tags), make_draft(ada)]
        await save(api.database, [*tags, *posts])
        payload = await send(client, "addTags", refs(posts), tags=[{"name": "One more"}], onError="REJECT_FAILED")
        assert codes(payload) == [("TOO_MANY", "posts/0")]
        assert payload["changedCount"] == 1


class TestOnError:
    @pytest.mark.parametrize("mutation", ["publishPosts", "deletePosts", "addTags", "removeTags"])
    async def test_rejects_all_or_the_failed(self, api: Api, client: Api, ada: User, mutation: str) -> None:
        """One that is not there, one of somebody else, one that has changed, and one that is named twice."""
        other = make_user()
        mine, changed = await drafts(api, ada, count=2)
        foreign = make_post(other)
        await save(api.database, [other, foreign])
        posts: list[dict[str, Any]] = [
            {"id": UNKNOWN}, {"id": foreign.global_id}, {"id": changed.global_id, "expectedVersion": 7},
            {"id": mine.global_id, "expectedVersion": 1}, {"id": mine.global_id}, {"id": "junk"},
        ]  # fmt: skip
        given = {"tags": [{"name": "New"}]} if mutation.endswith("Tags") else {}
        expected = [
            ("NOT_FOUND", "posts/0/id"), ("FORBIDDEN", "posts/1"), ("VERSION_CONFLICT", "posts/2/expectedVersion"),
            ("INVALID", "posts/4/id"), ("INVALID", "posts/5/id"),
        ]  # fmt: skip
        payload = await send(client, mutation, posts, **given)
        assert (codes(payload), payload["results"]) == (expected, [])
        assert {row.version for row in (await rows_of(api)).values()} == {1}
        payload = await send(client, mutation, posts, onError="REJECT_FAILED", **given)
        assert codes(payload) == expected
        assert [bool(result["errors"]) for result in payload["results"]] == [True, True, True, False, True, True]
        versions = {id_: row.version for id_, row in (await rows_of(api)).items()}
        assert versions == {mine.global_id: 2, changed.global_id: 1, foreign.global_id: 1}

    @pytest.mark.parametrize(("size", "code"), [(0, "REQUIRED"), (101, "TOO_MANY")])
    async def test_takes_one_to_a_hundred(self, client: Api, size: int, code: str) -> None:
        for mutation in ("publishPosts", "deletePosts"):
            assert codes(await send(client, mutation, [{"id": UNKNOWN}] * size)) == [(code, "posts")]

    async def test_is_for_authors(self, api: Api) -> None:
        assert codes(await send(api, "publishPosts", [{"id": UNKNOWN}])) == [("UNAUTHENTICATED", "")]
        reader = make_user(role=UserRole.READER)
        await save(api.database, [reader])
        payload = await send(await sign_in_as(api, reader), "deletePosts", [{"id": UNKNOWN}])
        assert codes(payload) == [("FORBIDDEN", "")]


class TestIdempotencyKey:
    async def test_lets_a_change_happen_once(self, api: Api, client: Api, ada: User) -> None:
        posts = [*refs(await drafts(api, ada)), {"id": UNKNOWN}]
        given = {"onError": "REJECT_FAILED", "idempotencyKey": "k"}
        first = await send(client, "publishPosts", posts, **given)
        assert first == await send(client, "publishPosts", posts, **given)
        assert {row.version for row in (await rows_of(api)).values()} == {2}
        assert codes(await send(client, "publishPosts", posts[:1], **given)) == [
            ("IDEMPOTENCY_MISMATCH", "idempotencyKey")
        ]
        deletion = [await send(client, "deletePosts", posts, **{**given, "idempotencyKey": "d"}) for _ in range(2)]
        assert deletion[0] == deletion[1]


class TestChangeFeed:
    async def test_has_a_row_for_each_post(self, api: Api, client: Api, ada: User) -> None:
        posts = await drafts(api, ada)
        await send(client, "publishPosts", refs(posts))
        await send(client, "deletePosts", refs(posts))
        async with api.database.write() as session:
            changes = [*await session.scalars(sa.select(PostChange).order_by(PostChange.id))]
        assert [(change.kind.name, change.version) for change in changes] == [("PUBLISHED", 2)] * 3 + [
            ("DELETED", 3)
        ] * 3
        assert [change.post_id for change in changes] == [post.id for post in posts] * 2


class TestManyAtOnce:
    async def test_do_not_deadlock(self, api: Api, client: Api, ada: User) -> None:
        posts = refs(await drafts(api, ada, make_tag(), count=8))
        mutations = ["publishPosts", "addTags", "removeTags"] * 5
        payloads = await asyncio.gather(
            *(
                send(client, name, posts[:: 1 if number % 2 else -1], **_tags_of(name, number))
                for number, name in enumerate(mutations)
            )
        )
        assert [payload["errors"] for payload in payloads] == [[]] * len(mutations)
        assert {row.version for row in (await rows_of(api)).values()} == {1 + len(mutations)}


def _tags_of(mutation: str, number: int) -> dict[str, Any]:
    return {"tags": [{"name": f"Tag {number % 4}"}]} if mutation.endswith("Tags") else {}


class TestOracle:
    @pytest.mark.parametrize("seed", range(4))
    async def test_does_what_single_mutations_do(self, api: Api, client: Api, ada: User, seed: int) -> None:
        """Two sets of equal posts: one is changed post by post, the other at once."""
        chance = random.Random(seed)  # noqa: S311 - a test that can be repeated
        tags = [make_tag(name=f"T{number}") for number in range(4)]
        await save(api.database, tags)
        kinds = [chance.choice([make_draft, make_post]) for _ in range(12)]
        sets = [[make(ada, *tags[:2], title="Same") for make in kinds] for _ in range(2)]
        await save(api.database, [*sets[0], *sets[1]])
        patches = [_random_patch(chance) for _ in kinds]
        versions = [chance.choice([None, 1, 2]) for _ in kinds]
        single = [
            await client.payload(
                "updatePost",
                {"id": post.global_id, "expectedVersion": version, "patch": _with_slug(patch, f"s{seed}-{number}")},
                f"post {{ {POST} }}",
            )
            for number, (post, version, patch) in enumerate(zip(sets[0], versions, patches, strict=True))
        ]
        many = [
            {"id": post.global_id, "expectedVersion": version, "patch": _with_slug(patch, f"m{seed}-{number}")}
            for number, (post, version, patch) in enumerate(zip(sets[1], versions, patches, strict=True))
        ]
        payload = await send(client, "updatePosts", many, onError="REJECT_FAILED")
        results = payload["results"]
        assert [_reported(one) for one in single] == [_reported(one, depth=2) for one in results]
        assert [_without_slug(one["post"]) for one in single] == [_without_slug(one["post"]) for one in results]


def _random_patch(chance: random.Random) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    if chance.random() < 0.4:
        patch["title"] = chance.choice(["Another", "", "A third"])
    if chance.random() < 0.4:
        patch["markdown"] = chance.choice(["*new*", "plain"])
    if chance.random() < 0.4:
        patch["slug"] = chance.choice(["own", "no slug!", None])
    if chance.random() < 0.6:
        names = [{"name": name} for name in chance.sample(["T0", "T2", "New"], 2)]
        patch["tags"] = chance.choice(
            [
                {"set": names},
                {"add": names},
                {"remove": names},
                {"add": [{"slug": "missing"}]},
                {"set": [], "add": names},
            ]
        )
    return patch


def _with_slug(patch: dict[str, Any], own: str) -> dict[str, Any]:
    return {**patch, "slug": own} if patch.get("slug") == "own" else patch


def _reported(payload: Any, depth: int = 0) -> list[tuple[str, list[str]]]:
    return [(error["code"], error["path"][depth:]) for error in payload["errors"]]


def _without_slug(post: Any) -> Any:
    return post and {**post, "slug": None}


class TestStatements:
    @pytest.mark.parametrize(
        ("mutation", "given", "most"),
        [
            ("publishPosts", {}, {"sqlite": 8, "postgresql": 5}),
            ("deletePosts", {}, {"sqlite": 8, "postgresql": 4}),
            ("addTags", {"tags": [{"name": "New"}, {"name": "Newer"}]}, {"sqlite": 24, "postgresql": 20}),
            ("removeTags", {"tags": [{"name": "Old"}]}, {"sqlite": 16, "postgresql": 13}),
        ],
    )
    async def test_are_as_many_for_two_posts_as_for_a_hundred(
        self, api: Api, client: Api, ada: User, dialect: str, mutation: str, given: Any, most: dict[str, int]
    ) -> None:
        counts = []
        for number, size in enumerate((2, 100)):
            posts = refs(await drafts(api, ada, make_tag(name=f"Old {number}"), count=size))
            named = {"tags": [{"name": f"{tag['name']} {number}"} for tag in given["tags"]]} if given else {}
            with client.statements() as statements:
                payload = await client.payload(mutation, {"posts": posts, **named}, "__typename")
            assert payload["errors"] == []
            counts.append(len(statements))
        assert counts[0] == counts[1] <= most[dialect]

    async def test_of_patches_are_as_many_for_two_posts_as_for_a_hundred(
        self, api: Api, client: Api, ada: User, dialect: str
    ) -> None:
        """Titles, of which slugs are made, chosen slugs, and tags."""
        counts = []
        for number, size in enumerate((4, 100)):
            given = {"posts": [{"title": f"{number} {index}", "markdown": ""} for index in range(size)]}
            created = await client.payload("createPosts", given, "results { post { id } }")
            posts = [
                {
                    "id": result["post"]["id"],
                    "patch": {
                        **({"title": f"New {number} {index}"} if index % 2 else {"slug": f"own-{number}-{index}"}),
                        "tags": {"add": [{"name": f"Tag {number} {index}"}]},
                    },
                }
                for index, result in enumerate(created["results"])
            ]
            with client.statements() as statements:
                payload = await client.payload("updatePosts", {"posts": posts}, "changedCount")
            assert payload["changedCount"] == size
            counts.append(len(statements))
        assert counts[0] == counts[1] <= {"sqlite": 36, "postgresql": 24}[dialect]
