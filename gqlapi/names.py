"""Names and passwords by PRECIS (RFC 8264 to 8266), and which names look the same (UTS 39).

All functions here take time that is quadratic at worst: callers bound the length of a text first.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache

from confusable_homoglyphs.utils import load
from precis_i18n import get_profile

from gqlapi.lines import without_emoji
from gqlapi.words import fold

_USERNAME = get_profile("UsernameCaseMapped")
_PASSWORD = get_profile("OpaqueString")
_NICKNAME = get_profile("NicknameCasePreserved")
# Arabic digits and the middle dot of Katakana: https://www.rfc-editor.org/rfc/rfc5892#appendix-A.7
_WHOLE_TEXT = re.compile("[\u0660-\u0669\u06f0-\u06f9\u30fb]")
# The data has these around texts of right-to-left scripts.
_DIRECTION_MARKS = dict.fromkeys((0x200E, 0x200F))


def normalize_username(name: str) -> str | None:
    """Return a user name as UsernameCaseMapped of RFC 8265 has it, in lower case; None if it is refused."""
    try:
        return _USERNAME.enforce(name)
    except UnicodeError:
        return None


def normalize_password(password: str) -> str | None:
    """Return a password as OpaqueString of RFC 8265 has it, however it was typed; None if it is refused."""
    try:
        return _PASSWORD.enforce(password)
    except UnicodeError:
        return None


def normalize_nickname(name: str) -> str:
    """Return a name to show as Nickname of RFC 8266 has it, its case preserved."""
    normal, before = name, None
    while normal != before:  # as the profile does: removing spaces and NFKC may each make work for the other
        normal, before = _NICKNAME.apply_five_rules(normal), normal
    return normal


def is_nickname(name: str) -> bool:
    """Whether the profile takes a normalized name.

    It refuses emoji that are newer than the Unicode of Python, and what selects how emoji are drawn; here they pass.
    """
    # The profile looks through the whole text for each of these characters, and finds the same each time.
    text = _WHOLE_TEXT.sub(lambda found: found[0] if found.start() == name.index(found[0]) else "x", name)
    try:
        _NICKNAME.base.enforce(without_emoji(text))
    except UnicodeError:
        return False
    return True


def skeleton(name: str) -> str:
    """Return what two user names have in common when they look the same: the skeleton of UTS 39, in lower case."""
    prototypes = _prototypes()
    # Not folded yet: that makes capitals of some small letters, which look like others.
    decomposed = unicodedata.normalize("NFD", normalize_username(name) or fold(name))
    return fold("".join(prototypes.get(character, character) for character in decomposed))


@cache
def _prototypes() -> Mapping[str, str]:
    """Return the skeleton of each character, which all that look like it share."""
    pairs = dict(_pairs(load("confusables.json")))

    def resolve(character: str, seen: frozenset[str] = frozenset()) -> str:
        if character in seen or character not in pairs:
            return character
        decomposed = unicodedata.normalize("NFD", pairs[character])
        return "".join(resolve(part, seen | {character}) for part in decomposed)

    return {character: resolve(character) for character in pairs}


def _pairs(lists: Mapping[str, list[dict[str, str]]]) -> Iterator[tuple[str, str]]:
    """Yield characters with their prototypes.

    The data lists for each text those that look like it: for a prototype all its characters, for a character only its
    prototype. Where two characters have only each other, the first of them is the prototype.
    """
    for text, others in lists.items():
        character = text.translate(_DIRECTION_MARKS)
        prototype = others[0]["c"].translate(_DIRECTION_MARKS)
        if len(character) != 1 or len(others) > 1 or not prototype:
            continue
        if len(prototype) > 1 or len(lists.get(others[0]["c"], ())) > 1 or prototype < character:
            yield character, prototype
