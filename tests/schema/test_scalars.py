"""Scalars: what goes in, what comes out, and what is refused."""

from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from math import floor

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gqlapi.database.types import to_milliseconds
from gqlapi.models import Post, new_id
from gqlapi.repositories.pages import Ordering, OrderTerm
from gqlapi.repositories.records import PostRecord
from gqlapi.schema.scalars import parse_datetime, serialize_datetime
from tests.api import Api
from tests.factories import make_post, make_user, save

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=OFFSETS)  # noqa: DTZ001 - OFFSETS are added
MICROSECOND = timedelta(microseconds=1)


class TestDateTime:
    @given(moment=TIMES)
    def test_is_read_back_in_milliseconds(self, moment: datetime) -> None:
        text = serialize_datetime(moment)
        assert parse_datetime(text) == to_milliseconds(moment.astimezone(UTC))
        assert serialize_datetime(parse_datetime(text)) == text

    @given(moment=TIMES)
    def test_is_the_same_with_any_offset(self, moment: datetime) -> None:
        assert parse_datetime(moment.isoformat()) == moment

    @given(one=TIMES, two=TIMES)
    def test_sorts_as_text(self, one: datetime, two: datetime) -> None:
        first, second = sorted([to_milliseconds(one), to_milliseconds(two)])
        assert serialize_datetime(first) <= serialize_datetime(second)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2026-11-20T09:30:00+01:00", "2026-11-20T08:30:00.000Z"),
            ("2026-11-20t08:30:00z", "2026-11-20T08:30:00.000Z"),
            ("2026-11-20 08:30:00.1239Z", "2026-11-20T08:30:00.123Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
            ("1990-12-31T15:59:60.5-08:00", "1991-01-01T00:00:00.500Z"),
        ],
    )
    def test_takes_the_forms_of_the_rfc(self, text: str, expected: str) -> None:
        assert serialize_datetime(parse_datetime(text)) == expected

    @pytest.mark.parametrize(
        "value",
        [
            *("", "now", "2026-11-20", "2026-11-20T08:30:00", "2026-11-20T08:30Z", "20261120T083000Z"),
            *("2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-20T25:00:00Z", "٢٠٢٦-11-20T08:30:00Z"),
            *("2026-11-20T08:30:00+0100", "2026-11-20T08:30:00+25:00"),
            *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "9999-12-31T23:59:60Z"),
            *("2016-12-31T23:59:61Z", "2016-12-31T23:58:60Z", "2016-12-30T23:59:60Z", "2016-12-31T23:59:60+01:00"),
            *(1_700_000_000, 1.5, True, None, []),
        ],
    )
    def test_refuses_everything_else(self, value: object) -> None:
        with pytest.raises(ValueError, match=r"."):
            parse_datetime(value)

    @given(digits=st.text(alphabet="0129", min_size=1, max_size=12))
    def test_is_later_than_a_time_that_is_finer(self, digits: str) -> None:
        moment = parse_datetime(f"2026-11-20T08:30:00.{digits}Z")
        whole = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
        exact = Fraction(int(digits), 10 ** len(digits))
        stored = [whole + timedelta(milliseconds=floor(exact * 1000) + step) for step in (0, 1)]
        assert [time < moment for time in stored] == [
            Fraction((time - whole) // MICROSECOND, 1_000_000) < exact for time in stored
        ]
        assert (moment in stored) == ((exact * 1000).denominator == 1)

    async def test_has_the_leap_seconds_of_postgresql(self, postgresql_url: str) -> None:
        connection = await asyncpg.connect(postgresql_url)
        for text in ("2016-12-31T23:59:60Z", "2015-07-01T01:59:60+02:00"):
            found = await connection.fetchval(f"SELECT '{text}'::timestamptz")
            assert parse_datetime(text) == found
        await connection.close()

    @given(text=st.text() | st.text(alphabet="0123456789-:TZ+. "))
    def test_never_fails_in_another_way(self, text: str) -> None:
        try:
            moment = parse_datetime(text)
        except ValueError:
            return
        assert moment.tzinfo is UTC

    async def test_survives_the_database(self, api: Api) -> None:
        author, published_at = make_user(), datetime(2024, 2, 29, 23, 59, 59, 987_000, tzinfo=UTC)
        await save(api.database, [author, make_post(author, published_at=published_at)])
        query = "query($t: DateTime!) { posts(filter: {publishedAt: {eq: $t}}) { nodes { publishedAt } } }"
        data = await api.data(query, {"t": "2024-03-01T01:59:59.987+02:00"})
        assert data["posts"]["nodes"] == [{"publishedAt": "2024-02-29T23:59:59.987Z"}]


class TestCursor:
    async def test_is_text_that_leads_on(self, api: Api) -> None:
        author = make_user()
        posts: list[Post] = [make_post(author) for _ in range(3)]
        await save(api.database, [author, *posts])
        query = "query($c: Cursor) { posts(first: 1, after: $c) { nodes { title } pageInfo { endCursor } } }"
        cursor, titles = None, []
        for _ in posts:
            page = (await api.data(query, {"c": cursor}))["posts"]
            titles += [node["title"] for node in page["nodes"]]
            cursor = page["pageInfo"]["endCursor"]
            assert isinstance(cursor, str)
            assert cursor.isascii()
        assert titles == [post.title for post in reversed(posts)]

    @given(title=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50), moment=TIMES)
    def test_keeps_every_value(self, title: str, moment: datetime) -> None:
        terms = (OrderTerm("title_key", str), OrderTerm("updated_at", datetime), OrderTerm("id", type(new_id())))
        ordering, at = Ordering(terms, "Post"), to_milliseconds(moment.astimezone(UTC))
        names = ("id", "title_key", "updated_at")
        record = PostRecord.of(names, (id_ := new_id(), title, at))
        assert ordering.decode_cursor(ordering.encode_cursor(record)) == (title, at, id_)
