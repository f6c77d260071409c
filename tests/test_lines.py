"""Lines: refused, or as a reader sees them."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from precis_i18n.unicode import UnicodeData

from gqlapi.checks import check_line, check_name
from gqlapi.lines import hidden_character, is_visible, normalize_line
from gqlapi.names import is_nickname, normalize_nickname
from gqlapi.problems import Problem

UNICODE = UnicodeData()
# Selectors of variants, joiners and tags: allowed at some places.
SELECTORS = {*map(chr, (*range(0xFE00, 0xFE10), 0x180B, 0x180C, 0x180D, 0x180E, 0x180F, 0x200C, 0x200D))}
SELECTORS |= {*map(chr, (*range(0xE0020, 0xE0080), *range(0xE0100, 0xE01F0)))}
PIECES = st.sampled_from(
    [*"aé1 中あ가ا❤🏽🏴👩#", "\u094d", "\u0301", "\ufe0f", "\u200d", "\u200c", "\U000e0067", "\U000e007f"]
)
TEXTS = st.text(max_size=40) | st.lists(PIECES, max_size=12).map("".join)


def line_problems(text: str) -> list[Problem]:
    return [*check_line(text, ("title",), 300, 600)]


class TestCheckLine:
    @given(TEXTS)
    def test_refuses_or_finds_nothing_hidden(self, text: str) -> None:
        problems = line_problems(text)
        if problems:
            assert [problem.code in {"REQUIRED", "INVALID", "TOO_LONG"} for problem in problems] == [True]
            return
        line = normalize_line(text)
        assert line == unicodedata.normalize("NFC", text.strip())
        assert line_problems(line) == []
        assert len(line.splitlines()) == 1
        for character in line:
            assert unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}
            assert unicodedata.bidirectional(character) not in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI"}
            assert not UNICODE.default_ignorable(ord(character)) or character in SELECTORS

    @pytest.mark.parametrize("text", ["", " \t\n", "\u2800", "\u0301", "\u3000\u2800"])
    def test_requires_something_to_see(self, text: str) -> None:
        assert [problem.code for problem in line_problems(text)] == ["REQUIRED"]

    @pytest.mark.parametrize(
        ("text", "code_point"),
        [
            ("\u200b", "U+200B (ZERO WIDTH SPACE)"),
            ("\u3164", "U+3164 (HANGUL FILLER)"),
            ("\ufe0f", "U+FE0F (VARIATION SELECTOR-16)"),
            ("a\nb", "U+000A"),
            ("a\r\nb", "U+000D"),
            ("tab\x07bell", "U+0007"),
            ("esc\x1b[31mred", "U+001B"),
            ("a\u2028b", "U+2028 (LINE SEPARATOR)"),
            ("a\u202eb", "U+202E (RIGHT-TO-LEFT OVERRIDE)"),
            ("a\u2067b", "U+2067 (RIGHT-TO-LEFT ISOLATE)"),
            ("a\u200bb", "U+200B (ZERO WIDTH SPACE)"),
            ("co\u00adoperate", "U+00AD (SOFT HYPHEN)"),
            ("admin\ufe0f", "U+FE0F (VARIATION SELECTOR-16)"),
            ("a\u3164b", "U+3164 (HANGUL FILLER)"),
            ("a\u200db", "U+200D (ZERO WIDTH JOINER)"),
            ("a\U000e0067\U000e007f", "U+E0067 (TAG LATIN SMALL LETTER G)"),
            ("a\ufffeb", "U+FFFE"),
            ("a\ud800", "U+D800"),
        ],
    )
    def test_names_what_cannot_be_seen(self, text: str, code_point: str) -> None:
        [problem] = line_problems(text)
        assert problem.code == "INVALID"
        assert problem.message == f"It must be one line without invisible characters: remove {code_point}."

    @pytest.mark.parametrize(
        "text",
        [
            "I ❤️ Python",
            "👨\u200d👩\u200d👧 and 👩🏽\u200d🚀",
            "❤️\u200d🔥 1️⃣",
            "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0915\u094d\u200d\u0937",
            "葛\U000e0100城",
            "Ⅷ · ½ № ™",
            "🫩",  # newer than the Unicode of some Pythons
        ],
    )
    def test_takes_what_is_part_of_a_spelling(self, text: str) -> None:
        assert line_problems(text) == []
        assert is_visible(text)
        assert hidden_character(text) is None

    def test_counts_what_compatibility_characters_stand_for(self) -> None:
        [problem] = line_problems("\ufdfa" * 34)
        assert (problem.code, problem.message) == (
            "TOO_LONG",
            "At most 600 characters, counted after Unicode normalization.",
        )

    def test_counts_what_is_stored(self) -> None:
        # NFC makes two characters of one.
        assert [problem.code for problem in line_problems("\u0958" * 151)] == ["TOO_LONG"]
        assert line_problems("\u0958" * 150) == []


class TestCheckName:
    @example("\u00af")
    @given(TEXTS)
    @example("\u00b4")
    def test_refuses_or_is_kept_by_the_profile(self, text: str) -> None:
        problems = [*check_name(text, ("name",), 100, 600)]
        if problems:
            assert [problem.code in {"REQUIRED", "INVALID", "TOO_LONG"} for problem in problems] == [True]
            return
        name = normalize_nickname(text)
        assert is_nickname(name)
        assert name == normalize_nickname(name) == unicodedata.normalize("NFKC", " ".join(name.split()))
        assert 0 < len(name) <= 100
        assert [*check_name(name, ("name",), 100, 600)] == []
