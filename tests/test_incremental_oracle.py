"""Random queries with @defer and @stream: all payloads, merged, are what a naive reading of all rows answers."""

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import hypothesis.strategies as st
import pytest
import pytest_asyncio
from hypothesis import given

from tests.api import Api, serve, settings_for
from tests.documents import Document
from tests.examples import examples
from tests.factories import save
from tests.increments import EVENTS, V02, V2022, merged, payloads_of
from tests.oracle import Field, Oracle
from tests.random_world import make_world
from tests.test_reading_oracle import CONNECTION_FIELDS, QUERIES, UNLIMITED, WORLD, Answers


class DeliveredLater(Document):
    """A query some of whose fragments are deferred, and whose lists are streamed, unless fields are there twice.

    Lists that are merged with others may not be streamed.
    """

    def __init__(self, fields: tuple[Field, ...], answers: Answers, random: Random) -> None:
        self._random = random
        self._streams = not _has_twice(fields)
        super().__init__(fields, lambda part, id_: answers.cursors[part.type, part.order][id_])

    def _selection(self, fields: tuple[Field, ...]) -> str:
        texts = [self._field(own) for own in fields]
        if self._random.random() < 0.4:
            kept = self._random.randrange(len(texts))
            texts[kept:] = [f"... {self._defer()} {{ {' '.join(texts[kept:])} }}"]
        return "{ " + " ".join(texts) + " }"

    def _text(self, own: Field) -> str:
        text = super()._text(own)
        if own.name == "...":
            return text.replace("@include(if: true)", self._defer(), 1)
        if self._streams and own.name in {"nodes", "edges", "tags"} and own.selection[0].name not in CONNECTION_FIELDS:
            return text.replace("{", f"@stream(initialCount: {self._random.randrange(4)}) {{", 1)
        return text

    def _defer(self) -> str:
        return self._random.choice(["@defer", "@defer(if: true)", "@defer(if: false)"])


def _has_twice(fields: tuple[Field, ...]) -> bool:
    """Return whether a field is in a selection and in a fragment of it."""
    spread = [own for part in fields for own in (part.selection if part.name == "..." else (part,))]
    return len(set(map(id, spread))) < len(spread) or any(_has_twice(own.selection) for own in spread)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def answers(world_url: str) -> AsyncIterator[Answers]:
    async with serve(settings_for(world_url, statement_timeout_ms=60_000, report_costs=False, **UNLIMITED)) as api:
        world = make_world()
        await save(api.database, [*world.users, *world.tags, *world.posts])
        yield Answers(api)


async def answer(api: Api, accept: str, document: Document) -> Any:
    response = await api.with_headers(Accept=accept).post(document.text, document.variables)
    if response.headers["content-type"].startswith("application/"):
        assert "errors" not in response.json(), response.text
        return response.json()["data"]
    return merged(payloads_of(response))["data"]


class TestRandomQueries:
    @examples(20)
    @given(query=QUERIES, accept=st.sampled_from([V02, V2022, EVENTS]), seed=st.integers(0, 1_000_000))
    async def test_deliver_what_the_oracle_answers(
        self, answers: Answers, query: tuple[Field, ...], accept: str, seed: int
    ) -> None:
        await answers.learn(query)
        document = DeliveredLater(query, answers, Random(seed))  # noqa: S311 - no secret
        expected = Oracle(WORLD, answers.cursors).answer(None, query)
        assert await answer(answers.api, accept, document) == expected
