"""Random nested queries answer what a naive reading of all rows answers."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import TypeVar
from uuid import UUID

import pytest
import pytest_asyncio
from hypothesis import given

from tests.api import Api, serve, settings_for
from tests.documents import Document
from tests.examples import examples
from tests.factories import save
from tests.oracle import Field, Oracle, Order, in_order
from tests.random_queries import filtered_lists, queries
from tests.random_world import make_world

CONNECTION_FIELDS = {"edges", "nodes", "pageInfo", "totalCount"}
UNLIMITED = {
    "max_root_fields": 100,
    "max_cost": 10**9,
    "max_aliases": 10**4,
    "max_fields": 10**6,
    "max_tokens": 10**5,
    "max_directives": 10**4,
    "max_answer_bytes": 10**9,
}

WORLD = make_world()
QUERIES = queries(WORLD)
FILTERED_LISTS = filtered_lists(WORLD)
TEXT_FIELDS = [("User", "username"), ("Tag", "slug"), ("Tag", "name"), ("Post", "title")]
SPECIAL_TEXTS = (
    "",
    "%",
    "_",
    "\\",
    "'",
    "0",
    "100_",
    "1%",
    "É",
    "e\u0301",
    "ss",
    "ß",
    "\u03c3",
    "Σ",
    "\uff21",
    "fi",
    "\ufb01",
)
T = TypeVar("T")


@dataclass
class Answers:
    """A server over the world, and the cursors that it has given."""

    api: Api = field(repr=False)
    cursors: dict[tuple[str, Order], dict[UUID, str]] = field(default_factory=dict, repr=False)

    async def check(self, query: tuple[Field, ...], *, split: bool) -> None:
        """Compare the server's answer with the oracle's."""
        await self.learn(query)
        document = Document(query, lambda part, id_: self.cursors[part.type, part.order][id_], split=split)
        assert await self.api.data(document.text, document.variables) == Oracle(WORLD, self.cursors).answer(None, query)

    async def learn(self, query: tuple[Field, ...]) -> None:
        """Learn the cursors that a query may need."""
        for part in _lists(query):
            await self._learn_cursors(part.type, part.order)

    async def _learn_cursors(self, kind: str, order: Order) -> None:
        if (kind, order) in self.cursors:
            return
        keys = ", ".join(f"{{field: {name}, direction: {direction}}}" for name, direction in order)
        query = f"{{ {kind.lower()}s(first: 100, orderBy: [{keys}]) {{ edges {{ cursor node {{ id }} }} }} }}"
        edges = (await self.api.data(query))[f"{kind.lower()}s"]["edges"]
        rows = in_order(WORLD.visible[kind], order)
        assert [edge["node"]["id"] for edge in edges] == [row.global_id for row in rows]
        self.cursors[kind, order] = {row.id: edge["cursor"] for row, edge in zip(rows, edges, strict=True)}


def _lists(fields: tuple[Field, ...]) -> list[Field]:
    found: list[Field] = []
    for part in fields:
        if part.selection and part.selection[0].name in CONNECTION_FIELDS:
            found.append(part)
        found.extend(_lists(part.selection))
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def answers(world_url: str) -> AsyncIterator[Answers]:
    async with serve(
        settings_for(world_url, statement_timeout_ms=60_000, operation_timeout_seconds=60, **UNLIMITED)
    ) as api:
        world = make_world()
        await save(api.database, [*world.users, *world.tags, *world.posts])
        yield Answers(api)


class TestRandomQueries:
    @examples(40)
    @given(query=QUERIES)
    async def test_answer_like_the_oracle(self, answers: Answers, query: tuple[Field, ...]) -> None:
        await answers.check(query, split=False)

    @examples(25)
    @given(query=QUERIES)
    async def test_answer_alike_when_fields_are_merged(self, answers: Answers, query: tuple[Field, ...]) -> None:
        await answers.check(query, split=True)

    @examples(60)
    @given(query=FILTERED_LISTS)
    async def test_filter_like_the_oracle(self, answers: Answers, query: tuple[Field, ...]) -> None:
        await answers.check(query, split=False)

    @pytest.mark.parametrize(("kind", "name"), TEXT_FIELDS)
    async def test_compare_texts_like_the_oracle(self, answers: Answers, kind: str, name: str) -> None:
        rows = WORLD.visible[kind]
        texts = {*SPECIAL_TEXTS, *(getattr(row, name) for row in rows)}
        cases = product(sorted(texts), ("eq", "ne", "startsWith", "contains"), (True, False))
        filters = [{name: {operator: text, "caseInsensitive": is_folded}} for text, operator, is_folded in cases]
        for batch in batched(filters, 60):
            fields = [
                Field(f"{kind.lower()}s", kind, f"list{number}", {"filter": own}, (Field("totalCount"),))
                for number, own in enumerate(batch)
            ]
            await answers.check(tuple(fields), split=False)


def batched(items: list[T], size: int) -> Iterator[list[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
