"""Words of a text, the same on every database: PostgreSQL's parser and SQLite's tokenizers disagree."""

import re
import unicodedata
from functools import cache
from itertools import groupby

# Letters, digits and the marks that combine with them make words; everything else separates.
WORD_CATEGORIES = frozenset("LNM")
# Languages that write without spaces: each character is a word, and a run of them a phrase.
IDEOGRAPHS = ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))
# "it's" is one word in a URL.
_DROPPED = dict.fromkeys((0x27, 0x2019))
# PostgreSQL keeps no word beyond 2,046 bytes; nobody searches for one of this length.
MAX_WORD_LENGTH = 64
# Canonical decomposition makes at most four characters of one, so a folded text is at least a quarter as long.
MAX_SHRINKAGE = 4

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
# Marks are neither ASCII nor `\w`. Ordinary texts have a few in a row: https://www.unicode.org/reports/tr15/#UAX15-D3
_LONG_RUN = re.compile(r"[^\x00-\x7f\w]{31,}")


def fold(text: str) -> str:
    """Fold text for case-insensitive comparison: NFKC, then Unicode case folding; takes linear time.

    Done in Python, because the databases fold differently (SQLite only ASCII).
    """
    return _compose(_compose(text).casefold())


def fold_key(text: str, max_length: int) -> str | None:
    """Return the folded text, or None if it is longer than `max_length`; a text that is far too long is not folded."""
    if len(text) > MAX_SHRINKAGE * max_length:
        return None
    composed = _compose(text)
    if len(composed) > MAX_SHRINKAGE * max_length:
        return None
    folded = _compose(composed.casefold())
    return folded if len(folded) <= max_length else None


def _compose(text: str) -> str:
    """Return the NFKC form of a text.

    `unicodedata` sorts runs of marks by insertion: 100,000 of them in the wrong order take seven seconds. The order of
    marks does not change the result, so long runs are sorted first.
    """
    if unicodedata.is_normalized("NFKC", text):
        return text
    # The two letters whose compatibility decomposition is a mark.
    text = text.replace("\uff9e", "\u3099").replace("\uff9f", "\u309a")
    return unicodedata.normalize("NFKC", _LONG_RUN.sub(_sort_marks, text))


def _sort_marks(run: re.Match[str]) -> str:
    decomposed = "".join(unicodedata.normalize("NFKD", character) for character in run[0])
    groups = (
        (is_mark, [*group]) for is_mark, group in groupby(decomposed, lambda character: _combining(character) > 0)
    )
    return "".join("".join(sorted(group, key=_combining) if is_mark else group) for is_mark, group in groups)


_combining = unicodedata.combining


def words(text: str) -> list[str]:
    """Return the folded words of a text, in their order."""
    return [word[:MAX_WORD_LENGTH] for word in word_pattern().findall(blank_astral_separators(fold(text)))]


def slug_of(text: str, max_length: int) -> str:
    """Return the text for a URL: its folded words with hyphens between, cut between words; empty when it has none.

    A slug is its own slug. Letters of all scripts stay, with the marks that combine with them: the usual libraries
    drop these, and do not fold as comparisons do.
    """
    letters = "".join(c if is_word_character(c) else " " for c in fold(text).translate(_DROPPED))
    slug = "-".join(letters.split())
    if len(slug) <= max_length:
        return slug
    cut = slug[: max_length + 1].rpartition("-")[0]
    return cut or slug[:max_length]


def is_ideograph(code_point: int) -> bool:
    """Whether a character is a word by itself."""
    return any(first <= code_point <= last for first, last in IDEOGRAPHS)


def is_word_character(character: str) -> bool:
    """Whether a character belongs to words."""
    return unicodedata.category(character)[0] in WORD_CATEGORIES


@cache
def word_pattern() -> re.Pattern[str]:
    """Return the pattern of one word, for a text without astral separators; compiled at its first use (40 ms)."""
    return re.compile(f"[{_ideographs()}]|[{_joined()}]+")


@cache
def word_end_pattern() -> re.Pattern[str]:
    """Return the pattern of a character at which a text can be cut between words."""
    return re.compile(f"[^{_joined()}]")


def blank_astral_separators(text: str) -> str:
    """Replace separators beyond the Basic Multilingual Plane, such as emoji, by spaces.

    Patterns can then take all other characters there for letters: the `re` module compares each range of a class there
    one by one, which makes words eight times slower.
    """
    return _ASTRAL.sub(_blank_separator, text)


def _blank_separator(match: re.Match[str]) -> str:
    character = match[0]
    return character if is_word_character(character) or is_ideograph(ord(character)) else " "


def _ideographs() -> str:
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in IDEOGRAPHS)


@cache
def _joined() -> str:
    """Return the characters of words, except ideographs, as the inside of a character class."""
    joins = groupby(range(0x10000), lambda point: is_word_character(chr(point)) and not is_ideograph(point))
    groups = ([*points] for is_joined, points in joins if is_joined)
    # Beyond that plane: all but the ideographs.
    return (
        "".join(f"{chr(points[0])}-{chr(points[-1])}" for points in groups)
        + "\U00010000-\U0001ffff\U000323b0-\U0010ffff"
    )
