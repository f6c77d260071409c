"""Words of a text, the same on every database: PostgreSQL's parser and SQLite's tokenizers disagree."""

import unicodedata

# Letters, digits and the marks that combine with them make words; everything else separates.
WORD_CATEGORIES = frozenset("LNM")
# Languages that write without spaces: each character is a word, and a run of them a phrase.
IDEOGRAPHS = ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))
# "it's" is one word in a URL.
_DROPPED = dict.fromkeys((0x27, 0x2019))
# PostgreSQL keeps no word beyond 2,046 bytes; nobody searches for one of this length.
MAX_WORD_LENGTH = 64


def fold(text: str) -> str:
    """Fold text for case-insensitive comparison: NFKC, then Unicode case folding.

    Done in Python, because the databases fold differently (SQLite only ASCII).
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def words(text: str) -> list[str]:
    """Return the folded words of a text, in their order."""
    return [word[:MAX_WORD_LENGTH] for word in fold(text).translate(_SEPARATED).split()]


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
    """Tell whether a character is a word by itself."""
    return any(first <= code_point <= last for first, last in IDEOGRAPHS)


def is_word_character(character: str) -> bool:
    """Tell whether a character belongs to words."""
    return unicodedata.category(character)[0] in WORD_CATEGORIES


class _Separated(dict[int, str]):
    """A table for `str.translate`, filled as characters are met."""

    def __missing__(self, code_point: int) -> str:
        character = chr(code_point)
        if is_ideograph(code_point):
            self[code_point] = f" {character} "
        else:
            self[code_point] = character if is_word_character(character) else " "
        return self[code_point]


_SEPARATED = _Separated()
