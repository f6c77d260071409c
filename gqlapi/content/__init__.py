"""Rendering of Markdown, once, when a post is written."""

from dataclasses import dataclass

from gqlapi.content.bounds import (
    MAX_MARKDOWN_LENGTH,
    Checkpoint,
    HtmlTooLong,
    TooComplex,
    Unrenderable,
    check_length,
    max_html_length,
    no_checkpoint,
)
from gqlapi.content.footnotes import move_footnotes
from gqlapi.content.headings import Heading, add_anchors, headings_of
from gqlapi.content.links import link_addresses
from gqlapi.content.markdown import to_html
from gqlapi.content.nesting import check_depth, check_nesting
from gqlapi.content.sanitizing import sanitize
from gqlapi.content.text import excerpt, reading_time, text_of

__all__ = [
    "MAX_MARKDOWN_LENGTH",
    "RENDERER_VERSION",
    "Checkpoint",
    "Heading",
    "HtmlTooLong",
    "RenderedContent",
    "TooComplex",
    "Unrenderable",
    "excerpt",
    "headings_of",
    "max_html_length",
    "no_checkpoint",
    "render",
]

# Stored with each post: raise it when the output changes, and re-render.
RENDERER_VERSION = 2


@dataclass(frozen=True, slots=True)
class RenderedContent:
    """What is made from a post's Markdown: sanitised HTML, plain text with one line per block, and its reading time."""

    html: str
    text: str
    reading_time_minutes: int


def render(markdown: str, checkpoint: Checkpoint = no_checkpoint) -> RenderedContent:
    """Render Markdown in GitHub's flavour; everything that could run a script is removed from the HTML.

    The time and the memory that it takes are bounded by the length: 100,000 characters take a millisecond or two, and
    hostile ones a tenth of a second. The parser and the sanitiser run without the interpreter's lock; the checkpoint is
    called between the steps.

    Raises:
        HtmlTooLong: the HTML would have more than `max_html_length` bytes.
        TooComplex: the Markdown or its HTML nests too deeply, or has too many tags.
    """
    max_length = max_html_length(markdown)
    raw = to_html(markdown)
    check_length(raw, max_length)
    checkpoint()
    if "<" in markdown:
        check_nesting(raw, max_length)
    else:
        check_depth(raw)
    checkpoint()
    html = sanitize(raw)
    check_length(html, max_length)
    checkpoint()
    html = add_anchors(move_footnotes(link_addresses(html)))
    check_length(html, max_length)
    text = text_of(html)
    return RenderedContent(html, text, reading_time(text))
