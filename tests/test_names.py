"""Names and passwords by PRECIS, and the look of names: against the library's own data, and UTS 39."""

import unicodedata
from collections.abc import Iterator

import pytest
from confusable_homoglyphs.utils import load
from hypothesis import given
from hypothesis import strategies as st
from precis_i18n import get_profile
from precis_i18n.unicode import UnicodeData

from gqlapi.accounts.passwords import check_password
from gqlapi.accounts.registration import check_username
from gqlapi.names import is_nickname, normalize_nickname, normalize_password, normalize_username, skeleton
from gqlapi.seeding.texts import make_tag_name

HOMOGLYPHS: dict[str, list[dict[str, str]]] = load("confusables.json")


def similar_letters(letter: str) -> Iterator[str]:
    """Yield what looks like a letter, and may be in a user name."""
    for other in HOMOGLYPHS.get(letter, ()):
        if normalize_username(other["c"]) == other["c"]:
            yield other["c"]


def is_lasting(name: str) -> bool:
    """Whether a text can be part of a user name as it is, also when it is taken apart."""
    return normalize_username(name) == name == unicodedata.normalize("NFD", name)


def test_homoglyphs_are_found() -> None:
    assert {"а", "ɑ"} <= {*similar_letters("a")}  # noqa: RUF001 - that is the point
    assert sum(len([*similar_letters(letter)]) for letter in "abcdefghijklmnopqrstuvwxyz01") > 100


@st.composite
def disguised(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a name, and another one that looks the same."""
    name = draw(st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz01"), min_size=1, max_size=8))
    letters = (draw(st.sampled_from([letter, *similar_letters(letter)])) for letter in name)
    return name, "".join(letters)


class TestSkeleton:
    @given(disguised())
    def test_is_the_same_for_names_that_look_the_same(self, names: tuple[str, str]) -> None:
        assert skeleton(names[0]) == skeleton(names[1])

    def test_is_the_same_for_each_listed_pair(self) -> None:
        pairs = [(letter, other["c"]) for letter, others in HOMOGLYPHS.items() for other in others]
        names = [pair for pair in pairs if all(map(is_lasting, pair))]
        assert len(names) > 1_000
        assert [pair for pair in names if skeleton(pair[0]) != skeleton(pair[1])] == []

    @pytest.mark.parametrize(
        ("name", "other"),
        [("user1", "userl"), ("rnary", "mary"), ("ADA", "ada"), ("paypal", "pаураl")],  # noqa: RUF001
    )
    def test_sees_no_difference(self, name: str, other: str) -> None:
        assert skeleton(name) == skeleton(other)

    @pytest.mark.parametrize(("name", "other"), [("ada", "adá"), ("ann", "anna"), ("ali", "all"), ("a-b", "a_b")])
    def test_sees_a_difference(self, name: str, other: str) -> None:
        assert skeleton(name) != skeleton(other)

    @given(st.text(max_size=64))
    def test_has_no_invisible_characters_and_one_case(self, name: str) -> None:
        assert skeleton(name) == skeleton(name.upper().lower()) or name.upper().lower() != name.lower()
        assert skeleton(f"{name}\ufe0f") == skeleton(name)


class TestUsername:
    @given(st.text(max_size=20) | st.text(st.sampled_from("aA1_-.ａßשב\u0301中")))
    def test_is_refused_or_normalized(self, name: str) -> None:
        problems = [*check_username(name, ("username",))]
        if problems:
            assert [problem.code in {"REQUIRED", "INVALID", "TOO_LONG"} for problem in problems] == [True]
            return
        normal = normalize_username(name)
        assert normal is not None
        assert normal == normalize_username(normal) == unicodedata.normalize("NFC", normal.lower())
        assert [*check_username(normal, ("username",))] == []

    @pytest.mark.parametrize(("name", "normal"), [("Ada", "ada"), ("\uff41da", "ada"), ("é", "é"), ("ÉL", "él")])
    def test_is_in_lower_case(self, name: str, normal: str) -> None:
        assert normalize_username(name) == normal

    @pytest.mark.parametrize(
        "name", ["admin\ufe0f", "\u3164", "a\u200db", "ﬁsh", "a\u202eb", "a b", "a\u05d0", "a\u00b7"]
    )
    def test_is_refused(self, name: str) -> None:
        assert [problem.code for problem in check_username(name, ())] == ["INVALID"]


class TestPassword:
    @given(st.text(min_size=8, max_size=40))
    def test_is_refused_or_the_same_however_it_is_typed(self, password: str) -> None:
        problems = [*check_password(password, ("password",))]
        if problems:
            assert [problem.code in {"INVALID", "TOO_LONG"} for problem in problems] == [True]
            return
        typed = normalize_password(unicodedata.normalize("NFD", password))
        assert typed == normalize_password(password) == normalize_password(typed or "")

    def test_of_ascii_stays_as_it_is(self) -> None:
        password = "".join(map(chr, range(0x20, 0x7F)))
        assert normalize_password(password) == password

    @pytest.mark.parametrize("password", ["pass\x00word", "pass\tword", "pass\u200bword"])
    def test_is_refused_where_it_cannot_be_typed(self, password: str) -> None:
        assert [problem.code for problem in check_password(password, ())] == ["INVALID"]

    def test_has_its_length_after_it_was_normalized(self) -> None:
        assert [problem.code for problem in check_password("e\u0301" * 4, ())] == ["INVALID"]
        assert [problem.code for problem in check_password("x" * 201, ())] == ["TOO_LONG"]
        assert [*check_password("e\u0301" * 8, ())] == []


class TestNickname:
    @pytest.mark.parametrize(
        ("name", "normal"),
        [
            ("  Ada \u00a0 Lovelace ", "Ada Lovelace"),
            ("\uff21da™", "AdaTM"),
            ("Ann ❤️ 🫩", "Ann ❤️ 🫩"),
            ("👩🏽\u200d🚀", "👩🏽\u200d🚀"),
            ("\u0661\u0661 \u30a2\u30fb\u30fb", "\u0661\u0661 \u30a2\u30fb\u30fb"),
        ],
    )
    def test_is_normalized(self, name: str, normal: str) -> None:
        assert normalize_nickname(name) == normal
        assert is_nickname(normal)

    @pytest.mark.parametrize(
        "name",
        ["\u200b", "a\x07b", "co\u00adop", "a\u00b7b", "\u0661\u0661\u06f1", "a\u30fb\u30fb", "l\u0661\u00b7\u0661l"],
    )
    def test_is_refused(self, name: str) -> None:
        assert not is_nickname(name)

    @given(st.text(st.sampled_from("al\u00b7\u0661\u06f1\u30fb\u30a2\u0628\u200c \u0301"), max_size=12))
    def test_is_refused_where_the_profile_refuses_it(self, name: str) -> None:
        normal = normalize_nickname(name)
        try:
            accepted = get_profile("NicknameCasePreserved").enforce(normal or "a")
        except UnicodeError:
            accepted = None
        assert is_nickname(normal) == (accepted is not None)

    def test_is_looked_through_a_few_times(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """For each of these digits, the profile looks through the whole name: two seconds for 4,000."""
        calls: list[int] = []

        def count(_: UnicodeData, code_point: int) -> bool:
            calls.append(code_point)
            return False

        monkeypatch.setattr(UnicodeData, "extended_arabic_indic", count)
        assert is_nickname("\u0661" * 100)
        assert len(calls) == 100

    def test_takes_the_tags_of_the_seed(self) -> None:
        names = [make_tag_name(number) for number in range(1_000)]
        assert [normalize_nickname(name) for name in names] == names
        assert all(map(is_nickname, names))
