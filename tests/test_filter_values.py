"""Filters with null, with absent variables, and with times that are finer than what is stored."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from tests.api import Api, only_error, serve, settings_for
from tests.examples import examples
from tests.factories import make_post, make_user, save
from tests.text_arguments import literal

FILTERED = "query($f: PostFilter) { posts(filter: $f) { totalCount } }"
# A filter, and the place of its null.
NULLS: list[tuple[dict[str, Any], str]] = [
    ({"title": {"eq": None}}, "title.eq"),
    ({"title": {"in": None, "eq": "Alpha"}}, "title.in"),
    ({"slug": {"startsWith": None}}, "slug.startsWith"),
    ({"id": {"ne": None}}, "id.ne"),
    ({"publishedAt": {"lt": None}}, "publishedAt.lt"),
    ({"publishedAt": {"isNull": None}}, "publishedAt.isNull"),
    ({"title": None}, "title"),
    ({"status": None}, "status"),
    ({"search": None}, "search"),
    ({"author": {"username": {"eq": None}}}, "author.username.eq"),
    ({"or": [{"title": {"eq": "Alpha"}}, {"title": {"eq": None}}]}, "or.1.title.eq"),
    ({"and": None}, "and"),
    ({"not": {"not": None}}, "not.not"),
    ({"tags": {"some": None}}, "tags.some"),
    ({"tags": {"none": {"name": {"notIn": None}}}}, "tags.none.name.notIn"),
]
SECOND = datetime(2020, 1, 1, 0, 0, 6, tzinfo=UTC)
OPERATORS = {"eq": "==", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def blog(world_url: str) -> AsyncIterator[Api]:
    async with serve(settings_for(world_url)) as api:
        author = make_user()
        posts = [
            make_post(author, title=name, published_at=SECOND.replace(microsecond=ms * 1000)) for name, ms in TIMES
        ]
        await save(api.database, [author, *posts])
        yield api


TIMES = (("Alpha", 6), ("Beta", 7), ("Gamma", 8))


class TestNull:
    @pytest.mark.parametrize(("row_filter", "place"), NULLS, ids=[place for _, place in NULLS])
    async def test_is_refused(self, blog: Api, row_filter: dict[str, Any], place: str) -> None:
        for query, variables in (
            (FILTERED, {"f": row_filter}),
            (f"{{ posts(filter: {literal(row_filter)}) {{ totalCount }} }}", None),
        ):
            error = only_error(await blog.post(query, variables))
            assert (error["path"], error["extensions"]["code"]) == (["posts"], "BAD_USER_INPUT")
            assert f"`{place}` is null" in error["message"]

    async def test_of_a_variable_is_refused(self, blog: Api) -> None:
        query = "query($t: String) { posts(filter: {author: {username: {eq: $t}}}) { totalCount } }"
        error = only_error(await blog.post(query, {"t": None}))
        assert (error["path"], error["extensions"]["code"]) == (["posts"], "BAD_USER_INPUT")

    async def test_is_refused_in_a_nested_list(self, blog: Api) -> None:
        query = "{ users { nodes { posts(filter: {title: {eq: null}}) { totalCount } } } }"
        error = only_error(await blog.post(query))
        assert (error["path"], error["extensions"]["code"]) == (["users", "nodes", "posts"], "BAD_USER_INPUT")

    async def test_is_no_filter_in_the_place_of_one(self, blog: Api) -> None:
        assert await blog.data(FILTERED, {"f": None}) == {"posts": {"totalCount": 3}}


class TestAbsentVariable:
    @pytest.mark.parametrize(
        ("variables", "titles"), [({}, 3), ({"t": "alpha"}, 1), ({"u": "t"}, 1), ({"t": "beta", "u": "a"}, 1)]
    )
    async def test_leaves_its_operator_out(self, blog: Api, variables: dict[str, str], titles: int) -> None:
        query = "query($t: String, $u: String) { posts(filter: {title: {eq: $t, contains: $u}}) { totalCount } }"
        assert await blog.data(query, variables) == {"posts": {"totalCount": titles}}

    async def test_leaves_a_field_out(self, blog: Api) -> None:
        query = 'query($t: StringFilter) { posts(filter: {title: $t, slug: {ne: ""}}) { totalCount } }'
        assert await blog.data(query) == {"posts": {"totalCount": 3}}


class TestTime:
    @examples(10)
    @given(fraction=st.text(alphabet="0567", min_size=1, max_size=7).map(lambda digits: f"00{digits}"))
    async def test_is_compared_exactly(self, blog: Api, fraction: str) -> None:
        time = f"{SECOND:%Y-%m-%dT%H:%M:%S}.{fraction}Z"
        fields = [
            f'{name}: posts(filter: {{publishedAt: {{{name}: "{time}"}}}}) {{ totalCount }}' for name in OPERATORS
        ]
        data = await blog.data(f"{{ {' '.join(fields)} }}")
        # In units of the last digit, to the nanosecond.
        given_ns, own = int(fraction.ljust(9, "0")), [ms * 1_000_000 for _, ms in TIMES]
        expected = {
            "eq": sum(ns == given_ns for ns in own),
            "lt": sum(ns < given_ns for ns in own),
            "lte": sum(ns <= given_ns for ns in own),
            "gt": sum(ns > given_ns for ns in own),
            "gte": sum(ns >= given_ns for ns in own),
        }
        assert {name: data[name]["totalCount"] for name in OPERATORS} == expected

    async def test_between_two_milliseconds_is_unlike_all(self, blog: Api) -> None:
        query = "query($t: DateTime) { posts(filter: {not: {publishedAt: {eq: $t}}}) { totalCount } }"
        assert await blog.data(query, {"t": "2020-01-01T00:00:06.0070001Z"}) == {"posts": {"totalCount": 3}}
        assert await blog.data(query, {"t": "2020-01-01T00:00:06.007Z"}) == {"posts": {"totalCount": 2}}

    async def test_may_be_a_leap_second(self, blog: Api) -> None:
        result = await blog.execute(FILTERED, {"f": {"publishedAt": {"gt": "2016-12-31T23:59:60Z"}}})
        assert result["data"] == {"posts": {"totalCount": 3}}
