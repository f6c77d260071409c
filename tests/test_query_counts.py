"""Every list costs the same number of statements, regardless of the number of rows."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from graphql import GraphQLList, GraphQLObjectType, GraphQLOutputType, get_named_type, get_nullable_type, is_leaf_type

from gqlapi.models import Row
from gqlapi.schema import Limits, Schema
from tests.api import Api, serve, settings_for
from tests.factories import make_post, make_tag, make_user, save

POST = "title author { username } tags { name }"
# For each list field: queries that read it for so many rows, and the number of statements that each takes. Authors of
# posts that are read at the root come with them, and their tags as well where no long text is read.
CASES: dict[str, list[tuple[str, int]]] = {
    "Query.posts": [
        ("query($n: Int) { posts(first: $n) { nodes { title } } }", 1),
        ("query($n: Int) { posts(first: $n) { totalCount edges { node { title } } } }", 2),
        (f"query($n: Int) {{ posts(first: $n) {{ nodes {{ {POST} }} }} }}", 1),
        (f"query($n: Int) {{ posts(first: $n) {{ nodes {{ excerpt {POST} }} }} }}", 2),
    ],
    "Query.users": [
        ("query($n: Int) { users(first: $n) { nodes { username } } }", 1),
        ("query($n: Int) { users(first: $n) { totalCount nodes { username } } }", 2),
    ],
    "Query.tags": [
        ("query($n: Int) { tags(first: $n) { nodes { name } } }", 1),
        ("query($n: Int) { tags(first: $n) { totalCount nodes { name } } }", 2),
    ],
    "Query.search": [
        ('query($n: Int) { search(query: "common", first: $n, types: POST) { nodes { ... on Post { title } } } }', 2),
        ('query($n: Int) { search(query: "common", first: $n, types: POST) { edges { highlight } } }', 3),
    ],
    "Query.nodes": [
        ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", 1),
        (f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Post {{ {POST} }} }} }}", 2),
    ],
    "User.posts": [
        ("query($n: Int) { users(first: $n) { nodes { posts(first: 2) { totalCount } } } }", 2),
        (f"query($n: Int) {{ users(first: $n) {{ nodes {{ posts(first: 2) {{ nodes {{ {POST} }} }} }} }} }}", 4),
    ],
    "Tag.posts": [
        ("query($n: Int) { tags(first: $n) { nodes { posts(first: 2) { totalCount nodes { title } } } } }", 3),
        (f"query($n: Int) {{ tags(first: $n) {{ nodes {{ posts(first: 2) {{ nodes {{ {POST} }} }} }} }} }}", 4),
    ],
    "Post.tags": [
        ("query($n: Int) { posts(first: $n) { nodes { tags { name } } } }", 1),
        ("query($n: Int) { posts(first: $n) { nodes { tags { posts(last: 1) { nodes { title } } } } } }", 2),
    ],
    "Post.related": [
        ("query($n: Int) { posts(first: $n) { nodes { related(first: 2) { title } } } }", 3),
        ("query($n: Int) { posts(first: $n) { nodes { previous { title } next { title } } } }", 5),
    ],
    "Content.headings": [
        ("query($n: Int) { posts(first: $n) { nodes { content { headings { level text anchor } } } } }", 1),
    ],
    "PostAggregates.buckets": [
        ("query($n: Int!) { postAggregates(groupBy: AUTHOR, top: $n) { buckets { count } } }", 1),
        (
            "query($n: Int!) { postAggregates(groupBy: AUTHOR, top: $n) { buckets { node { __typename } } } }",
            2,
        ),
    ],
}


# Those of payloads are counted by `tests/publishing/test_bulk.py`, those of the viewer by
# `tests/accounts/test_viewer.py`; capabilities are not in the database.
OTHERS = {"User.apiTokens", "User.sessions", "ServerInfo.capabilities"}


def list_fields() -> Iterator[str]:
    """Name the fields that answer a list of objects: as such, or as a connection."""
    for named_type in Schema(Limits())._schema.type_map.values():
        is_read = not named_type.name.startswith("__") and not named_type.name.endswith("Payload")
        if isinstance(named_type, GraphQLObjectType) and is_read:
            for name, field in named_type.fields.items():
                coordinate = f"{named_type.name}.{name}"
                if _is_list(field.type) and not named_type.name.endswith("Connection") and coordinate not in OTHERS:
                    yield coordinate


def _is_list(type_: GraphQLOutputType) -> bool:
    named_type = get_named_type(type_)
    if is_leaf_type(named_type):
        return False
    return isinstance(get_nullable_type(type_), GraphQLList) or named_type.name.endswith("Connection")


def count_objects(value: Any) -> int:
    """Return the length of the outermost list in a result."""
    while isinstance(value, dict):
        (value,) = [part for part in value.values() if isinstance(part, dict | list)]
    return len(value)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(world_url: str) -> AsyncIterator[tuple[Api, list[Row]]]:
    """A server and its posts, which the tests only read."""
    users, tags = [make_user() for _ in range(100)], [make_tag() for _ in range(100)]
    posts = [
        make_post(
            users[number % 100], tags[number % 100], tags[(number + 1 + number // 100) % 100], title=f"Common {number}"
        )
        for number in range(200)
    ]
    async with serve(settings_for(world_url, max_cost=100_000)) as api:
        await save(api.database, [*users, *tags, *posts])
        yield api, [*posts]


class TestListFields:
    def test_all_have_a_case(self) -> None:
        assert set(CASES) == set(list_fields())

    @pytest.mark.parametrize("field", CASES)
    async def test_cost_the_same_for_few_rows_and_many(self, server: tuple[Api, list[Row]], field: str) -> None:
        api, rows = server
        for query, expected in CASES[field]:
            assert await costs(api, query, rows[:10]) == await costs(api, query, rows[:100]) == expected


async def costs(api: Api, query: str, rows: list[Row]) -> int:
    """Return the number of statements of a query that reads as many rows."""
    ids = {"ids": [row.global_id for row in rows]}
    with api.statements() as statements:
        data = await api.data(query, ids if "$ids" in query else {"n": len(rows)})
    assert count_objects(data) == len(rows)
    return len(statements)
