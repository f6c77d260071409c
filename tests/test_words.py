"""Words and keys of texts: the same as naive definitions give, in linear time and bounded memory."""

import sys
import tracemalloc
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gqlapi import words as module
from gqlapi.words import MAX_SHRINKAGE, fold, fold_key, is_ideograph, is_word_character, words

CHARACTERS = [chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point <= 0xDFFF]
MARKS = [character for character in CHARACTERS if unicodedata.combining(unicodedata.normalize("NFKD", character)[0])]


def naive_fold(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


class Separated(dict[int, str]):
    """A table for `str.translate`, which remembers each character."""

    def __missing__(self, code_point: int) -> str:
        character = chr(code_point)
        if is_ideograph(code_point):
            self[code_point] = f" {character} "
        else:
            self[code_point] = character if is_word_character(character) else " "
        return self[code_point]


def naive_words(text: str) -> list[str]:
    return [word[:64] for word in naive_fold(text).translate(Separated()).split()]


class TestWords:
    def test_are_made_of_the_letters_that_unicode_names(self) -> None:
        for start in range(0, len(CHARACTERS), 1_000):
            text = " . ".join(f"a{character}1 {character}" for character in CHARACTERS[start : start + 1_000])
            assert words(text) == naive_words(text), hex(start)

    @given(st.text())
    def test_are_those_of_a_naive_reading(self, text: str) -> None:
        assert words(text) == naive_words(text)

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
    @given(st.text(st.sampled_from([*MARKS, *"aeöﬁㄱ가\u1100\u1161\u11a8 🦊İ"]), max_size=200))
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
