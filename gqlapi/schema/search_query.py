"""The query language of search, and the fragments that it shows."""

import re
from collections.abc import Iterator
from html import escape

from gqlapi.database.search import SearchQuery, Term
from gqlapi.errors import BadUserInput
from gqlapi.words import fold, is_ideograph, is_word_character, words

MAX_QUERY_LENGTH = 500
MAX_TERMS = 20
FRAGMENT_LENGTH = 200
# What precedes the first hit in a fragment.
LEAD_LENGTH = 60
LONG_WORD_LENGTH = 40

# An optional minus, then a phrase in quotes (the closing one may be missing), or whatever stands up to the next space.
PIECE = re.compile(r'(?P<minus>-?)(?:"(?P<phrase>[^"]*)"?|(?P<bare>[^\s"]+))')


def parse_query(text: str) -> SearchQuery:
    """Read a search as a person writes it: `word`, `"a phrase"`, `begin*`, `-without`, all of which must hold.

    Raises:
        BadUserInput: it is too long, or has no word to look for.
    """
    if len(text) > MAX_QUERY_LENGTH:
        raise BadUserInput(f"A search has at most {MAX_QUERY_LENGTH} characters.")
    terms = tuple(_terms(text))
    if len(terms) > MAX_TERMS:
        raise BadUserInput(f"A search has at most {MAX_TERMS} terms.")
    if all(term.is_excluded for term in terms):
        raise BadUserInput("A search needs at least one word to look for.")
    return SearchQuery(terms)


def _terms(text: str) -> Iterator[Term]:
    for piece in PIECE.finditer(text):
        written = piece["bare"] if piece["phrase"] is None else piece["phrase"]
        listed = tuple(words(written))
        if listed:
            yield Term(listed, is_prefix=written.endswith("*"), is_excluded=bool(piece["minus"]))


def highlight(query: SearchQuery, title: str, body: str) -> str | None:
    """Return HTML of the part of the body, else of the title, around the first hit; None where there is none."""
    wanted = [term for term in query.terms if not term.is_excluded]
    whole = {word for term in wanted for word in (term.words[:-1] if term.is_prefix else term.words)}
    prefixes = tuple(term.words[-1] for term in wanted if term.is_prefix)
    for text in (body, title):
        hits = [
            (start, end)
            for start, end, word in _written_words(text)
            if word in whole or (prefixes and word.startswith(prefixes))
        ]
        if hits:
            return _mark(text, hits)
    return None


def _written_words(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield where each word of a text stands, and its folded form."""
    start = 0
    for index, character in enumerate(f"{text} "):
        inside = index < len(text) and is_word_character(character)
        alone = inside and is_ideograph(ord(character))
        if start < index and (alone or not inside):
            yield start, index, fold(text[start:index])
        if alone:
            yield index, index + 1, fold(character)
        if alone or not inside:
            start = index + 1


def _mark(text: str, hits: list[tuple[int, int]]) -> str:
    text = text.replace("\n", " ")
    start = _word_boundary(text, max(0, hits[0][0] - LEAD_LENGTH))
    end = _word_boundary(text, min(len(text), start + FRAGMENT_LENGTH))
    end = max(end, hits[0][1])
    parts, position = ["…" if start else ""], start
    for hit_start, hit_end in hits:
        if hit_end <= end:
            parts += [escape(text[position:hit_start]), "<mark>", escape(text[hit_start:hit_end]), "</mark>"]
            position = hit_end
    parts += [escape(text[position:end].rstrip()), "…" if end < len(text) else ""]
    return "".join(parts)


def _word_boundary(text: str, position: int) -> int:
    """Move back to where a word begins, unless the text has no space for long."""
    if position in {0, len(text)}:
        return position
    space = text.rfind(" ", max(0, position - LONG_WORD_LENGTH), position)
    return space + 1 if space >= 0 else position
