"""Markdown in GitHub's flavour, made into HTML that is not sanitised."""

import re

import pyromark

from gqlapi.content.bounds import TooComplex, check_markup

OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
    | pyromark.Options.ENABLE_FOOTNOTES
)
# The parser fills the rows of a table up to its columns: 50,000 lines became 11 MB of HTML, and twice that inside.
MAX_LINES = 20_000
# The parser looks at each open quote and list for each line: 100,000 characters of a deep list take 0.8 seconds.
MAX_CONTAINERS_IN_LINE = 200
_DEEP_LINE = re.compile(
    rf"^[ \t]*+(?:(?:>|(?:[-+*]|[0-9]{{1,9}}[.)])[ \t])[ \t]*+){{{MAX_CONTAINERS_IN_LINE}}}", re.MULTILINE
)
# The sanitiser removes styles, and the specification of GitHub's flavour aligns so:
# https://github.github.com/gfm/#tables-extension-
_ALIGNMENTS = [
    (f'<{cell} style="text-align: {side}">', f'<{cell} align="{side}">')
    for cell in ("td", "th")
    for side in ("left", "center", "right")
]


def to_html(markdown: str) -> str:
    """Render Markdown in linear time, without the interpreter's lock.

    References expand to at most 100 KB, or the length of the Markdown; beyond it they stay as they are written.

    Raises:
        TooComplex: there are too many lines or tags, or a line begins with too many marks of quotes and lists.
    """
    if markdown.count("\n") + markdown.count("\r") - markdown.count("\r\n") > MAX_LINES:
        raise TooComplex(f"The Markdown has more than {MAX_LINES:,} lines.")
    if _DEEP_LINE.search(markdown):
        raise TooComplex("The Markdown nests too deeply.")
    # Code at the end has a line break only if the Markdown has one.
    html = pyromark.html(f"{markdown}\n", options=OPTIONS)
    check_markup(html)
    for styled, aligned in _ALIGNMENTS:
        html = html.replace(styled, aligned)
    return html
