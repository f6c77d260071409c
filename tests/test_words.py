"""Words and keys of texts: the same as naive definitions give, in linear time and bounded memory."""

import sys
import tracemalloc
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from precis_i18n.unicode import UnicodeData

from gqlapi import words as module
from gqlapi.words import MAX_SHRINKAGE, fold, fold_key, is_ideograph, slug_key, slug_of, words

UNICODE = UnicodeData()
# Those that the Unicode of this Python knows; `regex` knows newer ones.
CHARACTERS = [
    character
    for character in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(character) not in {"Cn", "Cs"}
]
MARKS = [character for character in CHARACTERS if unicodedata.combining(unicodedata.normalize("NFKD", character)[0])]

IGNORABLE = "\u00ad\u034f\u3164\ufe0f\U000e0061"
# What joins, separates, begins and continues words.
SPECIAL = (
    "ab1 .iİ\u0307\u0301\u0323中か\u3099・ー\u00ad\u200b\u200c\u200d\u2060\u034f\u3164\ufe0f\u20e3❤🏽🏴\U000e0067ﷺ½"
)


def naive_fold(text: str) -> str:
    composed = unicodedata.normalize("NFKC", text)
    visible = "".join(character for character in composed if not UNICODE.default_ignorable(ord(character)))
    folded = unicodedata.normalize("NFKC", visible.casefold())
    while "i\u0307" in folded:
        folded = unicodedata.normalize("NFKC", folded.replace("i\u0307", "i"))
    return folded


def naive_words(text: str) -> list[str]:
    """Read a text character by character: a word begins with a letter or a digit, and marks continue it."""
    found = [""]
    for character in naive_fold(text.replace("\u200b", " ")):
        category = unicodedata.category(character)
        is_letter = category[0] in "LN"
        if is_letter and is_ideograph(ord(character)):
            found += [character, ""]
        elif not is_ideograph(ord(character)) and (is_letter or (found[-1] and category in {"Mn", "Mc"})):
            found[-1] += character
        else:
            found.append("")
    return [word[:64] for word in found if word]


class TestWords:
    def test_are_made_of_the_letters_that_unicode_names(self) -> None:
        for start in range(0, len(CHARACTERS), 1_000):
            text = " . ".join(f"a{character}1 {character}" for character in CHARACTERS[start : start + 1_000])
            assert words(text) == naive_words(text), hex(start)

    @given(st.text(st.sampled_from(CHARACTERS)) | st.text(st.sampled_from(SPECIAL)))
    def test_are_those_of_a_naive_reading(self, text: str) -> None:
        assert words(text) == naive_words(text)

    def test_have_nothing_invisible(self) -> None:
        assert words("❤️ ✏️ 1️⃣ 👍🏽 🏴\U000e0067\U000e007f \u3164 \u0301") == ["1"]
        assert words("co\u00adop\u2060erate") == ["cooperate"]
        assert words("\u0645\u06cc\u200c\u062e") == ["\u0645\u06cc\u062e"]
        assert words("ខ្ញុំ\u200bស្រឡាញ់") == ["ខ្ញុំ", "ស្រឡាញ់"]

    def test_keep_no_memory_of_what_they_have_seen(self) -> None:
        words("é中🦊")
        tracemalloc.start()
        try:
            for start in range(0, 0x20000, 1_000):
                words("".join(CHARACTERS[start : start + 1_000]))
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert kept < 100_000


class TestFold:
    @given(
        st.text(
            st.sampled_from([*MARKS, *"aeiöﬁㄱ가\u1100\u1161\u11a8 🦊İ\u00ad\u034f\u3164\ufe0f\U000e0061"]),
            max_size=200,
        )
    )
    def test_is_what_unicode_defines(self, text: str) -> None:
        assert fold(text) == naive_fold(text)

    @pytest.mark.parametrize("unit", ["\u0323\u0301", "\uff9e\u0301", "\u0f73\u0301\u0345", "a\u0f81\u0301"])
    def test_is_what_unicode_defines_of_long_runs_of_marks(self, unit: str) -> None:
        text = f"e{unit * 200}."

        assert fold(text) == naive_fold(text)

    @pytest.mark.parametrize("unit", ["\u0301\u0323", "\uff9e\u0301", "\u0f73\u0301", "\u0345\u0301\u0323\u0321\u0334"])
    def test_hands_marks_over_in_order(self, unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Python moves each mark past those before it, one by one: a second for 40,000 of them."""
        normalize, moves = unicodedata.normalize, [0]

        def count(form: str, text: str) -> str:
            classes = [unicodedata.combining(c) for c in normalize("NFKD", text)] if len(text) < 5_000 else []
            moves[0] += sum(0 < after < before for before, after in pairwise(classes))
            return normalize(form, text)  # type: ignore[arg-type] # a form that the module names

        monkeypatch.setattr(unicodedata, "normalize", count)

        fold(f"e{unit * 500}")

        assert moves[0] < 10

    def test_knows_all_letters_that_become_marks(self) -> None:
        for character in CHARACTERS:
            decomposed = unicodedata.normalize("NFKD", character)
            if unicodedata.combining(decomposed[0]):
                assert not character.isalnum() or character in "\uff9e\uff9f", hex(ord(character))

    def test_shrinks_a_text_to_a_quarter_at_most(self) -> None:
        for character in CHARACTERS:
            if not UNICODE.default_ignorable(ord(character)):
                assert len(unicodedata.normalize("NFD", fold(character))) <= MAX_SHRINKAGE * len(fold(character))
                assert len(unicodedata.normalize("NFD", character)) <= MAX_SHRINKAGE * len(fold(character))


class TestFoldKey:
    @given(st.text(st.sampled_from("aßİﬁ\ufdfa\u1100\u1161\u11a8e\u0301\u0323"), max_size=30), st.integers(1, 30))
    def test_is_the_folded_text_or_none_where_that_is_too_long(self, text: str, max_length: int) -> None:
        folded = fold(text)

        assert fold_key(text, max_length) == (folded if len(folded) <= max_length else None)

    def test_folds_no_text_that_is_far_too_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_compose", lambda text: pytest.fail(f"{len(text)} characters are folded"))

        assert fold_key("\ufdfa" * 2_401, 600) is None

    def test_ignores_what_cannot_be_seen(self) -> None:
        assert fold_key("\u3164a\ufe0f", 1) == "a"
        assert fold_key("İST", 3) == "ist"


class TestSlugOf:
    @pytest.mark.parametrize(
        ("text", "slug"),
        [
            ("❤️", ""),
            ("\u3164\u0301", ""),
            ("✏️ note", "note"),
            ("I ❤️ Python", "i-python"),
            ("İstanbul", "istanbul"),
            ("co\u00adoperate", "cooperate"),
            ("1️⃣ first", "1-first"),
            ("it's", "its"),
            ("東京・大阪", "東京-大阪"),
        ],
    )
    def test_has_only_what_a_reader_sees(self, text: str, slug: str) -> None:
        assert slug_of(text, 100) == slug

    @given(st.text() | st.text(st.sampled_from(SPECIAL)), st.integers(1, 30))
    def test_is_its_own_slug(self, text: str, max_length: int) -> None:
        slug = slug_of(text, max_length)
        assert slug_of(slug, max_length) == slug == fold(slug)
        assert not any(UNICODE.default_ignorable(ord(character)) for character in slug)
        assert slug == "" or (slug[0] + slug[-1]).replace("-", "") == slug[0] + slug[-1]


class TestSlugKey:
    def test_finds_slugs_of_earlier_versions(self) -> None:
        for slug in ("\ufe0f-note", "i\u0307stanbul"):
            assert slug_key(slug, 100) == slug

    def test_is_folded(self) -> None:
        assert slug_key("İstanbul", 8) == "istanbul"
        assert slug_key("My-Post", 7) == "my-post"
        assert slug_key("my-post", 6) is None
