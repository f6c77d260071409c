"""Operations of a batch answer as if each had come alone, on both databases and both executors."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from gqlapi.models import Post, Tag, UserRole
from tests.api import Api, gets_everything_back, serve, settings_for
from tests.consistency import assert_consistent, count
from tests.examples import large_examples
from tests.execution.test_project_schema import UNLIMITED
from tests.factories import make_draft, make_post, make_tag, make_user, save
from tests.random_selections import documents
from tests.signing_in import sign_in_as
from tests.test_mutations import new_post

CREATE = "mutation($input: CreatePostInput!) { createPost(input: $input) { post { title } errors { code } } }"


@pytest.fixture(params=["compiled", "reference"])
async def author(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Api]:
    """A client of an author's, of a server that gets everything back in the end."""
    settings = settings_for(
        database_url, executor=request.param, max_batch_size=10, pool_size=4, max_mutations=100, **UNLIMITED
    )
    async with serve(settings) as api:
        user, tags = make_user(role=UserRole.EDITOR), [make_tag() for _ in range(3)]
        posts = [make_post(user, *tags[: number % 4]) for number in range(5)]
        await save(api.database, [user, *tags, *posts, make_draft(user)])
        yield await sign_in_as(api, user)
        assert await gets_everything_back(api.database)


async def send(api: Api, content: Any) -> list[dict[str, Any]]:
    response = await api.http.post("/graphql", json=content, headers=api.headers)
    answers: list[dict[str, Any]] = response.json()
    return [{name: value for name, value in answer.items() if not name.endswith("Index")} for answer in answers]


class TestQueries:
    async def test_answer_as_if_they_came_alone(self, author: Api) -> None:
        loop = asyncio.get_running_loop()

        async def check(texts: list[str]) -> None:
            together = await send(author, [{"query": text} for text in texts])
            assert together == [await author.execute(text) for text in texts]

        @large_examples(5)
        @given(texts=st.lists(documents(depth=2), min_size=2, max_size=10))
        def run(texts: list[str]) -> None:
            note("\n".join(texts))
            asyncio.run_coroutine_threadsafe(check(texts), loop).result(60)

        await asyncio.to_thread(run)


class TestMutations:
    async def test_are_transactions_of_their_own(self, author: Api) -> None:
        inputs = [new_post(number) for number in range(8)]
        inputs[3]["title"] = ""
        before = await count(author.database, Post)
        answers = await send(author, {"query": CREATE, "variables": [{"input": own} for own in inputs]})
        titles = [answer["data"]["createPost"]["post"] for answer in answers]
        assert titles == [{"title": own["title"]} if own["title"] else None for own in inputs]
        assert await count(author.database, Post) == before + 7
        assert await count(author.database, Tag) == 3 + 7
        await assert_consistent(author.database)

    async def test_with_one_idempotency_key_happen_once(self, author: Api) -> None:
        before = await count(author.database, Post)
        operation = {"query": CREATE, "variables": {"input": new_post(1, idempotencyKey="once")}}
        answers = await send(author, [operation] * 5)
        assert answers == [{"data": {"createPost": {"post": {"title": "Post 1"}, "errors": []}}}] * 5
        assert await count(author.database, Post) == before + 1
