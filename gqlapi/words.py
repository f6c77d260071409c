"""Words of a text, the same on every database: PostgreSQL's parser and SQLite's tokenizers disagree."""

import re
import unicodedata
from itertools import groupby

import regex

# Languages that write without spaces: each character is a word, and a run of them a phrase.
IDEOGRAPHS = ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))
# "it's" is one word in a URL.
_DROPPED = dict.fromkeys((0x27, 0x2019))
# PostgreSQL keeps no word beyond 2,046 bytes; words of this length are not searched for.
MAX_WORD_LENGTH = 64
# Canonical decomposition makes at most four characters of one, so the folded form of a visible text is at least a
# quarter as long.
MAX_SHRINKAGE = 4

# Marks are neither ASCII nor `\w`. Ordinary texts have a few in a row: https://www.unicode.org/reports/tr15/#UAX15-D3
_LONG_RUN = re.compile(r"[^\x00-\x7f\w]{31,}")
_IGNORABLE = regex.compile(r"\p{Default_Ignorable_Code_Point}+")
# The lower case of a capital I with a dot.
_DOTTED_I = re.compile("i\u0307+")

_IDEOGRAPHS = "".join(f"{chr(first)}-{chr(last)}" for first, last in IDEOGRAPHS)
_LETTERS = r"\p{L}\p{N}"
# Enclosing marks make keycaps of digits. U+200B separates words in scripts without spaces; the other ignorable
# characters, soft hyphens and joiners among them, are parts of a word: https://www.unicode.org/reports/tr29/#WB4
_JOINED = rf"[{_LETTERS}\p{{Mn}}\p{{Mc}}\p{{Default_Ignorable_Code_Point}}]--[\u200b]"
_WORD_CHARACTER = regex.compile(f"(?V1)[{_JOINED}]")
# For a folded text, and for one as it was written.
WORD = regex.compile(
    f"(?V1)[[{_IDEOGRAPHS}]&&[{_LETTERS}]]|[[{_LETTERS}]--[{_IDEOGRAPHS}]][[{_JOINED}]--[{_IDEOGRAPHS}]]*"
)
# A character at which a text can be cut between words.
WORD_END = regex.compile(f"(?V1)[^[{_JOINED}]--[{_IDEOGRAPHS}]]")
_SLUG_PART = regex.compile(f"(?V1)[{_LETTERS}][{_JOINED}]*")


def fold(text: str) -> str:
    """Fold text for comparison: case, compatibility forms and invisible characters do not count; takes linear time.

    The NFKC_Casefold of Unicode, with one exception: a dot above `i` is dropped, so that `istanbul` is the lower case
    of `İSTANBUL`. Done in Python, because the databases fold differently (SQLite only ASCII).
    """
    return text.lower() if text.isascii() else _fold_composed(_compose(text))


def fold_key(text: str, max_length: int) -> str | None:
    """Return the folded text, or None if it is longer than `max_length`; a text that is far too long is not folded."""
    if len(text) > MAX_SHRINKAGE * max_length:
        return None
    composed = _compose(text)
    if len(composed) > MAX_SHRINKAGE * max_length:
        return None
    folded = _fold_composed(composed)
    return folded if len(folded) <= max_length else None


def slug_key(text: str, max_length: int) -> str | None:
    """Return what a slug is looked up by, or None if it is longer than `max_length`.

    Slugs made by earlier versions may have invisible characters, and are found as they are written.
    """
    if len(text) <= max_length and text == unicodedata.normalize("NFKC", text).casefold():
        return text
    return fold_key(text, max_length)


def _fold_composed(text: str) -> str:
    folded = _compose(_IGNORABLE.sub("", text).casefold())
    return _compose(_DOTTED_I.sub("i", folded)) if "i\u0307" in folded else folded


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
    return [word[:MAX_WORD_LENGTH] for word in WORD.findall(fold(_split_at_zero_width_spaces(text)))]


def slug_of(text: str, max_length: int) -> str:
    """Return the text for a URL: its folded words with hyphens between, cut between words; empty when it has none.

    A slug is its own slug. Letters of all scripts stay, with the marks that combine with them: the usual libraries
    drop these, and do not fold as comparisons do.
    """
    slug = "-".join(_SLUG_PART.findall(fold(_split_at_zero_width_spaces(text)).translate(_DROPPED)))
    if len(slug) <= max_length:
        return slug
    cut = slug[: max_length + 1].rpartition("-")[0]
    return cut or slug[:max_length]


def is_ideograph(code_point: int) -> bool:
    """Whether a character is a word by itself."""
    return any(first <= code_point <= last for first, last in IDEOGRAPHS)


def begins_no_word_part(character: str) -> bool:
    """Whether a text can be cut before a character: it belongs to no word, or is one by itself."""
    return WORD_END.match(character) is not None and not _combining(character)


def is_word_character(character: str) -> bool:
    """Whether a character belongs to words; invisible ones do when they are between letters."""
    return _WORD_CHARACTER.match(character) is not None


def _split_at_zero_width_spaces(text: str) -> str:
    return text.replace("\u200b", " ")
