"""Over the schema of the project, the compiled executor answers as the reference executor does, for every viewer."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from graphql import GraphQLScalarType
from hypothesis import given, note
from hypothesis import strategies as st

from gqlapi.models import UserRole
from gqlapi.schema import Limits, Schema
from tests.api import Api, serve, settings_for
from tests.examples import large_examples
from tests.execution.choices import chosen
from tests.execution.comparing import Path, nulled_position
from tests.execution.random_documents import Request, make_request
from tests.execution.random_inputs import SCALARS
from tests.factories import make_draft, make_post, make_tag, make_user, save
from tests.random_selections import documents
from tests.signing_in import sign_in_as

SCHEMA = Schema(Limits())._schema
UNLIMITED = {
    "max_root_fields": 100,
    "max_cost": 10**9,
    "max_aliases": 10**4,
    "max_depth": 50,
    "max_fields": 10**6,
    "max_tokens": 10**5,
    "max_directives": 10**4,
    "report_costs": False,
}
# A text that may be an id, a cursor or a time, for the scalars of the project.
TEXTS = ["2021-03-01T00:00:00Z", "text", "", "VXNlcjox"]
PROJECT_SCALARS = {
    name: SCALARS.get(name, TEXTS) for name, type_ in SCHEMA.type_map.items() if isinstance(type_, GraphQLScalarType)
} | {"Int": [1, 2, 5]}
Viewers = list[tuple[Api, Api]]


@pytest.fixture
async def viewers(database_url: str) -> AsyncIterator[Viewers]:
    """The anonymous viewer, an author and an editor: a client of the compiled and one of the reference executor."""
    async with (
        serve(settings_for(database_url, executor="compiled", **UNLIMITED)) as compiled,
        serve(settings_for(database_url, executor="reference", **UNLIMITED)) as reference,
    ):
        users = [make_user(), make_user(role=UserRole.EDITOR), make_user(bio="Somebody")]
        tags = [make_tag() for _ in range(3)]
        posts = [make_post(users[number % 3], *tags[: number % 4], text="text " * 20) for number in range(9)]
        await save(compiled.database, [*users, *tags, *posts, *(make_draft(user, *tags) for user in users)])
        clients = [await sign_in_as(compiled, user) for user in users[:2]]
        pairs = [(client, reference.with_headers(**client.headers)) for client in clients]
        yield [(compiled, reference), *pairs]


async def compare(pair: tuple[Api, Api], request: Request, mode: str) -> None:
    compiled, reference = [
        await client.execute(request.document, request.variables, operationName=request.operation_name, onError=mode)
        for client in pair
    ]
    assert json.dumps(compiled.get("data")) == json.dumps(reference.get("data"))
    found, expected = by_position(compiled), by_position(reference)
    assert found.keys() == expected.keys()
    for position, errors in found.items():
        assert len(errors) > 1 or len(expected[position]) > 1 or errors == expected[position]


def by_position(result: dict[str, Any]) -> dict[Path, list[Any]]:
    """Return the errors by the positions that they nulled, or by none where the whole request was refused."""
    positions: dict[Path, list[Any]] = {}
    for error in result.get("errors", []):
        positions.setdefault(nulled_position(result.get("data"), tuple(error.get("path") or ())), []).append(error)
    return positions


class TestQueries:
    async def test_of_clients_have_the_same_answers(self, viewers: Viewers) -> None:
        await check_examples(viewers, documents().map(lambda text: Request(text, {})), 25)

    async def test_of_any_kind_have_the_same_answers_and_errors(self, viewers: Viewers) -> None:
        requests = chosen(lambda choices: make_request(choices, SCHEMA, scalars=PROJECT_SCALARS, depth=5))
        await check_examples(viewers, requests, 40)


async def check_examples(viewers: Viewers, strategy: st.SearchStrategy[Request], count: int) -> None:
    loop = asyncio.get_running_loop()

    @large_examples(count)
    @given(request=strategy, viewer=st.integers(0, 2), mode=st.sampled_from(["PROPAGATE", "NULL"]))
    def check(request: Request, viewer: int, mode: str) -> None:
        note(f"{request.document}\n{request.variables}")
        asyncio.run_coroutine_threadsafe(compare(viewers[viewer], request, mode), loop).result(60)

    await asyncio.to_thread(check)
