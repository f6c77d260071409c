"""Mutations that are sent again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from graphql import GraphQLInputObjectType, get_named_type

from gqlapi.models import ApiScope, IdempotencyKey, Post, Tag, User, UserRole
from gqlapi.schema import Limits, Schema
from tests.api import Api
from tests.factories import make_draft, make_post, make_tag, make_user, save
from tests.publishing.test_posts import codes
from tests.signing_in import sign_in_as, with_api_token

HOURS = 3_600


class World:
    """Rows for one mutation of each kind."""

    def __init__(self) -> None:
        self.admin = make_user(username="root", role=UserRole.ADMIN)
        self.user = make_user(username="ada")
        self.tag, self.other_tag = make_tag(), make_tag()
        self.draft, self.post = make_draft(self.user), make_post(self.user)

    @property
    def rows(self) -> list[User | Tag | Post]:
        return [self.admin, self.user, self.tag, self.other_tag, self.draft, self.post]


CHANGED = "results { post { id title version tags { name } } }"
# For each mutation with a key: an input, and what is asked of the answer.
CASES: dict[str, tuple[Callable[[World], dict[str, Any]], str]] = {
    "createPost": (lambda _: {"title": "New", "markdown": ""}, "post { id slug version }"),
    "createPosts": (
        lambda _: {"posts": [{"title": title, "markdown": ""} for title in ("New", "")], "onError": "REJECT_FAILED"},
        "createdCount results { post { id slug } errors { __typename code path message } }",
    ),
    "updatePost": (lambda world: {"id": world.post.global_id, "patch": {"title": "New"}}, "post { title version }"),
    "updatePosts": (
        lambda world: {"posts": [{"id": world.post.global_id, "patch": {"title": "New"}}]},
        f"changedCount {CHANGED}",
    ),
    "publishPosts": (lambda world: {"posts": [{"id": world.draft.global_id}]}, f"changedCount {CHANGED}"),
    "addTags": (
        lambda world: {"posts": [{"id": world.draft.global_id}], "tags": [{"name": "New"}]}, f"changedCount {CHANGED}"
    ),
    "removeTags": (
        lambda world: {"posts": [{"id": world.post.global_id}], "tags": [{"id": world.tag.global_id}]}, CHANGED
    ),
    "deletePosts": (lambda world: {"posts": [{"id": world.post.global_id}]}, "deletedCount results { deletedId }"),
    "publishPost": (lambda world: {"id": world.draft.global_id}, "post { status version publishedAt }"),
    "unpublishPost": (lambda world: {"id": world.post.global_id}, "post { status version }"),
    "archivePost": (lambda world: {"id": world.post.global_id}, "post { status version }"),
    "deletePost": (lambda world: {"id": world.post.global_id}, "deletedId"),
    "restorePost": (lambda world: {"id": world.post.global_id}, "post { id version }"),
    "upsertTag": (lambda _: {"slug": "new", "name": "New"}, "created tag { id version }"),
    "deleteTag": (lambda world: {"id": world.tag.global_id}, "deletedId"),
    "mergeTags": (
        lambda world: {"from": [world.tag.global_id], "into": world.other_tag.global_id}, "tag { id version }"
    ),
    "updateUser": (lambda world: {"id": world.user.global_id, "patch": {"bio": "New"}}, "user { bio version }"),
    "setUserRole": (lambda world: {"id": world.user.global_id, "role": "EDITOR"}, "user { role version }"),
    "deleteUser": (lambda world: {"id": world.user.global_id}, "deletedId"),
}  # fmt: skip


@pytest.fixture
async def world(api: Api) -> World:
    world = World()
    await save(api.database, world.rows)
    return world


@pytest.fixture
async def client(api: Api, world: World) -> Api:
    return await sign_in_as(api, world.admin)


async def create(client: Api, key: str | None = "k", **given: Any) -> Any:
    return await client.payload(
        "createPost", {"title": "New", "markdown": "", "idempotencyKey": key, **given}, "post { id title }"
    )


async def count(api: Api) -> int:
    async with api.database.write() as session:
        return (await session.execute(sa.select(sa.func.count()).select_from(Post))).scalar_one()


async def make_older(api: Api, seconds: int) -> None:
    async with api.database.write() as session:
        for key in await session.scalars(sa.select(IdempotencyKey)):
            key.created_at -= timedelta(seconds=seconds)


def test_every_mutation_with_a_key_has_a_case() -> None:
    mutations = Schema(Limits())._schema.mutation_type
    assert mutations is not None
    inputs = {name: get_named_type(field.args["input"].type) for name, field in mutations.fields.items()}
    keyed = {n for n, t in inputs.items() if isinstance(t, GraphQLInputObjectType) and "idempotencyKey" in t.fields}
    assert set(CASES) == keyed


@pytest.mark.parametrize("mutation", CASES)
async def test_a_repeated_mutation_happens_once(api: Api, client: Api, world: World, mutation: str) -> None:
    make_input, selection = CASES[mutation]
    given = {**make_input(world), "idempotencyKey": "k"}
    if mutation == "restorePost":
        await client.payload("deletePost", {"id": given["id"]})
    first = await client.payload(mutation, given, selection)
    again = await client.payload(mutation, given, selection)
    assert first == again
    assert [error["code"] for error in first["errors"]] == (["REQUIRED"] if mutation == "createPosts" else [])
    async with api.database.write() as session:
        assert (await session.execute(sa.select(sa.func.count()).select_from(IdempotencyKey))).scalar_one() == 1
    reader = await with_api_token(api, world.admin, ApiScope.READ)
    [error] = (await reader.payload(mutation, given))["errors"]
    assert error["code"] == "FORBIDDEN"


# For each mutation whose payload shows rows: what deletes them, and where they are in the payload.
DELETIONS = {
    "createPost": ("deletePost", "post"),
    "updatePost": ("deletePost", "post"),
    "publishPost": ("deletePost", "post"),
    "unpublishPost": ("deletePost", "post"),
    "archivePost": ("deletePost", "post"),
    "restorePost": ("deletePost", "post"),
    "upsertTag": ("deleteTag", "tag"),
    "mergeTags": ("deleteTag", "tag"),
    "updateUser": ("deleteUser", "user"),
    "setUserRole": ("deleteUser", "user"),
}


class TestReplay:
    @pytest.mark.parametrize("mutation", DELETIONS)
    async def test_says_that_its_row_is_gone(self, client: Api, world: World, mutation: str) -> None:
        deletion, name = DELETIONS[mutation]
        given = {**CASES[mutation][0](world), "idempotencyKey": "k"}
        if mutation == "restorePost":
            await client.payload("deletePost", {"id": given["id"]})
        first = (await client.payload(mutation, given, f"{name} {{ id }}"))[name]
        await client.payload(deletion, {"id": first["id"]})
        again = await client.payload(mutation, given, f"{name} {{ id }}")
        [error] = again["errors"]
        assert (again[name], error["__typename"], error["code"]) == (None, "NotFoundError", "NOT_FOUND")
        assert (error["id"], error["path"]) == (first["id"], ["idempotencyKey"])

    async def test_says_which_of_its_rows_are_gone(self, client: Api) -> None:
        given = {"posts": [{"title": title, "markdown": ""} for title in ("One", "Two")], "idempotencyKey": "k"}
        selection = "results { post { id } errors { code path } }"
        one, two = (await client.payload("createPosts", given, selection))["results"]
        await client.payload("deletePost", {"id": two["post"]["id"]})
        again = await client.payload("createPosts", given, selection)
        gone = {"post": None, "errors": [{"code": "NOT_FOUND", "path": ["posts", "1"]}]}
        assert again["results"] == [one, gone]
        assert codes(again) == [("NOT_FOUND", "posts/1")]

    async def test_of_a_deletion_is_that_of_the_first_time(self, client: Api, world: World) -> None:
        for mutation in ("deletePost", "deleteTag", "deleteUser"):
            given = {**CASES[mutation][0](world), "idempotencyKey": mutation}
            answers = [await client.payload(mutation, given, "deletedId") for _ in range(2)]
            assert answers == [{"deletedId": given["id"], "errors": []}] * 2


# Two inputs that mean the same, by mutation.
TAG = {"name": "First steps"}
SYNONYMS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("createPost", {"title": "New"}, {"title": " New "}),
    ("createPost", {"title": "N\u00e9w"}, {"title": "Ne\u0301w"}),
    ("createPost", {}, {"tags": []}),
    ("createPost", {}, {"tags": None, "slug": None, "publish": False}),
    ("createPost", {"slug": "new-one"}, {"slug": "New-One"}),
    ("createPost", {"tags": [TAG]}, {"tags": [{"name": "First steps "}, TAG]}),
    (
        "createPosts",
        {"posts": [{"title": "Old", "markdown": ""}], "onError": "REJECT_ALL"},
        {"posts": [{"title": "Old", "markdown": "", "tags": []}], "onError": "REJECT_ALL"},
    ),
    ("createPost", {"author": {"username": "root"}}, {"author": {"username": "ROOT"}}),
    ("updatePost", {"patch": {"title": "New"}}, {"patch": {"title": "New ", "tags": {}}, "expectedVersion": None}),
    ("updatePost", {"patch": {}}, {"patch": {"tags": {"add": [], "remove": []}}}),
    ("publishPost", {"at": "2020-01-01T00:00:00Z"}, {"at": "2020-01-01T01:00:00.0001+01:00"}),
    ("upsertTag", {}, {"slug": "NEW", "name": " New "}),
    ("updateUser", {"patch": {"displayName": "Ada"}}, {"patch": {"displayName": " Ada"}}),
]
ANTONYMS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("createPost", {"markdown": "a"}, {"markdown": "a "}),
    ("createPost", {"publish": False}, {"publish": True}),
    ("createPost", {"tags": [TAG, {"name": "b"}]}, {"tags": [{"name": "b"}, TAG]}),
    ("updatePost", {"patch": {"tags": {}}}, {"patch": {"tags": {"set": []}}}),
    ("updatePost", {"patch": {}}, {"patch": {"slug": None}}),
    ("upsertTag", {}, {"description": None}),
    ("updateUser", {"patch": {}}, {"patch": {"bio": None}}),
]


class TestFingerprint:
    async def test_is_equal_for_equal_meaning(self, client: Api, world: World) -> None:
        for number, (mutation, one, other) in enumerate(SYNONYMS):
            make_input, selection = CASES[mutation]
            given = {**make_input(world), "idempotencyKey": f"k{number}"}
            first = await client.payload(mutation, {**given, **one}, selection)
            again = await client.payload(mutation, {**given, **other}, selection)
            assert (first["errors"], again) == ([], first), (one, other)

    async def test_differs_for_another_meaning(self, client: Api, world: World) -> None:
        for number, (mutation, one, other) in enumerate(ANTONYMS):
            given = {**CASES[mutation][0](world), "idempotencyKey": f"k{number}"}
            assert (await client.payload(mutation, {**given, **one}))["errors"] == []
            again = await client.payload(mutation, {**given, **other})
            assert codes(again) == [("IDEMPOTENCY_MISMATCH", "idempotencyKey")], (one, other)

    async def test_of_a_merge_knows_no_order(self, api: Api, client: Api, world: World) -> None:
        tag = make_tag()
        await save(api.database, [tag])
        sources = [world.tag.global_id, tag.global_id]
        given = {"into": world.other_tag.global_id, "idempotencyKey": "k"}
        for order in (sources, sources[::-1], [*sources, sources[0]]):
            assert (await client.payload("mergeTags", {**given, "from": order}))["errors"] == []


class TestKey:
    async def test_with_another_input_is_a_mismatch(self, api: Api, client: Api) -> None:
        await create(client)
        [error] = (await create(client, title="Other"))["errors"]
        assert (error["__typename"], error["code"]) == ("ConflictError", "IDEMPOTENCY_MISMATCH")
        payload = await client.payload("upsertTag", {"slug": "x", "name": "x", "idempotencyKey": "k"})
        assert codes(payload) == [("IDEMPOTENCY_MISMATCH", "idempotencyKey")]
        assert await count(api) == 3

    async def test_belongs_to_its_user(self, api: Api, client: Api, world: World) -> None:
        await create(client)
        await create(await sign_in_as(api, world.user))
        assert await count(api) == 4

    async def test_of_a_rejected_input_can_be_used_again(self, client: Api) -> None:
        assert codes(await create(client, title="")) == [("REQUIRED", "title")]
        assert codes(await create(client, tags=[{"slug": "missing"}])) == [("NOT_FOUND", "tags/0/slug")]
        assert (await create(client))["errors"] == []

    async def test_shows_the_row_as_it_is_now(self, client: Api) -> None:
        post = (await create(client))["post"]
        await client.payload("updatePost", {"id": post["id"], "patch": {"title": "Later"}})
        assert (await create(client))["post"] == {**post, "title": "Later"}
        await client.payload("deletePost", {"id": post["id"]})
        await client.payload("restorePost", {"id": post["id"]})
        assert (await create(client))["post"] == {**post, "title": "Later"}

    @pytest.mark.parametrize(("age", "posts"), [(23 * HOURS, 3), (25 * HOURS, 4)])
    async def test_is_kept_for_a_day(self, api: Api, client: Api, age: int, posts: int) -> None:
        await create(client)
        await make_older(api, age)
        await create(client)
        assert await count(api) == posts

    async def test_takes_old_ones_away(self, api: Api, client: Api) -> None:
        for number in range(12):
            await create(client, f"old {number}")
        await make_older(api, 25 * HOURS)
        await create(client, "new")
        async with api.database.write() as session:
            assert (await session.execute(sa.select(sa.func.count()).select_from(IdempotencyKey))).scalar_one() == 3

    @pytest.mark.parametrize(("key", "code"), [("", "INVALID"), ("x" * 256, "TOO_LONG")])
    async def test_has_a_length(self, api: Api, client: Api, key: str, code: str) -> None:
        assert codes(await create(client, key)) == [(code, "idempotencyKey")]
        assert (await create(client, "x" * 255))["errors"] == []

    async def test_is_not_needed(self, api: Api, client: Api) -> None:
        for _ in range(2):
            await create(client, None)
        assert await count(api) == 4
