"""Cursors that a client made up: their digest is no secret."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from hypothesis import example, given
from hypothesis import strategies as st

from gqlapi.models import GlobalId
from gqlapi.models import global_id as global_ids
from gqlapi.repositories import pages
from tests.api import Api, serve, settings_for
from tests.examples import examples
from tests.factories import make_post, make_tag, make_user, save

ID = "01932c07-209c-7000-8000-000000000000"
LISTS = (
    "posts(AFTER, orderBy: [{field: PUBLISHED_AT}])",
    "posts(AFTER, orderBy: [{field: TITLE, direction: DESC}])",
    "posts(AFTER, orderBy: [{field: UPDATED_AT}, {field: TITLE}])",
    "users(AFTER, orderBy: [{field: USERNAME}])",
    "tags(AFTER, orderBy: [{field: NAME}])",
    "tags(AFTER, orderBy: [{field: CREATED_AT}])",
    'search(AFTER, query: "quince")',
    "posts(AFTER, orderBy: [{field: CREATED_AT}])",
    "users(AFTER, orderBy: [{field: CREATED_AT}])",
    'search(AFTER, query: "quince", types: [POST])',
    "users(AFTER, orderBy: [{field: POST_COUNT}, {field: DISPLAY_NAME, direction: DESC}])",
    "tags(AFTER, orderBy: [{field: POST_COUNT, direction: DESC}])",
)
TIMES = (
    "0001-01-01T00:00:00+23:59",
    "0001-01-01T00:00:00+00:00",
    "0001-01-01T00:00:00-00:01",
    "9999-12-31T23:59:59.999999-14:00",
    "9999-12-31T23:59:59.999999+00:00",
    "2026-W01-1T00:00:00Z",
    "20260101T000000,123456789Z",
)
TEXTS = ("", "\0", "a\0b", "\ud800", "x\udfff", "\U0010ffff", "a" * 500, "'", "1", ID, ID.upper(), f"urn:uuid:{ID}")
numbers = (
    st.integers(-1, 3)
    | st.integers()
    | st.floats()
    | st.sampled_from([2**63, -(2**64), 10**300, 1e-320, float("nan"), float("inf")])
)
leaves = st.none() | st.booleans() | numbers | st.text(max_size=20) | st.datetimes().map(datetime.isoformat)
likely = st.sampled_from([ID, 1.5, None, *TIMES, *TEXTS])
values = st.lists(likely | leaves | st.recursive(leaves, st.lists, max_leaves=5), max_size=4)
keys = st.text(max_size=5)
json_values = st.recursive(
    likely | leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)


def encode(text: str) -> str:
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def forge(digest: str, text: str) -> str:
    return encode(f'["{digest}",{text}]')


class Forger:
    """Sends cursors with the digest of the server's own ones."""

    def __init__(self, api: Api, cursors: dict[str, str]) -> None:
        self.api = api
        self.cursors = cursors
        decoded = {list_: urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)) for list_, cursor in cursors.items()}
        self.digests = {list_: json.loads(text)[0] for list_, text in decoded.items()}

    async def codes(self, list_: str, cursor: str, argument: str = "after") -> list[str]:
        query = f"query($c: Cursor) {{ {list_.replace('AFTER', f'{argument}: $c')} {{ edges {{ cursor }} }} }}"
        result = await self.api.execute(query, {"c": cursor})
        return [error["extensions"]["code"] for error in result.get("errors", [])]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def forger(world_url: str) -> AsyncIterator[Forger]:
    async with serve(settings_for(world_url)) as api:
        author = make_user()
        await save(api.database, [author, make_tag(), *(make_post(author, title=f"Quince {n}") for n in range(3))])
        cursors = {}
        for list_ in LISTS:
            query = list_.replace("AFTER, ", "")
            data = await api.data(f"{{ {query} {{ edges {{ cursor }} }} }}")
            [connection] = data.values()
            cursors[list_] = connection["edges"][0]["cursor"]
        yield Forger(api, cursors)


class TestForgedCursor:
    @examples(60)
    @given(list_=st.sampled_from(LISTS), values=values, backward=st.booleans())
    @example(list_=LISTS[0], values=["0001-01-01T00:00:00+23:59", ID], backward=False)
    @example(list_=LISTS[0], values=["9999-12-31T23:59:59.999-14:00", ID], backward=True)
    @example(list_=LISTS[0], values=["0001-01-01T00:00:00+00:00", ID], backward=False)
    @example(list_=LISTS[1], values=["\0", ID], backward=False)
    @example(list_=LISTS[1], values=["a\ud800", ID], backward=False)
    @example(list_=LISTS[3], values=["\0"], backward=True)
    @example(list_=LISTS[6], values=[float("nan"), ID], backward=False)
    @example(list_=LISTS[6], values=[float("inf"), ID], backward=False)
    @example(list_=LISTS[6], values=[10**400, ID], backward=False)
    async def test_pages_or_is_refused(self, forger: Forger, list_: str, values: list[Any], *, backward: bool) -> None:
        argument = "before" if backward and not list_.startswith("search") else "after"
        cursor = forge(forger.digests[list_], json.dumps(values))

        assert await forger.codes(list_, cursor, argument) in ([], ["INVALID_CURSOR"])

    @examples(25)
    @given(list_=st.sampled_from(LISTS), value=json_values, in_array=st.booleans())
    async def test_of_any_json_is_refused(self, forger: Forger, list_: str, value: Any, *, in_array: bool) -> None:
        text = json.dumps([value] if in_array else value)

        assert await forger.codes(list_, encode(text)) == ["INVALID_CURSOR"]

    @examples(25)
    @given(list_=st.sampled_from(LISTS), place=st.integers(min_value=0), other=st.characters(codec="ascii"))
    async def test_that_is_damaged_pages_or_is_refused(
        self, forger: Forger, list_: str, place: int, other: str
    ) -> None:
        cursor = forger.cursors[list_]
        place %= len(cursor)
        damaged = cursor[:place] + other + cursor[place + 1 :]

        assert await forger.codes(list_, damaged) in ([], ["INVALID_CURSOR"], ["BAD_USER_INPUT"] * (other == "\0"))

    @pytest.mark.parametrize("list_", LISTS)
    async def test_of_another_list_is_refused(self, forger: Forger, list_: str) -> None:
        codes = {other: await forger.codes(list_, cursor) for other, cursor in forger.cursors.items()}

        assert codes == {other: [] if other == list_ else ["INVALID_CURSOR"] for other in LISTS}

    @pytest.mark.parametrize(
        ("list_", "text"),
        [
            (LISTS[0], f'["0001-01-01T00:00:00+23:59","{ID}"]'),
            (LISTS[0], f'["9999-12-31T23:59:59-00:01","{ID}"]'),
            (LISTS[1], f'["a\\u0000","{ID}"]'),
            (LISTS[1], f'["\\ud800","{ID}"]'),
            (LISTS[1], f'["{"a" * 4_000}","{ID}"]'),
            (LISTS[3], '["\\u0000"]'),
            (LISTS[6], f'[NaN,"{ID}"]'),
            (LISTS[6], f'[1e999,"{ID}"]'),
            (LISTS[6], f'[{"9" * 1_000},"{ID}"]'),
            (LISTS[6], f'[1,"{ID}"]'),
            (LISTS[0], "[" * 1_000 + "]" * 1_000),
            # The same values, written in another way.
            (LISTS[0], f'["2026-W01-1T00:00:00+00:00","{ID}"]'),
            (LISTS[0], f'["2026-01-01T01:00:00+01:00","{ID}"]'),
            (LISTS[0], f'["2026-01-01T00:00:00.000500+00:00","{ID}"]'),
            (LISTS[0], f'["2026-01-01T00:00:00+00:00","{ID.upper()}"]'),
            (LISTS[0], f'["2026-01-01T00:00:00+00:00","urn:uuid:{ID}"]'),
            (LISTS[0], f'["2026-01-01T00:00:00+00:00", "{ID}"]'),
            (LISTS[6], f'[1.50,"{ID}"]'),
        ],
    )
    async def test_is_refused_where_no_row_can_be(self, forger: Forger, list_: str, text: str) -> None:
        cursor = forge(forger.digests[list_], text)

        assert await forger.codes(list_, cursor) == ["INVALID_CURSOR"]

    async def test_that_is_too_long_is_not_decoded(self, forger: Forger, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pages, "urlsafe_b64decode", lambda data: pytest.fail(f"{len(data)} bytes are decoded"))

        assert await forger.codes(LISTS[0], "A" * 100_000) == ["INVALID_CURSOR"]


class TestCursor:
    async def test_of_the_longest_title_is_taken(self, api: Api) -> None:
        # A note that becomes two characters of four bytes each.
        author = make_user()
        await save(api.database, [author, *(make_post(author, title="\U0001d15e" * 300) for _ in range(2))])
        query = "query($c: Cursor) { posts(first: 1, after: $c, orderBy: [{field: TITLE}]) { pageInfo { endCursor } } }"
        first = (await api.data(query))["posts"]["pageInfo"]["endCursor"]
        second = (await api.data(query, {"c": first}))["posts"]["pageInfo"]["endCursor"]

        assert len(first) > 3_000
        assert second not in {first, None}


class TestId:
    def test_that_is_too_long_is_not_decoded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(global_ids, "a2b_base64", lambda data: pytest.fail(f"{len(data)} bytes are decoded"))

        with pytest.raises(ValueError, match="not a global id"):
            global_ids.decode_global_id("A" * 100_000)

    def test_of_the_longest_type_is_taken(self) -> None:
        id_ = GlobalId("ApiToken", UUID(ID))

        assert global_ids.decode_global_id(id_.encode()) == id_
