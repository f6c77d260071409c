"""The text of sanitised HTML, how long it takes to read, and its beginning."""

import math
import re

from gqlapi.words import IDEOGRAPHS

ELLIPSIS = "…"
WORDS_PER_MINUTE = 200
# Of Chinese and Japanese, and of languages of South-East Asia, which write several characters for a word.
IDEOGRAPHS_PER_MINUTE, LETTERS_PER_MINUTE = 500, 1_000

_PREFORMATTED = re.compile(r"(<pre(?: [^>]+)?>.*?</pre>)", re.DOTALL)
_FOOTNOTE_LINK = re.compile(
    r'<sup class="footnote-reference">.*?</sup>|<a [^>]*class="footnote-backref"[^>]*>[^<]*</a>', re.DOTALL
)
_IMAGE = re.compile(r"<img[^>]*>")
_ALTERNATIVE = re.compile(r' alt="([^"]*)"')
_INLINE = (
    "a|abbr|acronym|b|bdi|bdo|br|cite|code|data|del|dfn|em|i|input|ins|kbd|mark|q|rp|rt|rtc|ruby|s|samp|small|span"
    "|strike|strong|sub|sup|td|th|time|tt|u|var|wbr"
)
_BLOCK = re.compile(rf"</?+(?!(?:{_INLINE})[ >])[^>]*>")
_SPACE = re.compile(r"<(?:br|/td|/th)[^>]*> ?")
_TAG = re.compile(r"<[^>]*>")
_IDEOGRAPH = re.compile(f"[{''.join(f'{chr(first)}-{chr(last)}' for first, last in IDEOGRAPHS)}]")
# Thai, Lao, Burmese and Khmer are written without spaces.
_UNSPACED_LETTER = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")


def text_of(html: str) -> str:
    """Return the text of sanitised HTML, one line for each block; code keeps its lines."""
    if "footnote" in html:
        html = _FOOTNOTE_LINK.sub("", html)
    parts = _PREFORMATTED.split(html)
    texts = (_code(part) if number % 2 else _prose(part) for number, part in enumerate(parts))
    return "\n".join(filter(None, texts))


def inline_text(html: str) -> str:
    """Return the text of sanitised HTML on one line."""
    return " ".join(text_of(html).split())


def _code(html: str) -> str:
    return _unescape(_TAG.sub("", html)).strip()


def _prose(html: str) -> str:
    html = html.replace("\n", " ")
    if "<img" in html:
        html = _IMAGE.sub(_alternative, html)
    html = _BLOCK.sub("\n", html)
    html = _TAG.sub("", _SPACE.sub(" ", html))
    lines = (line.strip() for line in _unescape(html).split("\n"))
    return "\n".join(filter(None, lines))


def _alternative(image: re.Match[str]) -> str:
    found = _ALTERNATIVE.search(image[0])
    return found[1] if found else ""


def _unescape(text: str) -> str:
    """Undo the escapes that the sanitiser writes."""
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&nbsp;", "\u00a0")
    return text.replace("&amp;", "&")


def reading_time(text: str) -> int:
    """Return how many minutes it takes to read a text, at least 1."""
    minutes = 0.0
    if not text.isascii():
        text, ideographs = _IDEOGRAPH.subn(" ", text)
        text, letters = _UNSPACED_LETTER.subn(" ", text)
        minutes = ideographs / IDEOGRAPHS_PER_MINUTE + letters / LETTERS_PER_MINUTE
    return max(1, math.ceil(minutes + len(text.split()) / WORDS_PER_MINUTE))


def excerpt(text: str, length: int, *, goes_on: bool = False) -> str:
    """Return the beginning of a text, on one line of at most `length` characters, cut between words.

    `goes_on`: the text is itself the beginning of a longer one, and may end in the middle of a word.
    """
    line = " ".join(text.split())
    if len(line) <= length and not goes_on:
        return line
    cut = line[: length - len(ELLIPSIS) + 1]
    return cut[: max(cut.rfind(" "), 0) or length - len(ELLIPSIS)].rstrip() + ELLIPSIS
