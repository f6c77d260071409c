"""Selection sets without fields, which GraphQL allows since its edition of September 2026."""

from collections.abc import AsyncIterator

import pytest

from tests.api import Api, serve, settings_for
from tests.factories import make_post, make_tag, make_user, save
from tests.signing_in import sign_in_as

DOCUMENTS = [
    "{ }",
    "{ ... on Query { } }",
    "{ ... { } __typename }",
    "query A { ...F } fragment F on Query { }",
    "query($v: Boolean!) { ... @include(if: $v) { } }",
    "mutation { }",
    "mutation { ... on Mutation { } }",
    "{ posts { } }",
    "{ posts { ... on PostConnection { } } users { totalCount } }",
    "{ posts { nodes { } edges { } pageInfo { } } }",
    "{ posts { nodes { title author { } tags { } content { } } } }",
    "{ posts { edges { node { ... on Node { } } } } }",
    "{ users { nodes { posts { } } } }",
    "{ users { nodes { posts { nodes { } } } } }",
    '{ search(query: "alpha") { } }',
    '{ search(query: "alpha") { edges { node { ... on Post { } } } nodes { } } }',
    "{ postAggregates { } }",
    "{ viewer { } serverInfo { } }",
    "{ __schema { } }",
    '{ __type(name: "Post") { fields { } } }',
    'mutation { createPost(input: {title: "New", markdown: ""}) { } }',
    'mutation { createPost(input: {title: "", markdown: ""}) { post { } errors { } } }',
]


@pytest.fixture
async def client(api: Api) -> Api:
    author, tag = make_user(), make_tag()
    await save(api.database, [author, tag, make_post(author, tag, title="Alpha"), make_post(author)])
    return await sign_in_as(api, author)


@pytest.fixture
async def reference(database_url: str, client: Api) -> AsyncIterator[Api]:
    """The same database, behind graphql-core's executor."""
    async with serve(settings_for(database_url, executor="reference")) as api:
        yield api.with_headers(**client.headers)


async def test_are_answered_as_graphql_core_does(client: Api, reference: Api) -> None:
    for document in DOCUMENTS:
        variables = {"v": True} if "$v" in document else None
        compiled, expected = await client.execute(document, variables), await reference.execute(document, variables)
        assert "errors" not in compiled, document
        assert (document, compiled["data"]) == (document, expected["data"])


async def test_changes_nothing_beside_others(client: Api) -> None:
    plain = await client.data("{ posts { nodes { title } } }")
    assert await client.data("{ ... on Query { } posts { ... { } nodes { title ... on Post { } } } }") == plain
