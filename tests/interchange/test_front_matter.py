"""What is between the fences, and what hostile front matter does."""

from datetime import UTC, date, datetime, timedelta, timezone
from time import process_time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gqlapi.interchange.dates import read_date
from gqlapi.interchange.front_matter import join, split
from gqlapi.interchange.unreadable import NotAPost, Unreadable
from gqlapi.interchange.yaml_texts import dump_yaml, load_yaml

LINE_BREAKS = "\n\r\x0b\x0c\x1c\x85\u2028\u2029\ufeff"
TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from(LINE_BREAKS))
BODIES = TEXTS | st.lists(
    st.sampled_from(["---", "+++", "\n", "\r\n", "\r", " ", "# A", "a: b", "\ufeff", "{% x %}"])
).map("".join)


def bomb(levels: int, width: int) -> str:
    """Return tables of which each merges the one before many times over."""
    texts = ["a0: &a0 {x: 1}"]
    texts += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * width)}]}}" for n in range(1, levels)]
    return "\n".join(texts)


class TestSplit:
    @pytest.mark.parametrize("fence", ["---", "+++"])
    def test_takes_off_one_blank_line(self, fence: str) -> None:
        assert split(f"{fence}\n{fence}\n\n\nText") == ({}, "\nText")
        assert split(f"{fence} \r\n{fence}\t\r\n\r\nText\r\n") == ({}, "Text\r\n")
        assert split(f"{fence}\n{fence}\nText") == ({}, "Text")
        assert split(f"{fence}\n{fence}") == ({}, "")

    def test_reads_yaml_as_the_texts_that_stand_there(self) -> None:
        front, _ = split("---\nTitle: 1.10\ntags: [no, 2013, 1:20]\ndate: 2013-13-45\nempty:\nquoted: 'null'\n---\n")
        assert front == {
            "title": "1.10",
            "tags": ["no", "2013", "1:20"],
            "date": "2013-13-45",
            "empty": None,
            "quoted": "null",
        }

    def test_reads_toml(self) -> None:
        front, body = split("+++\nTitle = 'A'\ndate = 2021-03-04\n[taxonomies]\ntags = ['b']\n+++\nText")
        assert (front, body) == ({"title": "A", "date": date(2021, 3, 4), "taxonomies": {"tags": ["b"]}}, "Text")

    def test_leaves_fences_in_the_body_alone(self) -> None:
        assert split("---\n---\n---\na: b\n---\n")[1] == "---\na: b\n---\n"
        assert split("+++\n+++\n---\n---\n")[1] == "---\n---\n"

    @given(title=TEXTS, body=BODIES)
    @example(title="\x85", body="\x85")
    @example(title="a\x85 \u2028b\r\n", body="\ufeff---\n")
    def test_reads_back_to_the_letter_what_was_joined(self, title: str, body: str) -> None:
        front = {"title": title, "tags": [title, "a"], "draft": None}
        assert split(join(front, body)) == (front, body)

    @pytest.mark.parametrize("text", ["", "Text", " ---\n---\n", "---", "----\n----\n", "\n---\n---\n"])
    def test_knows_a_file_without_front_matter(self, text: str) -> None:
        with pytest.raises(NotAPost, match="it has no front matter"):
            split(text)


class TestBadFrontMatter:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("---\ntitle: A\n", "not closed by a line of ---"),
            ("---\ntitle: A\n+++\n", "not closed by a line of ---"),
            ("+++\ntitle = 'A'\n---\n", r"not closed by a line of \+\+\+"),
            ("---\ntitle: [A\n---\n", "its YAML cannot be read: "),
            ("---\ntitle: {{ title }}\n---\n", "its YAML cannot be read: "),
            ("---\na: *nothing\n---\n", "its YAML cannot be read: "),
            ("---\na: !!python/object/apply:os.system [true]\n---\n", "its YAML cannot be read: "),
            ('---\na: "\\U7fffffff"\n---\n', "its YAML cannot be read: "),
            ("---\n\x07\n---\n", "its YAML cannot be read: "),
            ("---\n- a\n---\n", "not a table of names and values"),
            ("---\njust words\n---\n", "not a table of names and values"),
            ("+++\ntitle = A\n+++\n", "its TOML cannot be read: "),
            ("+++\ndate = 2013-13-45\n+++\n", "its TOML cannot be read: "),
            (f"+++\na = {'9' * 5000}\n+++\n", "its TOML cannot be read: "),
            (f"---\na: {'b' * 70_000}\n---\n", "longer than 65536 characters"),
            (f"---\n{'[' * 60_000}\n---\n", "its YAML cannot be read: "),
            (f"+++\na = {'[' * 60_000}\n+++\n", "its TOML cannot be read: "),
            ("---\ntitle: A\ntitle: B\n---\n", "has the name 'title' twice"),
            ("---\nextra: {a: 1, a: 2}\n---\n", "has the name 'a' twice"),
            ("---\ndraft: true\nDraft: false\n---\n", "a name twice, in upper and lower case"),
            ('{\n  "title": "A"\n}\n', "its front matter is JSON"),
        ],
    )
    def test_is_refused_with_the_reason(self, text: str, reason: str) -> None:
        with pytest.raises(Unreadable, match=reason) as caught:
            split(text)
        assert "\n" not in str(caught.value)
        assert caught.value.is_bad

    @pytest.mark.parametrize("tag", ["!!int ''", "!!float ''", "!!bool maybe", "!!timestamp 2013-13-45", "!!int 1:1"])
    def test_of_other_types_is_text(self, tag: str) -> None:
        assert load_yaml(f"a: {tag}") == {"a": tag.partition(" ")[2].strip("'")}

    @pytest.mark.parametrize("width", [9, 90])
    def test_cannot_grow_in_memory(self, width: int) -> None:
        started = process_time()
        with pytest.raises(Unreadable, match="more than"):
            load_yaml(bomb(12, width))
        assert process_time() - started < 2

    def test_may_use_aliases(self) -> None:
        text = "base: &base {author: ada}\nextra:\n  <<: *base\n  color: red\n"
        assert load_yaml(text)["extra"] == {"author": "ada", "color": "red"}

    def test_may_refer_to_itself(self) -> None:
        front, _ = split("---\ntags: &a [x, *a]\nauthor: &b {name: *b}\n---\n")
        assert front["tags"][0] == "x"

    def test_has_as_many_entries_as_a_blog_needs(self) -> None:
        entries = {f"name{number}": {"name": "A"} for number in range(2_000)}
        assert load_yaml(dump_yaml(entries)) == entries


class TestDates:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("2013-05-06 02:12:52 +0200", datetime(2013, 5, 6, 0, 12, 52, tzinfo=UTC)),
            ("2013-05-06 02:12:52 -07:30", datetime(2013, 5, 6, 9, 42, 52, tzinfo=UTC)),
            ("2013-05-06T02:12:52.123456789Z", datetime(2013, 5, 6, 2, 12, 52, 123_000, tzinfo=UTC)),
            ("2013-5-6 2:03", datetime(2013, 5, 6, 2, 3, tzinfo=UTC)),
            ("2013/05/06", datetime(2013, 5, 6, tzinfo=UTC)),
            (" 2013-05-06 UTC ", datetime(2013, 5, 6, tzinfo=UTC)),
            (date(2013, 5, 6), datetime(2013, 5, 6, tzinfo=UTC)),
            (datetime(2013, 5, 6, 2), datetime(2013, 5, 6, 2, tzinfo=UTC)),  # noqa: DTZ001 - as TOML has it
            (datetime(2013, 5, 6, 2, tzinfo=timezone(timedelta(hours=2))), datetime(2013, 5, 6, tzinfo=UTC)),
            ("1970-01-01", datetime(1970, 1, 1, tzinfo=UTC)),
            ("9999-12-31 23:59:59.999", datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)),
            ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
            ("", None),
            (None, None),
        ],
    )
    def test_are_read_as_utc(self, value: object, expected: datetime | None) -> None:
        assert read_date(value) == expected

    @pytest.mark.parametrize(
        "value",
        [
            *("yesterday", "2013-13-45", "2013-05-06 25:00", "2013-05-06 1:2:3", "6 May 2013", "2013-05-06 +99:00"),
            *("0000-01-01", "9999-12-31 23:00 -05:00", "2013-05-06 12:00:00 2013 -0800", "\u0662013-05-06"),
            *("2016-12-31T23:58:60Z", "2016-12-31T23:59:61Z"),
            *([], 2013, True),
        ],
    )
    def test_that_are_none_are_refused(self, value: object) -> None:
        with pytest.raises(Unreadable, match=r"its date.* cannot be read"):
            read_date(value)

    @pytest.mark.parametrize("value", ["1969-12-31", "0001-01-01T00:00:00Z", "1970-01-01 00:30 +01:00"])
    def test_before_1970_are_refused(self, value: str) -> None:
        with pytest.raises(Unreadable, match="its date lies before 1970"):
            read_date(value)
