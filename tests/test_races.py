"""Many writers at once: nothing is lost, nothing happens twice, and nobody gets an error without a name."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa

from gqlapi.models import Post, PostTag, Tag, User, UserRole
from tests.api import Api
from tests.factories import make_draft, make_post, make_tag, make_user, save
from tests.publishing.test_posts import assert_consistent
from tests.signing_in import sign_in_as

T = TypeVar("T")
POST = "post { id slug title version tags { name } }"


@pytest.fixture
async def editor(api: Api) -> User:
    editor = make_user(role=UserRole.EDITOR)
    await save(api.database, [editor])
    return editor


@pytest.fixture
async def client(api: Api, editor: User) -> Api:
    return await sign_in_as(api, editor)


async def together(calls: Sequence[Awaitable[T]]) -> list[T]:
    return await asyncio.gather(*calls)


async def update(client: Api, post: Post, patch: dict[str, Any], **given: Any) -> Any:
    return await client.payload("updatePost", {"id": post.global_id, "patch": patch, **given}, POST)


async def create(client: Api, **given: Any) -> Any:
    return await client.payload("createPost", {"title": "Same", "markdown": "", **given}, POST)


def codes(payload: Any) -> list[str]:
    return [error["code"] for error in payload["errors"]]


class TestVersions:
    async def test_of_two_editors_let_one_win(self, api: Api, client: Api, editor: User) -> None:
        post = make_draft(editor)
        await save(api.database, [post])
        for version in range(1, 31):
            payloads = await together(
                [update(client, post, {"title": f"{version} {name}"}, expectedVersion=version) for name in "ab"]
            )
            assert sorted(map(codes, payloads)) == [[], ["VERSION_CONFLICT"]]
            (winner,) = (payload["post"] for payload in payloads if payload["post"])
            (conflict,) = (error for payload in payloads for error in payload["errors"])
            assert (winner["version"], conflict["currentVersion"]) == (version + 1, version + 1)
            data = await client.data(
                "query($id: ID!) { post(by: { id: $id }) { title version } }", {"id": post.global_id}
            )
            assert data["post"] == {"title": winner["title"], "version": version + 1}
        await assert_consistent(api)

    async def test_count_every_write_and_lose_none(self, api: Api, client: Api, editor: User) -> None:
        post = make_draft(editor)
        await save(api.database, [post])
        patches = [{"tags": {"add": [{"name": f"tag {number}"}]}} for number in range(20)]
        payloads = await together([update(client, post, patch) for patch in patches])
        assert [codes(payload) for payload in payloads] == [[]] * 20
        last = (await update(client, post, {}))["post"]
        assert last["version"] == 22
        assert {tag["name"] for tag in last["tags"]} == {f"tag {number}" for number in range(20)}


class TestIdempotencyKeys:
    async def test_of_twenty_sends_write_one_row(self, api: Api, client: Api) -> None:
        payloads = await together([create(client, idempotencyKey="k", tags=[{"name": "a"}]) for _ in range(20)])
        assert payloads == [payloads[0]] * 20
        assert payloads[0]["post"]["slug"] == "same"
        assert (await client.data("{ posts { totalCount } }"))["posts"]["totalCount"] == 1


class TestUniqueNames:
    async def test_of_equal_titles_are_distinct(self, client: Api) -> None:
        payloads = await together([create(client) for _ in range(30)])
        assert [codes(payload) for payload in payloads] == [[]] * 30
        assert len({payload["post"]["slug"] for payload in payloads}) == 30

    async def test_of_new_tags_make_each_tag_once(self, api: Api, client: Api) -> None:
        names = [f"new {number}" for number in range(8)]
        orders = [names[number % 8 :] + names[: number % 8] for number in range(16)]
        payloads = await together([create(client, tags=[{"name": name} for name in order]) for order in orders])
        assert [codes(payload) for payload in payloads] == [[]] * 16
        for payload, order in zip(payloads, orders, strict=True):
            assert [tag["name"] for tag in payload["post"]["tags"]] == order
        assert (await api.data("{ tags { totalCount } }"))["tags"]["totalCount"] == 8

    async def test_of_one_tag_are_upserted_once(self, client: Api) -> None:
        calls = [client.payload("upsertTag", {"slug": "s", "name": "S"}, "created tag { version }") for _ in range(16)]
        payloads = await together(calls)
        assert [codes(payload) for payload in payloads] == [[]] * 16
        assert {payload["tag"]["version"] for payload in payloads} <= {*range(1, 17)}
        assert sum(payload["created"] for payload in payloads) == 1


class TestMergingTags:
    async def test_leaves_links_that_agree_with_their_posts(self, api: Api, client: Api, editor: User) -> None:
        for _ in range(6):
            tags = [make_tag() for _ in range(4)]
            posts = [make_draft(editor, *tags[:3]) for _ in range(6)]
            await save(api.database, [*tags, *posts])
            merge = {"from": [tag.global_id for tag in tags[:3]], "into": tags[3].global_id}
            calls = [
                *(client.payload("publishPost", {"id": post.global_id}) for post in posts[:3]),
                client.payload("mergeTags", merge),
                *(client.payload("publishPost", {"id": post.global_id}) for post in posts[3:]),
                *(update(client, post, {"tags": {"add": [{"name": tags[0].name}]}}) for post in posts[:2]),
                *(create(client, publish=True, tags=[{"id": tags[1].global_id}]) for _ in range(3)),
                client.payload("deleteTag", {"id": tags[2].global_id}),
            ]
            payloads = await together(calls)
            assert {code for payload in payloads for code in codes(payload)} <= {"NOT_FOUND"}
        await assert_consistent(api)
        async with api.database.write() as session:
            orphans = sa.select(PostTag.post_id).where(PostTag.tag_id.not_in(sa.select(Tag.id)))
            assert (await session.scalars(orphans)).all() == []


class TestDeletedTags:
    async def test_are_named_by_no_new_post(self, api: Api, client: Api, editor: User) -> None:
        for _ in range(10):
            tag = make_tag()
            await save(api.database, [tag, make_post(editor, tag)])
            payloads = await together(
                [
                    *(create(client, tags=[{"id": tag.global_id}]) for _ in range(4)),
                    client.payload("deleteTag", {"id": tag.global_id}),
                    *(create(client, tags=[{"id": tag.global_id}]) for _ in range(4)),
                ]
            )
            assert {code for payload in payloads for code in codes(payload)} <= {"NOT_FOUND"}
        await assert_consistent(api)
