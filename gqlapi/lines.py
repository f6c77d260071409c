"""One-line texts, such as titles and names: what a reader sees is all that is in them."""

import unicodedata

import regex
from precis_i18n.context import context_rule_error
from precis_i18n.unicode import UnicodeData

_UNICODE = UnicodeData()
# Line breaks, and what terminals and editors obey instead of showing it.
_CONTROL = regex.compile(r"[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}\ufff9-\ufffb]")
_IGNORABLE = regex.compile(r"\p{Default_Ignorable_Code_Point}")
# U+2800 is a Braille pattern without dots.
_VISIBLE = regex.compile(r"(?V1)[[\p{L}\p{N}\p{P}\p{S}\p{Co}\p{Cn}]--[\p{Default_Ignorable_Code_Point}\u2800]]")
# Ignorable characters that change how the character before them is drawn: selectors of emoji, of Han and of Mongolian
# variants, emoji that are joined, and flags of regions. https://www.unicode.org/reports/tr51/#EBNF_and_Regex
_SELECTORS = regex.compile(
    r"(?<=\p{Emoji})[\ufe0e\ufe0f]"
    r"|(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f])\u200d(?=\p{Extended_Pictographic})"
    r"|(?<=\U0001f3f4)[\U000e0020-\U000e007e]{1,16}\U000e007f"
    r"|(?<=\p{Han})[\ufe00-\ufe02\U000e0100-\U000e01ef]"
    r"|(?<=\p{Mongolian})(?:[\u180b-\u180d\u180f]|\u180e(?=\p{Mongolian}))"
)
_JOINERS = "\u200c\u200d"


def normalize_line(line: str) -> str:
    """Return a line as it is stored: in NFC, without white space around it. The time is quadratic at worst."""
    return unicodedata.normalize("NFC", line.strip())


def is_visible(line: str) -> bool:
    """Whether a reader sees anything of a line."""
    return _VISIBLE.search(line) is not None


def hidden_character(line: str) -> str | None:
    """Return the first character of a line that a reader would not see, or None.

    Line breaks and control characters, overrides of direction, and default-ignorable characters, except where these
    select how a visible character is drawn. The time is quadratic at worst.
    """
    if found := _CONTROL.search(line):
        return found[0]
    rest = _SELECTORS.sub("", line)
    for found in _IGNORABLE.finditer(rest):
        # Joiners belong to the spelling of many languages: https://www.rfc-editor.org/rfc/rfc5892#appendix-A.1
        if found[0] not in _JOINERS or context_rule_error(rest, found.start(), _UNICODE):
            return found[0]
    return None


def printable(text: str) -> str:
    """Return a text for a terminal or a log: with escapes for what these obey instead of showing it."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def without_emoji(line: str) -> str:
    """Return a line without emoji, and what selects how they are drawn."""
    return _EMOJI.sub("", _SELECTORS.sub("", line))


_EMOJI = regex.compile(r"[\p{Extended_Pictographic}\p{Emoji_Modifier}\p{Regional_Indicator}]")
