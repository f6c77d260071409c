"""Headings, each with an id that links can lead to, and the table of contents that they make."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from gqlapi.content.sanitizing import ID_PREFIX
from gqlapi.content.text import inline_text
from gqlapi.words import is_word_character

# Further ones have no id: each takes some microseconds.
MAX_ANCHORS = 1_000
# Of a table of contents; a query pays for all of them.
MAX_HEADINGS = 200
MAX_ANCHOR_LENGTH = 100
_HEADING = re.compile(r"<h([1-6])((?: [^>]+)?)>(.*?)</h\1>", re.DOTALL)
_ID = re.compile(r' id="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: its level from 1 to 6, its text, and the id that a link leads to."""

    level: int
    text: str
    anchor: str


def headings_of(html: str) -> list[Heading]:
    """Return the first headings of rendered HTML that have an id, in their order."""
    found = (
        Heading(int(match[1]), inline_text(match[3]), anchor[1])
        for match in _HEADING.finditer(html)
        if (anchor := _ID.search(match[2]))
    )
    return [*islice(found, MAX_HEADINGS)]


def add_anchors(html: str) -> str:
    """Give the headings ids made of their texts, as GitHub does, so that `#what-is-new` leads to "What is new?"."""
    if not (first := _HEADING.search(html)):
        return html
    taken = set(_ID.findall(html))
    counts: dict[str, int] = {}
    parts: list[str] = [html[: first.start()]]
    position = first.start()
    for match in islice(_HEADING.finditer(html, position), MAX_ANCHORS):
        if not _ID.search(match[2]):
            anchor = next(anchor for anchor in _anchors(match[3], counts) if anchor not in taken)
            taken.add(anchor)
            end = match.end(1)
            parts += (html[position:end], f' id="{anchor}"')
            position = end
    return "".join((*parts, html[position:]))


def _anchors(html: str, counts: dict[str, int]) -> Iterator[str]:
    """Yield the id for a heading, with greater and greater numbers; `counts` has the last number of each."""
    name = _name_of(inline_text(html)) or "section"
    while True:
        number = counts.get(name, -1) + 1
        counts[name] = number
        yield f"{ID_PREFIX}{name}-{number}" if number else f"{ID_PREFIX}{name}"


def _name_of(text: str) -> str:
    letters = text[:MAX_ANCHOR_LENGTH].lower()
    return "".join(c for c in letters if c in " -_" or is_word_character(c)).replace(" ", "-")
