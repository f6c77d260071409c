"""A CommonMark parser whose work is bounded.

The parser of markdown-it-py is linear for most inputs, not for all: lines that continue an empty block quote make it
read the rest of the document again (100,000 characters take five minutes). So its loops are counted here.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from markdown_it import MarkdownIt
from markdown_it.parser_block import ParserBlock
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline, emphasis, text
from markdown_it.token import Token
from markdown_it.utils import EnvType

from gqlapi.content.effort import Effort, HtmlTooLong

# As in cmark: https://github.com/commonmark/cmark/pull/357
MIN_EXPANSION = 100_000
# A token takes a third of a kilobyte.
STEPS_PER_TOKEN = 5
# All rules are tried at a position.
STEPS_PER_POSITION = 4
# A marker of emphasis becomes a token and a delimiter, half a kilobyte.
STEPS_PER_MARKER = 24
EFFORT = "effort"


class _CountedState(StateBlock):
    """Counts the tokens, and how often the indentation is read: all loops over lines read it."""

    def __init__(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> None:
        self._effort: Effort = env[EFFORT]
        super().__init__(src, md, env, tokens)

    def push(self, ttype: str, tag: str, nesting: Literal[-1, 0, 1]) -> Token:
        self._effort.spend(STEPS_PER_TOKEN)
        return super().push(ttype, tag, nesting)

    @property
    def blkIndent(self) -> int:  # noqa: N802 - the name is the library's
        """The indentation of the current container."""
        self._effort.spend()
        return self._indent

    @blkIndent.setter
    def blkIndent(self, value: int) -> None:  # noqa: N802 - the name is the library's
        self._indent = value


class _CountedBlock(ParserBlock):
    def parse(self, src: str, md: MarkdownIt, env: EnvType, outTokens: list[Token]) -> list[Token] | None:  # noqa: N803 - the name is the library's
        if src:
            state = _CountedState(src, md, env, outTokens)
            self.tokenize(state, state.line, state.lineMax)
        return outTokens


class _CountedInline(ParserInline):
    def skipToken(self, state: StateInline) -> None:  # noqa: N802 - the name is the library's
        state.env[EFFORT].spend(STEPS_PER_POSITION)
        super().skipToken(state)


def _count_positions(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - the signature is the library's
    """Parse text; being the first rule, it is tried at each position."""
    state.env[EFFORT].spend(STEPS_PER_POSITION)
    return text(state, silent)


def _count_markers(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - the signature is the library's
    """Parse a run of markers of emphasis."""
    start = state.pos
    is_run = emphasis.tokenize(state, silent)
    state.env[EFFORT].spend(STEPS_PER_MARKER * (state.pos - start))
    return is_run


def _make_parser() -> MarkdownIt:
    # `store_labels` marks the links that were made from a reference.
    parser = MarkdownIt("commonmark", {"store_labels": True})
    parser.block, parser.inline = _CountedBlock(), _CountedInline()
    parser.inline.ruler.at("text", _count_positions)
    parser.inline.ruler.at("emphasis", _count_markers)
    return parser.configure("commonmark", {"store_labels": True})


_parser = _make_parser()


def parse(markdown: str, effort: Effort) -> list[Token]:
    """Parse CommonMark.

    Raises:
        HtmlTooLong: references would expand to more than the document and 100 KB.
        TooComplex: it takes too many steps.
    """
    tokens = _parser.parse(markdown, {EFFORT: effort})
    _check_expansion(tokens, max(len(markdown.encode()), MIN_EXPANSION))
    return tokens


def to_html(tokens: Sequence[Token]) -> str:
    """Write the tokens as HTML, which is not sanitised."""
    html: str = _parser.renderer.render(tokens, _parser.options, {})
    return html


def _check_expansion(tokens: Sequence[Token], max_length: int) -> None:
    """Add up what references repeat, before it is written out: until then, all links share one text."""
    expanded = 0
    for token in _all_tokens(tokens):
        if "label" in token.meta:
            expanded += sum(len(str(value).encode()) for value in token.attrs.values())
            if expanded > max_length:
                raise HtmlTooLong(f"The references of the Markdown expand to more than {max_length:,} bytes.")


def _all_tokens(tokens: Sequence[Token]) -> Iterator[Token]:
    stack: list[Any] = [iter(tokens)]
    while stack:
        token = next(stack[-1], None)
        if token is None:
            stack.pop()
            continue
        yield token
        if token.children:
            stack.append(iter(token.children))
