"""The life cycle of tags."""

from typing import Any

import pytest
import sqlalchemy as sa

from gqlapi.models import Post, PostTag, User, UserRole
from tests.api import Api
from tests.factories import make_draft, make_post, make_tag, make_user, save
from tests.publishing.test_posts import assert_consistent, codes
from tests.signing_in import sign_in_as

TAG = "tag { id slug name description version posts { totalCount } }"


@pytest.fixture
async def editor(api: Api) -> User:
    editor = make_user(role=UserRole.EDITOR)
    await save(api.database, [editor])
    return editor


@pytest.fixture
async def client(api: Api, editor: User) -> Api:
    return await sign_in_as(api, editor)


async def upsert(client: Api, slug: str = "python", name: str = "Python", **given: Any) -> Any:
    return await client.payload("upsertTag", {"slug": slug, "name": name, **given}, f"created {TAG}")


class TestUpsertTag:
    async def test_creates_and_then_changes(self, api: Api, client: Api) -> None:
        first = await upsert(client, description="A language.")
        second = await upsert(client, slug="PYTHON", name="Python 3")
        assert (first["created"], second["created"]) == (True, False)
        assert second["tag"] == {**first["tag"], "name": "Python 3", "version": 2}
        found = await api.data('{ search(query: "3") { nodes { ... on Tag { name } } } }')
        assert found["search"]["nodes"] == [{"name": "Python 3"}]

    async def test_takes_a_description_away_only_when_told(self, client: Api) -> None:
        await upsert(client, description="A language.")
        assert (await upsert(client))["tag"]["description"] == "A language."
        assert (await upsert(client, description=None))["tag"]["description"] is None

    async def test_tells_which_tag_has_the_name(self, client: Api) -> None:
        first, other = (await upsert(client))["tag"], (await upsert(client, "ruby", "Ruby"))["tag"]
        for slug in ("perl", "ruby"):
            [error] = (await upsert(client, slug, "PYTHON"))["errors"]
            assert (error["code"], error["path"], error["existing"]) == ("NOT_UNIQUE", ["name"], {"id": first["id"]})
        assert (await upsert(client, "ruby", "Ruby"))["tag"].items() >= {"id": other["id"], "version": 2}.items()

    async def test_tells_all_that_is_wrong_at_once(self, client: Api) -> None:
        payload = await upsert(client, "a b", " ", description="x" * 2001)
        assert codes(payload) == [("INVALID", "slug"), ("REQUIRED", "name"), ("TOO_LONG", "description")]


class TestDeleteTag:
    async def test_takes_it_off_all_posts(self, api: Api, client: Api, editor: User) -> None:
        tag, other = make_tag(), make_tag()
        post = make_post(editor, tag, other)
        await save(api.database, [tag, other, post])
        payload = await client.payload("deleteTag", {"id": tag.global_id, "expectedVersion": 1}, "deletedId")
        assert payload == {"deletedId": tag.global_id, "errors": []}
        data = await api.data("{ posts { nodes { version tags { id } } } tags { totalCount } }")
        assert data == {
            "posts": {"nodes": [{"version": 1, "tags": [{"id": other.global_id}]}]},
            "tags": {"totalCount": 1},
        }
        assert codes(await client.payload("deleteTag", {"id": tag.global_id}, "deletedId")) == [("NOT_FOUND", "id")]

    async def test_of_another_version_is_a_conflict(self, api: Api, client: Api) -> None:
        tag = (await upsert(client))["tag"]
        await upsert(client)
        payload = await client.payload("deleteTag", {"id": tag["id"], "expectedVersion": 1}, "deletedId")
        assert codes(payload) == [("VERSION_CONFLICT", "expectedVersion")]


class TestMergeTags:
    async def test_moves_posts_without_duplicates(self, api: Api, client: Api, editor: User) -> None:
        a, b, into, other = tags = [make_tag(name=name) for name in ("a", "b", "into", "other")]
        posts = [
            make_post(editor, a, other), make_post(editor, a, b), make_draft(editor, other, b),
            make_post(editor, into, a), make_post(editor, other),
        ]  # fmt: skip
        await save(api.database, [*tags, *posts])
        given = {"from": [a.global_id, b.global_id, a.global_id], "into": into.global_id}
        payload = await client.payload("mergeTags", given, TAG)
        assert payload["errors"] == []
        assert payload["tag"].items() >= {"name": "into", "version": 2, "posts": {"totalCount": 3}}.items()
        arguments = "filter: {status: [DRAFT, PUBLISHED]}, orderBy: {field: CREATED_AT}"
        data = await client.data(f"{{ posts({arguments}) {{ nodes {{ version tags {{ name }} }} }} }}")
        found = [[tag["name"] for tag in node["tags"]] for node in data["posts"]["nodes"]]
        assert found == [["into", "other"], ["into"], ["other", "into"], ["into"], ["other"]]
        assert {node["version"] for node in data["posts"]["nodes"]} == {1}
        await assert_consistent(api)

    async def test_moves_hundreds_of_posts(self, api: Api, client: Api, editor: User) -> None:
        sources, into = [make_tag() for _ in range(3)], make_tag()
        posts = [make_post(editor, sources[number % 3], sources[(number + 1) % 3]) for number in range(300)]
        await save(api.database, [*sources, into, *posts])
        given = {"from": [tag.global_id for tag in sources], "into": into.global_id}
        assert (await client.payload("mergeTags", given, TAG))["tag"]["posts"] == {"totalCount": 300}
        async with api.database.write() as session:
            links = (await session.execute(sa.select(sa.func.count()).select_from(PostTag))).scalar_one()
            count = (await session.execute(sa.select(sa.func.count()).select_from(Post))).scalar_one()
        assert links == count == 300

    async def test_refuses_what_cannot_be_merged(self, api: Api, client: Api) -> None:
        a, b, missing = make_tag(), make_tag(), make_tag()
        await save(api.database, [a, b])
        cases: list[tuple[list[str], str, list[tuple[str, str]]]] = [
            ([], a.global_id, [("REQUIRED", "from")]),
            ([a.global_id, b.global_id], a.global_id, [("INVALID", "from/0")]),
            ([a.global_id, missing.global_id], b.global_id, [("NOT_FOUND", "from/1")]),
            ([a.global_id, a.global_id, missing.global_id], b.global_id, [("NOT_FOUND", "from/2")]),
            ([a.global_id], missing.global_id, [("NOT_FOUND", "into")]),
            (["x"], "y", [("INVALID", "from/0"), ("INVALID", "into")]),
            ([make_tag().global_id for _ in range(101)], a.global_id, [("TOO_MANY", "from")]),
        ]
        for sources, into, errors in cases:
            assert codes(await client.payload("mergeTags", {"from": sources, "into": into}, TAG)) == errors
        assert (await api.data("{ tags { totalCount } }"))["tags"]["totalCount"] == 2
