"""Answers that caches may keep: validators, maximum ages, tags, and what must never be kept."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from gqlapi.database.types import utc_now
from gqlapi.documents.ids import sha256_id
from gqlapi.models import PostState, UserRole
from gqlapi.models.global_id import encode_global_id
from gqlapi.operations.coordinates import coordinates_of_schema
from gqlapi.schema import Limits, Schema
from gqlapi.schema.caching import CACHE_RULES, LIST_SECONDS, OBJECT_SECONDS
from tests.api import Api, serve, settings_for
from tests.factories import make_post, make_scheduled_post, make_tag, make_user, save
from tests.signing_in import sign_in_as

POST = "query($id: ID!) { post(by: { id: $id }) { title author { displayName } tags { name } } }"
LIST = "{ posts { nodes { title } } }"
EVERYWHERE = """
query($id: ID!) {
  users { edges { node { id posts(first: 3) { edges { node { id ...Whole } } } } } }
  more: posts(last: 2) { nodes { ...Whole } }
  tags { nodes { id posts(first: 2) { nodes { id author { id } } } } }
  search(query: "post") { nodes { ... on Post { ...Whole } ... on User { id } ... on Tag { id } } }
  node(id: $id) { id ...Whole }
  post(by: { id: $id }) { ...Whole content { headings { text } } }
  postAggregates { count }
}
fragment Whole on Post { id author { id } tags { id } }
"""
SETTINGS = {"report_costs": False, "cache_max_age_seconds": 86_400}


@pytest_asyncio.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with serve(settings_for(database_url, **SETTINGS)) as api:
        yield api


async def get(api: Api, text: str, headers: Any = None, **variables: Any) -> httpx.Response:
    """Ask by GET for a document, which is registered before."""
    await register(api, text)
    url = f"/graphql/documents/{sha256_id(text)}"
    params = {"variables": httpx.Response(200, json=variables).text}
    return await api.http.get(url, params=params, headers={**api.headers, **(headers or {})})


async def register(api: Api, text: str) -> None:
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": sha256_id(text).removeprefix("sha256:")}}
    await api.http.post("/graphql", json={"query": text, "extensions": extensions, "variables": {"id": ""}})


async def signed_in(api: Api, role: UserRole) -> Api:
    user = make_user(role=role)
    await save(api.database, [user])
    return await sign_in_as(api, user)


def ids_in(value: object) -> Iterator[str]:
    """Yield all ids in an answer."""
    if isinstance(value, dict):
        yield from (child for name, child in value.items() if name == "id")
        value = [*value.values()]
    for child in value if isinstance(value, list) else ():
        yield from ids_in(child)


def shared_age(response: httpx.Response) -> int:
    """Return for how many seconds a shared cache keeps a response."""
    public, own, shared = response.headers["cache-control"].split(", ")
    assert (public, own) == ("public", "max-age=0")
    return int(shared.removeprefix("s-maxage="))


def tags(response: httpx.Response) -> set[str]:
    keys = response.headers["surrogate-key"].split(" ")
    assert response.headers["cache-tag"].split(",") == keys
    assert len(keys) == len(set(keys))
    return set(keys)


class TestDeclarations:
    def test_name_what_the_schema_has(self) -> None:
        schema = Schema(Limits())._schema
        known = {*schema.type_map, *coordinates_of_schema(schema)}
        assert CACHE_RULES.keys() - known == set()


class TestValidator:
    async def test_spares_a_client_the_body_that_it_has(self, api: Api) -> None:
        author = make_user()
        post = make_post(author)
        await save(api.database, [author, post])
        first = await get(api, POST, id=post.global_id)
        etag = first.headers["etag"]
        for known in (etag, f"W/{etag}", f'"x", {etag}', "*"):
            again = await get(api, POST, {"If-None-Match": known}, id=post.global_id)
            assert (again.status_code, again.content) == (304, b"")
            assert "content-length" not in again.headers
            for name in ("etag", "cache-control", "vary"):
                assert again.headers[name] == first.headers[name]
        other = await get(api, POST, {"If-None-Match": '"x"'}, id=post.global_id)
        assert (other.status_code, other.content) == (200, first.content)

    async def test_changes_with_what_the_answer_shows(self, api: Api) -> None:
        author, tag = make_user(), make_tag()
        post = make_post(author, tag)
        await save(api.database, [author, tag, post])
        admin = await signed_in(api, UserRole.ADMIN)
        before = await get(api, POST, id=post.global_id)
        changes: tuple[tuple[str, dict[str, Any]], ...] = (
            ("updatePost", {"id": post.global_id, "patch": {"title": "Another title"}}),
            ("updateUser", {"id": author.global_id, "patch": {"displayName": "Another name"}}),
            ("upsertTag", {"slug": tag.slug, "name": "Another tag"}),
        )
        for mutation, given in changes:
            payload = await admin.payload(mutation, given)
            assert payload["errors"] == []
            after = await get(api, POST, {"If-None-Match": before.headers["etag"]}, id=post.global_id)
            assert after.status_code == 200
            assert after.headers["etag"] != before.headers["etag"]
            before = after

    async def test_is_that_of_head_as_well(self, api: Api) -> None:
        answer = await get(api, LIST)
        head = await api.http.head(f"/graphql/documents/{sha256_id(LIST)}")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["etag"] == answer.headers["etag"]


class TestAge:
    @pytest.mark.parametrize(
        ("text", "age"),
        [
            ('{ serverInfo { version } tag(by: { slug: "x" }) { name } }', 300),
            ("query($id: ID!) { post(by: { id: $id }) { title } }", OBJECT_SECONDS),
            ("query($id: ID!) { post(by: { id: $id }) { title } tags { totalCount } }", LIST_SECONDS),
            ("query($id: ID!) { node(id: $id) { ... on User { postCount } } }", LIST_SECONDS),
            ('{ search(query: "x") { nodes { __typename } } }', LIST_SECONDS),
        ],
    )
    async def test_is_the_smallest_of_what_is_selected(self, api: Api, text: str, age: int) -> None:
        author = make_user()
        post = make_post(author)
        await save(api.database, [author, post])
        variables: dict[str, Any] = {"id": post.global_id} if "$id" in text else {}
        assert shared_age(await get(api, text, **variables)) == age

    @pytest.mark.parametrize(
        "selection",
        [
            "viewer { id }",
            "tags { nodes { viewerCanUpdate } }",
            "users { nodes { email } }",
            "tags { nodes { ... on Ownable { viewerCanDelete } } }",
            "nodes(ids: []) { ... on User { sessions { id } } }",
        ],
    )
    async def test_is_none_for_what_is_about_the_viewer(self, api: Api, selection: str) -> None:
        response = await get(api, f"{{ {selection} }}")
        assert response.headers["cache-control"] == "private, no-cache"
        assert "surrogate-key" not in response.headers

    @pytest.mark.parametrize("selection", ["__typename", "__schema { queryType { name } }"])
    async def test_is_none_for_what_is_not_declared(self, api: Api, selection: str) -> None:
        response = await get(api, f"{{ tags {{ totalCount }} {selection} }}")
        is_declared = selection == "__typename"  # which takes the age of what is beside it
        assert response.headers["cache-control"].startswith("public" if is_declared else "no-cache")
        assert (await get(api, f"{{ {selection} }}")).headers["cache-control"] == "no-cache"

    async def test_ends_before_the_next_publication(self, api: Api) -> None:
        author = make_user()
        scheduled = make_scheduled_post(author, published_at=utc_now() + timedelta(seconds=100))
        late = make_scheduled_post(author, published_at=utc_now() + timedelta(seconds=1_000))
        await save(api.database, [author, late, scheduled])
        assert 90 <= shared_age(await get(api, LIST)) < 100
        assert scheduled.published_at is not None
        response = await get(api, LIST)
        assert utc_now() + timedelta(seconds=shared_age(response)) <= scheduled.published_at + timedelta(seconds=1)

    async def test_reads_the_next_publication_in_one_statement(self, api: Api) -> None:
        await register(api, LIST)
        with api.statements() as statements:
            await api.http.get(f"/graphql/documents/{sha256_id(LIST)}")
        assert api.database.dialect_name == "postgresql" or len(statements) == 2

    async def test_is_bounded_by_the_setting(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url, **{**SETTINGS, "cache_max_age_seconds": 7})) as api:
            assert shared_age(await get(api, LIST)) == 7

    async def test_is_none_by_default(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url, report_costs=False)) as api:
            response = await get(api, LIST)
            assert response.headers["cache-control"] == "no-cache"
            assert response.headers["etag"]


class TestTags:
    async def test_are_the_ids_of_all_objects_of_the_answer(self, api: Api) -> None:
        author, one, two = make_user(), make_tag(), make_tag()
        post = make_post(author, one, two)
        await save(api.database, [author, one, two, post])
        response = await get(api, POST, id=post.global_id)
        assert tags(response) == {row.global_id for row in (post, author, one, two)}

    async def test_are_the_ids_that_the_answer_shows(self, database_url: str) -> None:
        async with serve(settings_for(database_url, **SETTINGS, cache_tag_bytes=16_000, max_cost=1_000_000)) as api:
            authors, words = [make_user(), make_user()], [make_tag() for _ in range(5)]
            posts = [make_post(authors[n % 2], *words[n % 4 : n % 4 + 2]) for n in range(12)]
            await save(api.database, [*authors, *words, *posts, make_user(), make_scheduled_post(authors[0])])
            response = await get(api, EVERYWHERE, id=posts[3].global_id)
            assert response.status_code == 200, response.text
            ids = set(ids_in(response.json()))
            assert {*posts, *authors, *words} == {row for row in (*posts, *authors, *words) if row.global_id in ids}
            assert tags(response) - {"Post", "User", "Tag"} == ids

    async def test_of_lists_have_the_types_of_their_rows(self, api: Api) -> None:
        author, tag = make_user(), make_tag()
        posts = [make_post(author, tag) for _ in range(3)]
        await save(api.database, [author, tag, *posts])
        ids = {post.global_id for post in posts}
        assert tags(await get(api, LIST)) == {"Post", *ids}
        nested = "{ users { edges { node { posts { nodes { tags { name } } } } } } }"
        assert tags(await get(api, nested)) == {"Post", "User", author.global_id, tag.global_id, *ids}
        filtered = '{ posts(filter: { tags: { some: { name: { eq: "x" } } } }) { totalCount } }'
        assert tags(await get(api, filtered)) == {"Post", "User", "Tag"}

    async def test_of_a_null_have_the_types_that_may_take_its_place(self, api: Api) -> None:
        author = make_user()
        draft = make_post(author, state=PostState.DRAFT, published_at=None)
        await save(api.database, [author, draft])
        assert tags(await get(api, POST, id=draft.global_id)) == {"Post"}
        nodes = 'query($id: ID!) { nodes(ids: [$id]) { id } user(by: { username: "nobody" }) { id } }'
        assert tags(await get(api, nodes, id=draft.global_id)) == {"Post", "User", "Tag"}

    async def test_that_do_not_fit_are_their_type(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url, **SETTINGS, cache_tag_bytes=200)) as api:
            author, tag = make_user(), make_tag()
            posts = [make_post(author, tag) for _ in range(20)]
            await save(api.database, [author, tag, *posts])
            response = await get(api, "{ tags { nodes { posts { nodes { author { username } } } } } }")
            assert tags(response) == {"Post", "Tag", author.global_id, tag.global_id}
            assert len(response.headers["surrogate-key"]) <= 200

    async def test_of_an_embedded_object_are_those_of_its_owner(self, api: Api) -> None:
        author = make_user()
        post = make_post(author)
        await save(api.database, [author, post])
        response = await get(
            api, "query($id: ID!) { node(id: $id) { ... on Post { content { text } } } }", id=post.global_id
        )
        assert tags(response) == {encode_global_id("Post", post.id)}


class TestNeverKept:
    async def test_is_what_a_signed_in_viewer_gets(self, api: Api) -> None:
        for role in UserRole:
            viewer = await signed_in(api, role)
            response = await get(viewer, LIST)
            assert (response.status_code, response.headers.get_list("cache-control")) == (200, ["no-store"])
            assert "etag" not in response.headers

    async def test_is_the_answer_to_a_text_or_to_a_body(self, api: Api) -> None:
        by_id = {"documentId": sha256_id(LIST)}
        await register(api, LIST)
        responses = [
            await api.http.get("/graphql", params={"query": LIST}),
            await api.http.get("/graphql", params={"query": LIST, **by_id}),
            await api.http.post("/graphql", json=by_id),
            await api.http.request("QUERY", "/graphql", json=by_id),
        ]
        for response in responses:
            assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")

    @pytest.mark.parametrize(
        ("text", "variables"),
        [
            ("{ nothing }", {}),
            ("mutation { signOut(input: {}) { errors { code } } }", {}),
            ('{ nodes(ids: ["x"]) { id } }', {}),
        ],
    )
    async def test_is_an_error(self, api: Api, text: str, variables: dict[str, Any]) -> None:
        response = await get(api, text, **variables)
        assert response.status_code != 200
        assert response.headers.get_list("cache-control") == ["no-store"]
        assert "etag" not in response.headers

    async def test_is_a_report_of_costs(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url, **{**SETTINGS, "report_costs": True})) as api:
            assert (await get(api, LIST)).headers["cache-control"] == "no-store"

    async def test_is_an_answer_without_its_vary(self, api: Api) -> None:
        assert (await get(api, LIST)).headers["vary"] == "Accept, Authorization, Origin"
