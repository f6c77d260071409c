"""Rendering of Markdown, once, when a post is written."""

import math
from dataclasses import dataclass

import nh3
from markdown_it.token import Token

from gqlapi.content.commonmark import parse, to_html
from gqlapi.content.effort import (
    Checkpoint,
    Effort,
    HtmlTooLong,
    TooComplex,
    Unrenderable,
    no_checkpoint,
)
from gqlapi.content.nesting import check_nesting

__all__ = [
    "ELLIPSIS",
    "MAX_MARKDOWN_LENGTH",
    "RENDERER_VERSION",
    "Checkpoint",
    "HtmlTooLong",
    "RenderedContent",
    "TooComplex",
    "Unrenderable",
    "excerpt",
    "max_html_length",
    "no_checkpoint",
    "render",
]

# Stored with each post: raise it when the output changes, and re-render.
RENDERER_VERSION = 1
# Of a post, by the API and by imports.
MAX_MARKDOWN_LENGTH = 100_000
# Markdown is a few times shorter than its HTML; below this many bytes that is no matter.
MAX_HTML_FACTOR, FREE_HTML = 10, 65_536
WORDS_PER_MINUTE = 200
ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class RenderedContent:
    """What is made from a post's Markdown: sanitised HTML, plain text with one line per block, and its reading time."""

    html: str
    text: str
    reading_time_minutes: int


def max_html_length(markdown: str) -> int:
    """Return how many bytes the HTML of some Markdown may have."""
    return MAX_HTML_FACTOR * len(markdown.encode()) + FREE_HTML


def render(markdown: str, checkpoint: Checkpoint = no_checkpoint) -> RenderedContent:
    """Render CommonMark; everything that could run a script is removed from the HTML.

    The time and the memory that it takes are bounded by the length. The checkpoint is called each millisecond, but
    for the sanitiser, which runs without the interpreter's lock.

    Raises:
        HtmlTooLong: the HTML would have more than `max_html_length` bytes.
        TooComplex: rendering would take too many steps, or the HTML nests too deeply.
    """
    effort, max_length = Effort(len(markdown), checkpoint), max_html_length(markdown)
    tokens = parse(markdown, effort)
    raw = to_html(tokens)
    _check_length(raw, max_length)
    check_nesting(raw, max_length, effort)
    html = nh3.clean(raw)
    _check_length(html, max_length)
    text = "\n".join(filter(None, map(_block_text, tokens)))
    return RenderedContent(html, text, max(1, math.ceil(len(text.split()) / WORDS_PER_MINUTE)))


def _check_length(html: str, max_length: int) -> None:
    if len(html.encode()) > max_length:
        raise HtmlTooLong(f"The HTML of the Markdown would be longer than {max_length:,} bytes.")


def _block_text(token: Token) -> str:
    if token.type in {"fence", "code_block"}:
        return token.content.strip()
    return "".join(map(_inline_text, token.children or ())).strip()


def _inline_text(token: Token) -> str:
    if token.type in {"softbreak", "hardbreak"}:
        return " "
    if token.type == "image":
        return "".join(map(_inline_text, token.children or ()))
    return token.content if token.type in {"text", "code_inline"} else ""


def excerpt(text: str, length: int, *, goes_on: bool = False) -> str:
    """Return the beginning of a text, on one line of at most `length` characters, cut between words.

    `goes_on`: the text is itself the beginning of a longer one, and may end in the middle of a word.
    """
    line = " ".join(text.split())
    if len(line) <= length and not goes_on:
        return line
    cut = line[: length - len(ELLIPSIS) + 1]
    return cut[: max(cut.rfind(" "), 0) or length - len(ELLIPSIS)].rstrip() + ELLIPSIS
