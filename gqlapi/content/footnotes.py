"""Footnotes at the end of a post, with links there and back, in sanitised HTML.

The parser leaves a footnote where it is defined, and names it as the author does.
"""

import re
from collections import Counter
from dataclasses import dataclass

from gqlapi.content.sanitizing import ID_PREFIX

_REFERENCE = re.compile(
    r'<sup class="footnote-reference"><a href="#[^"]*" rel="noopener noreferrer">([0-9]{1,6})</a></sup>'
)
_DEFINITION = re.compile(
    r'<div class="footnote-definition"(?: id="[^"]*")?><sup class="footnote-definition-label">([0-9]{1,6})</sup>\n?'
)
_DIV = re.compile(r"<div[ >]|(</div>\n?)")
_LAST_PARAGRAPH = re.compile(r"</p>\n?\Z")


@dataclass(frozen=True, slots=True)
class _Footnote:
    number: int
    body: str


def move_footnotes(html: str) -> str:
    """Put the definitions of footnotes into a list at the end, in the order of their numbers."""
    body, footnotes = _take_out(html)
    if not footnotes:
        return html
    uses: Counter[int] = Counter()

    def refer(match: re.Match[str]) -> str:
        number = int(match[1])
        uses[number] += 1
        suffix = f"-{uses[number]}" if uses[number] > 1 else ""
        return (
            f'<sup class="footnote-reference"><a href="#{ID_PREFIX}fn-{number}" id="{ID_PREFIX}fnref-{number}{suffix}"'
            f' rel="noopener noreferrer">{number}</a></sup>'
        )

    body = _REFERENCE.sub(refer, body)
    bodies = [(footnote.number, _REFERENCE.sub(refer, footnote.body)) for footnote in footnotes]
    items = "".join(_item(number, text, is_used=uses[number] > 0) for number, text in bodies)
    return f'{body}<section class="footnotes">\n<ol>\n{items}</ol>\n</section>\n'


def _take_out(html: str) -> tuple[str, list[_Footnote]]:
    rest: list[str] = []
    found: dict[int, _Footnote] = {}
    position = 0
    while match := _DEFINITION.search(html, position):
        end_of_body, end = _end_of_div(html, match.end())
        rest.append(html[position : match.start()])
        number = int(match[1])
        # Of a name that is defined twice, the first definition is taken.
        found.setdefault(number, _Footnote(number, html[match.end() : end_of_body]))
        position = end
    return "".join((*rest, html[position:])), sorted(found.values(), key=lambda footnote: footnote.number)


def _end_of_div(html: str, start: int) -> tuple[int, int]:
    depth = 1
    for tag in _DIV.finditer(html, start):
        depth += -1 if tag[1] else 1
        if depth == 0:
            return tag.span()
    return len(html), len(html)


def _item(number: int, body: str, *, is_used: bool) -> str:
    if not is_used:
        return f'<li id="{ID_PREFIX}fn-{number}">\n{body}</li>\n'
    back = f'<a href="#{ID_PREFIX}fnref-{number}" class="footnote-backref" rel="noopener noreferrer">↩</a>'
    inside, ends_in_paragraph = _LAST_PARAGRAPH.subn("", body)
    whole = f"{inside} {back}</p>\n" if ends_in_paragraph else f"{body}{back}\n"
    return f'<li id="{ID_PREFIX}fn-{number}">\n{whole}</li>\n'
