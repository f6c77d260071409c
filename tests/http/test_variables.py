"""Variables and arguments cost what they are, however often a document names them: effort is counted in calls."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from gqlapi.errors import LimitExceeded
from gqlapi.operations import arguments
from gqlapi.operations.arguments import FORBIDDEN_CHARACTERS
from gqlapi.operations.conversion import ObjectConverter
from gqlapi.operations.variables import MAX_LIST_LENGTH, MAX_NESTING, check_variables
from gqlapi.schema import lists
from gqlapi.schema.filters import to_condition
from tests.api import Api, serve, settings_for
from tests.effort import measure

# A document of 2,000 tokens takes about 130,000 calls to read; a call takes less than half a microsecond.
MAX_CALLS = 200_000
POSTS = "query ($v: PostFilter) { posts(filter: $v) { totalCount } }"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=30,
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(sqlite_template: Path) -> AsyncIterator[Api]:
    """A server whose database is never asked."""
    async with serve(settings_for(f"sqlite:///{sqlite_template}", max_aliases=100)) as api:
        yield api


def in_fields(count: int, field: str, declaration: str) -> str:
    return f"query ({declaration}) {{" + " ".join(f"a{number}: {field}" for number in range(count)) + "}"


def count_values(value: Any) -> int:
    """Count the values of JSON, each key and its value as one."""
    inner = [*value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return len(inner) + sum(map(count_values, inner))


def depth_of(value: Any) -> int:
    inner = [*value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return 1 + max(map(depth_of, inner), default=0)


class TestCheck:
    @given(variables=st.dictionaries(st.text(max_size=3), JSON, max_size=5), limit=st.integers(1, 40))
    def test_counts_every_value(self, variables: dict[str, Any], limit: int) -> None:
        try:
            check_variables(variables, {}, limit)
        except LimitExceeded as error:
            assert count_values(variables) > limit
            assert error.extensions["limit"] == limit  # noqa: PT017
        else:
            assert count_values(variables) <= limit

    @pytest.mark.parametrize("depth", [MAX_NESTING, MAX_NESTING + 1])
    def test_bounds_the_nesting(self, depth: int) -> None:
        value: Any = 1
        for _ in range(depth - 1):
            value = [value]
        assert depth_of(value) == depth
        assert refuses({"v": value}) == (depth > MAX_NESTING)

    @pytest.mark.parametrize("length", [MAX_LIST_LENGTH, MAX_LIST_LENGTH + 1])
    def test_bounds_the_length_of_lists(self, length: int) -> None:
        assert refuses({"v": {"in": [1] * length}}) == (length > MAX_LIST_LENGTH)


def refuses(variables: dict[str, Any]) -> bool:
    try:
        check_variables(variables, {}, 10_000)
    except LimitExceeded:
        return True
    return False


class TestEffort:
    @pytest.mark.parametrize(
        ("query", "variables", "code"),
        [
            pytest.param(f"query ($v: ID!) {{ nodes(ids: [{'$v ' * 980}]) {{ id }} }}", {"v": "a" * 1_000_000},
                         "BAD_USER_INPUT", id="a long text in many places"),
            pytest.param(POSTS, {"v": {f"k{number}": 1 for number in range(8_000)}}, "BAD_USER_INPUT",
                         id="unknown fields"),
            pytest.param(POSTS, {"v": {f"k{number}": 1 for number in range(80_000)}}, "LIMIT_EXCEEDED",
                         id="more unknown fields"),
            pytest.param(POSTS, {"v": {"status": ["NOPE"] * 1_000}}, "BAD_USER_INPUT", id="wrong enum values"),
            pytest.param(POSTS, {"v": {"status": ["NOPE"] * 140_000}}, "LIMIT_EXCEEDED", id="more wrong enum values"),
            pytest.param(POSTS, {"v": {"or": [{}] * 300_000}}, "LIMIT_EXCEEDED", id="empty objects"),
            pytest.param(POSTS, {"v": {"or": [{}] * 1_000}}, "LIMIT_EXCEEDED", id="branches"),
            pytest.param(in_fields(20, "posts(filter: $v) { totalCount }", "$v: PostFilter"), {"v": {"or": [{}] * 900}},
                         "LIMIT_EXCEEDED", id="branches of many fields"),
            pytest.param(f"query ($v: PostFilter!) {{ posts(filter: {{or: [{'$v ' * 900}]}}) {{ totalCount }} }}",
                         {"v": {"title": {"in": ["a"] * 500}}}, "LIMIT_EXCEEDED", id="a list in many branches"),
            pytest.param("{ __typename }", {"v": [[]] * 340_000}, "LIMIT_EXCEEDED", id="an unused variable"),
            pytest.param("query ($v: [PostFilter!]) { __typename }", {"v": [{}] * 260_000}, "LIMIT_EXCEEDED",
                         id="an unused list of filters"),
        ],
    )  # fmt: skip
    async def test_is_bounded(self, server: Api, query: str, variables: Any, code: str) -> None:
        response, calls = await measure(server, query, variables)
        assert calls < MAX_CALLS
        assert {error["extensions"]["code"] for error in response["errors"]} == {code}
        assert len(response["errors"]) <= 11
        assert len(json.dumps(response)) < 20_000

    async def test_of_a_shared_argument_is_that_of_one(self, server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        converted: list[Any] = []
        translated: list[Any] = []

        def convert(converter: ObjectConverter, value: Any) -> Any:
            converted.append(value)
            return made(converter, value)

        def translate(value: Any) -> Any:
            translated.append(value)
            return to_condition(value)

        made = ObjectConverter.__call__
        monkeypatch.setattr(ObjectConverter, "__call__", convert)
        monkeypatch.setattr(lists, "to_condition", translate)
        query = in_fields(20, "posts(filter: $v) { nodes { id } }", "$v: PostFilter")
        await server.data(query, {"v": {"slug": {"in": ["a", "b"]}}})
        assert [value for value in converted if value is not None] == [{"slug": ANY}, ANY]
        assert len(translated) == 1

    async def test_of_a_shared_text_is_that_of_one(self, server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        searched: list[str] = []

        class Pattern:
            def search(self, text: str) -> Any:
                searched.append(text)
                return FORBIDDEN_CHARACTERS.search(text)

        monkeypatch.setattr(arguments, "FORBIDDEN_CHARACTERS", Pattern())
        query = in_fields(20, "posts(filter: {title: {eq: $v}}) { nodes { id } }", "$v: String")
        await server.data(query, {"v": "some text"})
        assert searched == ["some text"]


class TestNames:
    @pytest.mark.parametrize(
        ("query", "value"),
        [
            (POSTS, {"x" * 401: 1}),
            (POSTS, {"status": ["DRAFT" * 100]}),
            (POSTS, {"createdAt": {"eq": "2" * 401}}),
            ("query ($v: Int) { posts(first: $v) { totalCount } }", "1" * 401),
        ],
    )
    async def test_are_bounded_before_they_are_compared(self, server: Api, query: str, value: Any) -> None:
        [error] = (await server.execute(query, {"v": value}))["errors"]
        assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": 400}
