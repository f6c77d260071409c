"""The query language of search, and the fragments that it shows."""

import re
from collections.abc import Iterator
from html import escape

from gqlapi.database.search import MAX_DOCUMENT_LENGTH, SearchQuery, Term
from gqlapi.errors import BadUserInput
from gqlapi.words import MAX_SHRINKAGE, MAX_WORD_LENGTH, WORD, WORD_END, fold, words

MAX_QUERY_LENGTH = 500
MAX_TERMS = 20
FRAGMENT_LENGTH = 200
# What precedes the first hit in a fragment.
LEAD_LENGTH = 60
LONG_WORD_LENGTH = 40
# A word of a search has at most 64 folded characters; a longer written word cannot be equal to one.
LONGEST_WRITTEN_WORD = MAX_SHRINKAGE * (MAX_WORD_LENGTH + 1)
# Texts are folded in pieces, until the first hit.
PIECE_LENGTH = 1_000
# Folding hardly changes the length of ordinary texts, but makes 18 characters of some; then the search stops early.
MAX_FOLDED_LENGTH = 2 * MAX_DOCUMENT_LENGTH
# Charged when a piece is read word by word without a hit: U+FDFA, for example, folds to several words.
COST_OF_FALSE_HIT = 10 * PIECE_LENGTH
_ASCII_SEPARATORS = {code_point: " " for code_point in range(128) if not chr(code_point).isalnum()}

QUERY_LANGUAGE = (
    'Words that must all be found, `"a phrase"`, `begin*`, `-without`. The last word may be the beginning of one, from '
    "two letters on, unless it is in quotes."
)
MIN_PREFIX_LENGTH = 2
# An optional minus, then a phrase in quotes (the closing one may be missing), or everything up to the next space.
PIECE = re.compile(r'(?P<minus>-?)(?:"(?P<phrase>[^"]*)"?|(?P<bare>[^\s"]+))')


def parse_query(text: str) -> SearchQuery:
    """Read a search as a person writes it: `word`, `"a phrase"`, `begin*`, `-without`, all of which must hold.

    The last word may be the beginning of one: a person is still typing.

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
    pieces = [piece for piece in PIECE.finditer(text) if words(_written(piece))]
    for piece in pieces:
        listed = tuple(words(_written(piece)))
        is_excluded = bool(piece["minus"])
        is_typed = piece is pieces[-1] and piece["phrase"] is None and not is_excluded
        is_prefix = _written(piece).endswith("*") or (is_typed and len(listed[-1]) >= MIN_PREFIX_LENGTH)
        yield Term(listed, is_prefix=is_prefix, is_excluded=is_excluded)


def _written(piece: re.Match[str]) -> str:
    return piece["bare"] if piece["phrase"] is None else piece["phrase"]


class Highlighter:
    """Marks the words of one search in texts. The time of a call is bounded for any text."""

    def __init__(self, query: SearchQuery) -> None:
        """Read the words from the terms that are not excluded."""
        wanted = [term for term in query.terms if not term.is_excluded]
        self._whole = {word for term in wanted for word in (term.words[:-1] if term.is_prefix else term.words)}
        self._prefixes = tuple({term.words[-1] for term in wanted if term.is_prefix})
        # Searched for in a folded text with spaces around its words.
        self._needles = (*(f" {word} " for word in self._whole), *(f" {prefix}" for prefix in self._prefixes))

    def highlight(self, title: str, body: str) -> str | None:
        """Return HTML of the part of the body, else of the title, around the first hit; None where there is none."""
        for text in (body[:MAX_DOCUMENT_LENGTH], title):
            start = self._first_hit(text)
            if start is not None:
                return self._mark(text, start)
        return None

    def _first_hit(self, text: str) -> int | None:
        budget = MAX_FOLDED_LENGTH
        for start, end in _pieces(text):
            piece = text[start:end]
            if piece.isascii():
                place = self._first_place(f" {piece.lower().translate(_ASCII_SEPARATORS)} ")
                if place is not None:
                    return start + place
                continue
            folded = f" {fold(' '.join(WORD.findall(piece)))} "
            if self._first_place(folded) is not None:
                for place, _ in self._hits(piece):
                    return start + place
                budget -= COST_OF_FALSE_HIT
            budget -= len(folded)
            if budget < 0:
                break
        return None

    def _first_place(self, spaced: str) -> int | None:
        """Return the start of the first hit in a folded text that has spaces around its words, one of them in front."""
        places = (spaced.find(needle) for needle in self._needles)
        return min((place for place in places if place >= 0), default=None)

    def _hits(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield start and end of each hit; of a very long word, only the beginning."""
        for match in WORD.finditer(text):
            word = fold(match[0][:LONGEST_WRITTEN_WORD])
            if word in self._whole or word.startswith(self._prefixes):
                yield match.start(), min(match.end(), match.start() + FRAGMENT_LENGTH)

    def _mark(self, text: str, first: int) -> str:
        start = _word_boundary(text, max(0, first - LEAD_LENGTH))
        end = _word_boundary(text, min(len(text), start + FRAGMENT_LENGTH))
        shown = text[first : max(first, end) + LONGEST_WRITTEN_WORD]
        parts, position = ["…" if start else ""], start
        for from_first, to_first in self._hits(shown):
            hit_start, hit_end = first + from_first, first + to_first
            end = max(end, hit_end) if hit_start == first else end  # the first hit is shown whole
            if hit_end > end:
                break
            parts += [_line(text[position:hit_start]), "<mark>", _line(text[hit_start:hit_end]), "</mark>"]
            position = hit_end
        parts += [_line(text[position:end].rstrip()), "…" if end < len(text) else ""]
        return "".join(parts)


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of the pieces of a text, which is cut between words."""
    start = 0
    while start < len(text):
        end = start + PIECE_LENGTH
        following = WORD_END.search(text, end)
        next_start = following.start() if following else len(text)
        yield start, min(next_start, end + LONGEST_WRITTEN_WORD)
        start = next_start


def _line(text: str) -> str:
    return escape(text.replace("\n", " "))


def _word_boundary(text: str, position: int) -> int:
    """Move back to where a word begins, unless the text has no space for long."""
    if position in {0, len(text)}:
        return position
    reach = max(0, position - LONG_WORD_LENGTH)
    space = max(text.rfind(" ", reach, position), text.rfind("\n", reach, position))
    return space + 1 if space >= 0 else position
