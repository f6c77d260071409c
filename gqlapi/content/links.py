"""Links made of addresses that are written out, in sanitised HTML.

https://github.github.com/gfm/#autolinks-extension-
"""

import re

# Punctuation of Chinese and Japanese ends an address, as white space does.
_REST = r"(?::[0-9]{1,5})?(?:[/?#](?:[^\s<>&\"\u3000-\u303f\uff00-\uff0f]|&amp;)*+)?"
_ADDRESS = re.compile(
    rf"(?P<url>(?<!\w)(?:https?|ftp)://[^\W_][\w.-]*+{_REST})"
    rf"|(?P<host>(?<![\w/.@-])www\.[\w-]++\.[\w-][\w.-]*+{_REST})"
    r"|(?P<email>(?<![\w.+/@-])(?:mailto:)?[A-Za-z0-9._+-]++@[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]++)++)"
)
# What is no text, or a text without links; elements are closed in sanitised HTML. Two groups.
_UNLINKED = re.compile(r"(<(a|code|pre)[ >].*?</\2>|<[^>]*>)", re.DOTALL)
_TRAILING = frozenset("?!.,:*_~'")
MAX_REFERENCE_LENGTH = 40


def link_addresses(html: str) -> str:
    """Turn addresses in texts into links, but for those in links and in code."""
    if not _may_have_address(html):
        return html
    parts = _UNLINKED.split(html)
    # The name of an element is known from its tags.
    parts[2::3] = [""] * (len(parts) // 3)
    parts[::3] = [_ADDRESS.sub(_replace, text) if _may_have_address(text) else text for text in parts[::3]]
    return "".join(parts)


def _may_have_address(text: str) -> bool:
    return "://" in text or "www." in text or "@" in text


def _replace(match: re.Match[str]) -> str:
    length = _length_of(match)
    return _link(match, match[0][:length]) + match[0][length:] if length else match[0]


def _length_of(match: re.Match[str]) -> int:
    """Return the length of an address without the punctuation that follows it; 0 if it is none."""
    if match["email"]:
        return 0 if match["email"][-1] in "-_" else len(match[0])
    text, length = match[0], len(match[0])
    surplus = text.count(")") - text.count("(")
    while length:
        last = text[length - 1]
        if last == ")" and surplus > 0:
            surplus -= 1
            length -= 1
        elif last in _TRAILING:
            length -= 1
        elif last == ";" and (reference := _start_of_reference(text, length)) is not None:
            length = reference
        else:
            break
    return length


def _start_of_reference(text: str, end: int) -> int | None:
    """Return where something like `&amp;copy;` begins that ends there."""
    start = text.rfind("&amp;", max(0, end - MAX_REFERENCE_LENGTH), end)
    name = text[start + len("&amp;") : end - 1]
    return start if start >= 0 and name.isascii() and name.isalnum() else None


def _link(match: re.Match[str], text: str) -> str:
    is_bare_email = match["email"] and not text.startswith("mailto:")
    scheme = "mailto:" if is_bare_email else "http://" if match["host"] else ""
    return f'<a href="{scheme}{text}" rel="noopener noreferrer">{text}</a>'
