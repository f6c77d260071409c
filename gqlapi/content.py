"""Rendering of Markdown, once, when a post is written."""

import math
from dataclasses import dataclass

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

# Stored with each post: raise it when the output changes, and re-render.
RENDERER_VERSION = 1
WORDS_PER_MINUTE = 200
ELLIPSIS = "…"

_markdown = MarkdownIt("commonmark")


@dataclass(frozen=True, slots=True)
class RenderedContent:
    """What is made from a post's Markdown: sanitised HTML, plain text with one line per block, and its reading time."""

    html: str
    text: str
    reading_time_minutes: int


def render(markdown: str) -> RenderedContent:
    """Render CommonMark; whatever could run a script is removed from the HTML."""
    tokens = _markdown.parse(markdown)
    html = nh3.clean(_markdown.renderer.render(tokens, _markdown.options, {}))
    text = "\n".join(filter(None, map(_block_text, tokens)))
    return RenderedContent(html, text, max(1, math.ceil(len(text.split()) / WORDS_PER_MINUTE)))


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
