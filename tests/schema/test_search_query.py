"""Highlights: the same as a naive reading of the whole text finds, for a bounded price."""

import asyncio
import random
import unicodedata
from collections.abc import Iterator
from html import escape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gqlapi.database.search import SearchQuery
from gqlapi.errors import BadUserInput
from gqlapi.schema import search_query
from gqlapi.schema.search import _highlight_each
from gqlapi.schema.search_query import Highlighter, parse_query
from gqlapi.words import fold, is_ideograph, is_word_character, words

# Letters that grow, shrink, split or join when they are folded, ideographs, marks, and what separates.
LETTERS = (
    "a",
    "b",
    "A",
    "ß",
    "ẞ",
    "İ",
    "ﬁ",
    "é",
    "e\u0301",
    "\u0323",
    "中",
    "か",
    "\u3099",
    "・",
    "ｶﾞ",
    "ﷺ",
    "½",
    "™",
    "i\u0307",
    "\u3164",
)
OTHERS = (
    "🦊",
    "\U0001d400",
    "\U00010330",
    "1",
    "_",
    " ",
    "  ",
    "\n",
    ".",
    "&",
    "<",
    "\u2019",
    "-",
    "\u00a0",
    "\u2028",
    "\u00ad",
    "\u200b",
    "\u200d",
    "❤\ufe0f",
    "\u20e3",
)
WORDS = (
    "apple",
    "Apples",
    "straße",
    "STRASSE",
    "Grüße",
    "東京タワー",
    "東京",
    "naïve",
    "кот",
    "который",
    "राम",
    "रामायण",
)


def naive_highlight(query: SearchQuery, title: str, body: str) -> str | None:
    """List all hits of the text, then show what is around the first one."""
    wanted = [term for term in query.terms if not term.is_excluded]
    whole = {word for term in wanted for word in (term.words[:-1] if term.is_prefix else term.words)}
    prefixes = tuple(term.words[-1] for term in wanted if term.is_prefix)
    for text in (body, title):
        words = [*written_words(text)]
        # Of a very long word, only the beginning.
        hits = [(at, min(end, at + 200)) for at, end, word in words if word in whole or word.startswith(prefixes)]
        if hits:
            return naive_mark(text.replace("\n", " "), hits)
    return None


def written_words(text: str) -> Iterator[tuple[int, int, str]]:
    start = 0
    for index, character in enumerate(f"{text} "):
        inside = index < len(text) and is_word_character(character)
        # Marks and joiners continue a word, and begin none.
        inside = inside and (start < index or unicodedata.category(character)[0] in "LN")
        alone = inside and is_ideograph(ord(character))
        if start < index and (alone or not inside):
            yield start, index, fold(text[start:index])
        if alone:
            yield index, index + 1, fold(character)
        if alone or not inside:
            start = index + 1


def naive_mark(text: str, hits: list[tuple[int, int]]) -> str:
    start = word_boundary(text, max(0, hits[0][0] - 60))
    end = word_boundary(text, min(len(text), start + 200))
    end = max(end, hits[0][1])
    parts, position = ["…" if start else ""], start
    for hit_start, hit_end in hits:
        if hit_end <= end:
            parts += [escape(text[position:hit_start]), "<mark>", escape(text[hit_start:hit_end]), "</mark>"]
            position = hit_end
    parts += [escape(text[position:end].rstrip()), "…" if end < len(text) else ""]
    return "".join(parts)


def word_boundary(text: str, position: int) -> int:
    if position in {0, len(text)}:
        return position
    space = text.rfind(" ", max(0, position - 40), position)
    return space + 1 if space >= 0 else position


ascii_texts = st.lists(st.sampled_from([*WORDS[:2], "a", "b", "ab", " ", "\n", ", ", "_", "<b>"]), max_size=30)
texts = st.lists(st.sampled_from([*LETTERS, *OTHERS, *WORDS, " "]), max_size=30) | ascii_texts
long_texts = st.builds(
    lambda *parts: "".join(parts[0]) * parts[1] + "".join(parts[2]), texts, st.integers(0, 60), texts
)
queries = st.lists(st.sampled_from([*LETTERS, *WORDS, "a*", "app*", "st*", "東*", "ко*", "-b"]), min_size=1, max_size=4)


class TestHighlighter:
    @given(query=queries, title=texts.map("".join), body=long_texts)
    @example(query=["b"], title="", body="™ " * 2_000 + "ﷺ b" + " end" * 60)
    @example(query=["apple"], title="", body="é" * 5_000 + " apple " + "é" * 5_000)
    @example(query=["app*"], title="", body="x" * 3_000 + "é apples")
    @example(query=["a*"], title="", body="apple" * 41)
    @example(query=["か"], title="", body="か\u3099 か" * 400)
    def test_shows_what_a_naive_reading_shows(self, query: list[str], title: str, body: str) -> None:
        try:
            parsed = parse_query(" ".join(query))
        except BadUserInput:
            return

        assert Highlighter(parsed).highlight(title, body) == naive_highlight(parsed, title, body)

    @pytest.mark.parametrize("seed", range(5))
    def test_shows_what_a_naive_reading_shows_in_long_texts(self, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - a test that can be repeated
        body = "".join(chance.choices([*LETTERS[:15], *OTHERS, *WORDS[:-2]], k=4_000)) + " राम " + " after" * 100

        for query in ("राम", "zzz", "apple*", "-b fi", "東京タワー", "к*"):
            parsed = parse_query(f"{query} zzz")
            assert Highlighter(parsed).highlight("title", body) == naive_highlight(parsed, "title", body)

    @pytest.mark.parametrize("body", ["lorem ipsum " * 8_000, "lörem ipsum " * 8_000, "lörem ipsum " * 80_000])
    def test_folds_each_part_of_a_text_at_most_once(self, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
        folded = count_folded(monkeypatch)

        assert Highlighter(parse_query("zebra")).highlight("title", body) is None

        assert sum(folded) <= 1.1 * min(len(body), 200_000)

    def test_stops_at_its_fragment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        folded = count_folded(monkeypatch)

        assert Highlighter(parse_query("zebra")).highlight("title", "Grüße zebra " * 10_000)

        assert sum(folded) < 5_000

    @pytest.mark.parametrize("unit", ["\ufdfa", "\ufdfa ", "a\u0345\u0301\u0323 ", "\ufdfb\u3000"])
    def test_gives_up_on_a_text_that_is_made_to_be_slow(self, unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """U+FDFA becomes 18 characters, four words among them."""
        folded = count_folded(monkeypatch)

        Highlighter(parse_query("الله")).highlight("title", unit * 200_000)

        assert sum(folded) <= 250_000

    def test_shows_only_the_beginning_of_a_word_without_end(self) -> None:
        shown = Highlighter(parse_query("xx*")).highlight("title", "x" * 100_000)

        assert shown == f"<mark>{'x' * 200}</mark>…"


def count_folded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the length of each text that is folded."""
    folded: list[int] = []

    def count(text: str) -> str:
        folded.append(len(text))
        return fold(text)

    monkeypatch.setattr(search_query, "fold", count)
    return folded


class TestPage:
    async def test_lets_other_requests_run_between_two_texts(self) -> None:
        turns = 0

        async def take_turns() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(take_turns())
        shown = await _highlight_each(Highlighter(parse_query("zebra")), [("zebra", "")] * 50)
        other.cancel()

        assert shown == ["<mark>zebra</mark>"] * 50
        assert turns >= 50


class TestParseQuery:
    @given(st.text(max_size=60))
    def test_takes_the_words_that_texts_are_indexed_by(self, text: str) -> None:
        try:
            parsed = parse_query(text)
        except BadUserInput:
            return

        assert {word for term in parsed.terms for word in term.words} <= {*words(text)}
