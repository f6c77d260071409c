"""Arguments become what Strawberry's own conversion makes of them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from strawberry.types.arguments import convert_argument
from strawberry.types.base import StrawberryList, StrawberryOptional

from gqlapi.operations.conversion import Converters
from gqlapi.schema import Limits, Schema
from gqlapi.schema.filters import PostFilter
from gqlapi.schema.keys import PostKey
from gqlapi.schema.mutations.post_inputs import CreatePostInput, CreatePostsInput, UpdatePostInput
from gqlapi.schema.ordering import OrderDirection, PostOrder, PostOrderField

TIME = datetime(2026, 11, 25, tzinfo=UTC)
TITLE: dict[str, Any] = {"title": {"eq": "a", "contains": None}}


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (str, "a"),
        (StrawberryOptional(int), None),
        (StrawberryList(str), ["a", "b"]),
        (StrawberryList(StrawberryOptional(PostFilter)), [TITLE, None]),
        (PostKey, {"slug": "a"}),
        (PostKey, {}),
        (PostOrder, {"field": PostOrderField.TITLE, "direction": OrderDirection.DESC}),
        (PostFilter, {}),
        (PostFilter, {"or": [TITLE, {"not": {"publishedAt": {"gte": TIME}}}]}),
        (PostFilter, {"tags": {"some": {"slug": {"in": ["x"]}}}}),
        (CreatePostInput, {"title": "a", "markdown": "b", "tags": [{"name": "c"}]}),
        (CreatePostsInput, {"posts": [{"title": "a", "markdown": "b"}, {"title": "c", "markdown": ""}]}),
        (UpdatePostInput, {"id": "x", "patch": {"title": "a", "tags": {"add": [{"name": "c"}]}}}),
    ],
)
def test_is_that_of_strawberry(type_: Any, value: Any) -> None:
    converter = Schema(Limits()).schema_converter
    expected = convert_argument(value, type_, converter.scalar_registry, converter.config)
    for _ in range(2):
        converted = Converters(converter).of(type_)(value)
        assert (converted, type(converted)) == (expected, type(expected))
