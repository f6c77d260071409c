"""The cost of an operation: what it may read and return, known before it runs, and no less than what it does."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gqlapi.schema import Limits, Schema
from tests.api import Api, serve, settings_for
from tests.counting import count_values
from tests.examples import examples
from tests.factories import make_post, make_tag, make_user, save
from tests.random_selections import documents, in_fragments

SCHEMA = Schema(Limits())._schema


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[Api]:
    """A server with rows, whose limits of depth and aliases are out of the way."""
    async with serve(settings_for(database_url, max_aliases=500, max_tokens=20_000, max_depth=50)) as api:
        users = [make_user(bio="Somebody") for _ in range(4)]
        tags = [make_tag() for _ in range(4)]
        posts = [make_post(users[number % 4], *tags[: number % 5], text="text " * 50) for number in range(12)]
        await save(api.database, [*users, *tags, *posts])
        yield api


def creation(markdown: str) -> str:
    """Return a mutation that writes a post."""
    return f'mutation {{ createPost(input: {{ title: "a", markdown: "{markdown}" }}) {{ post {{ id }} }} }}'


def bulk(name: str, *posts: str, tags: int = 0) -> str:
    """Return a mutation of several posts."""
    named = ", ".join('{ name: "t" }' for _ in range(tags))
    arguments = f"posts: [{', '.join(posts)}]" + (f", tags: [{named}]" if tags else "")
    return f"mutation {{ {name}(input: {{ {arguments} }}) {{ changedCount }} }}"


def either(posts: int) -> str:
    """Return a search for posts with their tags, or users with so many posts, which is the value of a variable."""
    types = "... on Post { title tags { id } } ... on User { posts(first: $n) { nodes { id } } }"
    return f'query($n: Int = {posts}) {{ search(query: "a", first: 5) {{ nodes {{ {types} }} }} }}'


async def run(api: Api, document: str) -> tuple[dict[str, Any], int, int]:
    """Return a result, its cost, and the number of its statements."""
    result = await api.execute(document)
    report = result.pop("extensions")
    assert {error["extensions"]["code"] for error in result.get("errors", [])} <= {"LIMIT_EXCEEDED"}, result
    return result, report["cost"]["requested"], report["sql"]["statements"]


class TestCost:
    async def test_is_never_less_than_what_is_read_and_returned(self, server: Api) -> None:
        loop, returned = asyncio.get_running_loop(), 0

        @given(document=documents())
        @examples(30)
        def check(document: str) -> None:
            nonlocal returned
            result, cost, statements = asyncio.run_coroutine_threadsafe(run(server, document), loop).result(60)
            if "errors" in result:
                assert (cost > Limits().max_cost, statements) == (True, 0)
                return
            values = count_values(result["data"]) - 1  # the answer itself
            # Not their sum: an author costs a point for the object, and may take a statement.
            assert max(values, statements) <= cost
            returned += values

        await asyncio.to_thread(check)
        assert returned > 300

    async def test_and_verdict_and_answer_are_the_same_in_fragments(self, server: Api) -> None:
        loop, wrapped = asyncio.get_running_loop(), 0

        @given(document=documents(), seed=st.integers(0, 2**32))
        @examples(30)
        def check(document: str, seed: int) -> None:
            nonlocal wrapped
            same = in_fragments(SCHEMA, document, random.Random(seed))  # noqa: S311 - no secret
            plain, fragmented = (
                asyncio.run_coroutine_threadsafe(run(server, text), loop).result(60) for text in (document, same)
            )
            assert without_positions(fragmented[0]) == without_positions(plain[0]), same
            assert fragmented[1:] == plain[1:], same
            wrapped += "..." in same

        await asyncio.to_thread(check)
        assert wrapped > 20

    @pytest.mark.parametrize(
        ("document", "cost"),
        [
            ("{ serverInfo { version } }", 2),
            ("{ posts { totalCount } }", 1 + 1 + 500),
            ('{ posts(filter: { title: { eq: "a" } }) { totalCount } }', 1 + 1 + 500),
            ('{ posts(filter: { title: { contains: "a" } }) { totalCount } }', 1 + 1 + 500 + 2_000),
            ("{ posts { a: totalCount b: totalCount } }", 1 + 2 + 500),
            ('{ posts(filter: { search: "a", not: { search: "b c" } }) { totalCount } }',
             1 + 1 + 500 + 2 * 1_000 + 3 * 100),
            ("{ users(first: 2) { nodes { postCount } } }", 1 + 2 + 2 * (1 + 21)),
            ("{ users(first: 2) { nodes { postCount(filter: { status: [DRAFT] }) } } }", 1 + 2 + 2 * (1 + 121)),
            ('{ users(first: 2) { nodes { postCount(filter: { search: "a" }) } } }', 1 + 2 + 2 * (1 + 221)),
            ("{ posts { nodes { id } } }", 1 + 20 + 20 * 2),
            ("{ posts(first: 9) { edges { cursor } } }", 1 + 9 + 9 * 2),
            ("{ posts(first: 9) { pageInfo { endCursor } } }", 1 + 9 + 2),
            ("{ posts(first: 3) { edges { node { id } } } }", 1 + 3 + 3 * 3),
            ("{ posts(first: 3, orderBy: [{ field: TITLE }]) { nodes { id } } }", 1 + 3 + 3 * 2),
            ("{ tags(first: 3, orderBy: [{ field: POST_COUNT }]) { nodes { id } } }", 1 + 3 + 3 * 2 + 2_000 + 3_000),
            ("{ tags(first: 3, filter: { postCount: { gte: 1, lt: 9 } }) { nodes { id } totalCount } }",
             1 + 3 + 3 * 2 + 1 + 500 + 2 * (2_000 + 2 * 3_000)),
            ("{ users(first: 3, orderBy: [{ field: DISPLAY_NAME }]) { nodes { id } } }", 1 + 3 + 3 * 2),
            ('{ posts(first: 3, filter: { body: { contains: "a" } }) { nodes { id } } }', 1 + 3 + 3 * 2 + 12_000),
            ("{ posts(first: 3) { nodes { previous { id } related(first: 2) { id } } } }",
             1 + 3 + 3 * (1 + 2 + 5 + 2 * 2 + 150)),
            ("{ users(first: 3, orderBy: [{ field: CREATED_AT }]) { nodes { id } } }", 1 + 3 + 3 * 2),
            ("{ users(first: 3, filter: { role: [ADMIN] }) { nodes { id } } }", 1 + 3 + 3 * 2 + 2_000),
            ("{ tags(first: 2) { nodes { posts(first: 2, orderBy: [{ field: TITLE }]) { nodes { id } } } } }",
             1 + 2 + 2 * (1 + 1 + 2 + 2 * 2 + 100)),
            ("{ posts(first: 3) { nodes { author { id } tags { id } } } }", 1 + 3 + 3 * (1 + 2 + 20 * 2)),
            ("{ posts(first: 3) { nodes { content { html } excerpt(length: 300) } } }", 1 + 3 + 3 * (1 + 22 + 4)),
            ("{ users(first: 5) { nodes { posts(last: 7) { nodes { id } } } } }", 1 + 5 + 5 * (1 + 1 + 7 + 7 * 2)),
            ('{ user(by: {username: "a"}) { id bio } }', 1 + 1 + 11),
            (f"{{ posts(first: 9) {{ {'b' * 150}: nodes {{ {'a' * 250}: id }} }} }}", 1 + 9 + 9 * (1 + 1 + 2) + 1),
            (f"{{ __schema {{ queryType {{ {'a' * 250}: name }} }} }}", 1 + 1 + 1 + 2),
            ('{ nodes(ids: ["a", "b"]) { id } }', 2 * 2),
            ('{ search(query: "a", first: 5) { edges { highlight } } }', 1 + 4_500 + 250 + 5 + 5 * 122),
            ('{ search(query: "a b -c") { totalCount } }', 1 + 1_500 + 3 * 100 + 1),
            ("{ postAggregates { count } }", 1 + 1 + 1_000),
            ("{ postAggregates(groupBy: DAY, top: 4) { averageLength buckets { key } } }", 1 + 1 + 7_000 + 4 * 2),
            ("{ viewer { sessions { id } } }", 1 + 100 * 2),
            ("{ posts @skip(if: true) { nodes { id } } a: __typename }", 1),
            ('{ tag(by: { slug: "a" }) { name ...F } } fragment F on Tag { name posts(first: 2) { nodes { id } } }',
             1 + 1 + 1 + 2 + 2 * 2),
            ("{ posts(first: 2) {nodes {id} nodes {id title} ... { nodes { title tags { id } } } edges { cursor }}}",
             1 + 2 + 2 * (1 + 2 + 20 * 2) + 2 * 2),
            ('{ search(query: "a", first: 5) { nodes { ... on Post { id } ... on User { posts { totalCount } } } } }',
             1 + 4_500 + 250 + 5 + 5 * (1 + 1 + 1 + 20)),
            (either(9), 1 + 4_500 + 250 + 5 + 5 * (1 + 1 + 20 * 2)),
            (either(40), 1 + 4_500 + 250 + 5 + 5 * (1 + 1 + 40 + 40 * 2)),
            ('{ nodes(ids: ["a", "b"]) { id ... on Post { title slug } ... on Tag { name } } }', 2 * 4),
            ("{ __schema { queryType { name } } ...F } fragment F on Query { __schema { queryType { name kind } } }",
             1 + 1 + 2),
            ("{ ... { ...F } ...F } fragment F on Query { serverInfo { version } }", 2),
            ('mutation { a: deleteTag(input: { id: "x" }) { deletedId } }', 1 + 1 + 50),
            ('mutation { signIn(input: { login: "x", password: "y" }) { accessToken } }', 1 + 1 + 50 + 7_000),
            (creation(""), 1 + 2 + 50),
            (creation("word " * 80), 1 + 2 + 50 + 20),
            (creation("[]()" * 80), 1 + 2 + 50 + 80),
            (creation("é" * 100), 1 + 2 + 50 + 20),
            (creation("[" * 60_000), 1 + 2 + 50 + 10_000),
            ('mutation { updatePost(input: { id: "a", patch: { title: "b" } }) { post { id } } }', 1 + 2 + 50 + 5_000),
            ('mutation { updatePost(input: { id: "a", patch: { slug: "b" } }) { post { id } } }', 1 + 2 + 50),
            (bulk("updatePosts", '{ id: "a", patch: { tags: { remove: [{ name: "x" }, { name: "y" }] } } }',
                  '{ id: "b", patch: { title: "c" } }'), 1 + 1 + 2 * 50 + 2 * 25 + 5_000),
            (bulk("publishPosts", '{ id: "a" }', '{ id: "b" }'), 1 + 1 + 2 * 50),
            (bulk("addTags", '{ id: "a" }', '{ id: "b" }', tags=3), 1 + 1 + 2 * 50 + 3 * (25 + 2)),
            (bulk("removeTags", '{ id: "a" }', '{ id: "b" }', tags=3), 1 + 1 + 2 * 50 + 3 * (25 + 2)),
        ],
    )  # fmt: skip
    async def test_is_the_sum_of_its_prices(self, sqlite_url: str, document: str, cost: int) -> None:
        async with serve(settings_for(sqlite_url)) as api:
            assert (await api.execute(document))["extensions"]["cost"]["requested"] == cost


POST = "id slug title excerpt status publishedAt updatedAt readingTimeMinutes viewerCanUpdate"
PAGE = "totalCount pageInfo { hasNextPage endCursor }"
FEED = f"{{ {PAGE} nodes {{ {POST} author {{ id displayName }} tags {{ id name }} }} }}"
ROW = "id title content { markdown } status publishedAt readingTimeMinutes author { id displayName }"
ALLOWED = {
    "a page of 100 posts": f"{{ posts(first: 100) {FEED} }}",
    "one post": '{ post(by: { slug: "a" }) { id title content { markdown } author { displayName } tags { id name } } }',
    "20 posts": "{ posts { nodes { id title status publishedAt author { id displayName } tags { name } } } }",
    "50 users": "{ users(first: 50) { nodes { id displayName posts(first: 5) "
    "{ totalCount nodes { id title publishedAt tags { name } } } } } }",
    "500 posts": "{" + " ".join(f"p{n}: posts(first: 100) {{ nodes {{ {ROW} }} }}" for n in range(5)) + "}",
    "100 posts with their HTML": f"{{ posts(first: 100) {{ nodes {{ {POST} content {{ html }} }} }} }}",
}


class TestLimit:
    @pytest.mark.parametrize("document", ALLOWED.values(), ids=ALLOWED.keys())
    async def test_allows_what_clients_ask_for(self, sqlite_url: str, document: str) -> None:
        async with serve(settings_for(sqlite_url)) as api:
            result = await api.execute(document)
        assert "errors" not in result
        assert result["extensions"]["cost"]["requested"] <= result["extensions"]["cost"]["limit"]


def without_positions(result: dict[str, Any]) -> Any:
    """Return a result without the places of its errors in the document."""
    return result.get("data"), [(error["message"], error["path"]) for error in result.get("errors", [])]


class TestCount:
    @pytest.mark.parametrize(
        ("document", "statements"),
        [
            ("{ posts { " + " ".join(f"a{number}: totalCount" for number in range(30)) + " } }", 1),
            ("{ a: posts { totalCount } b: posts(first: 3) { totalCount } c: tags { totalCount } }", 2),
            ("{ a: posts(filter: { status: [DRAFT] }) { totalCount } b: posts { totalCount } }", 2),
            ("{ users { nodes { a: postCount b: postCount posts { totalCount } c: posts { totalCount } } } }", 2),
            ('{ tags { nodes { a: postCount b: postCount(filter: { not: { slug: { eq: "x" } } }) } } }', 3),
        ],
    )  # fmt: skip
    async def test_runs_once_in_an_operation(self, server: Api, document: str, statements: int) -> None:
        with server.statements() as ran:
            await server.data(document)
        assert len(ran) == statements

    async def test_of_one_operation_is_right_for_each_of_its_lists(self, server: Api) -> None:
        data = await server.data(
            '{ all: posts { totalCount } none: posts(filter: { slug: { eq: "x" } }) { totalCount } '
            "users { nodes { posts { totalCount nodes { id } } postCount } } }"
        )
        assert (data["all"]["totalCount"], data["none"]["totalCount"]) == (12, 0)
        for user in data["users"]["nodes"]:
            assert user["posts"]["totalCount"] == user["postCount"] == len(user["posts"]["nodes"]) == 3
