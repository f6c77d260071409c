"""What rendering may cost: hostile Markdown is refused, or rendered within bounds of time, memory and output."""

import re
from collections.abc import Callable

import nh3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gqlapi import content
from gqlapi.content import MAX_MARKDOWN_LENGTH, HtmlTooLong, TooComplex, Unrenderable, bounds, max_html_length, render
from gqlapi.content.bounds import MAX_MARKUP
from gqlapi.content.markdown import MAX_CONTAINERS_IN_LINE, MAX_LINES, to_html
from gqlapi.content.nesting import MAX_COPIES, MAX_DEPTH, check_depth, check_nesting
from gqlapi.content.sanitizing import sanitize
from tests.examples import examples

REFERENCE = "[x]: /u 'title'\n\n"
# Each takes another path through the parser, the renderer or the sanitiser; `#` makes each repetition another one.
PIECES = [
    "[", "![", "[x]", "![x]", "[a](", "[a](b", "[a](<b", "[a](b '", "[x][", "]", "](b)", ")", "[x]: /y\n",
    "[x]: b 'a\n", "*", "**", "_", "*a ", "a* ", "__a", "`", "``a", "a`", "<", "<a@b.c>", "<http://a>", "<!--", "-->",
    "<?", "<![CDATA[", "<b #>", "<i>", "</b>", "</i>", "<a href=#>", "</a>", "<p>", "</p>", "<div>", "</div>",
    "<table>", "<td>", "</td>", "<svg>", "<title>", "</title>", "<select>", "</select>", "<script>", "<a b='", "> ",
    ">\n", "> > > \n", "- ", "- a\n", "1. ", "1.\n", "# ", "#\n", "a\n=\n", "---\n", "```\n", "    a\n", "\\", "\\\n",
    "&", "&amp;", "&nbsp;", "\u00a0", "a", " ", "\n", "\n\n", "a\n", "\t", "ﷺ", "🦊", '"', "(", "|-|\n", "|a|\n|-|\n",
    "|", "~~", "~a", "[^a]", "[^a]: ", "- [x] a\n", "http://a.b/", "www.a.b", "a@b.c ", "# a\n", "<h1>", "</h1>",
    "<sup class=footnote-reference><a href='#a'>1</a></sup>", "<div class=footnote-definition id=a>",
    "<sup class=footnote-definition-label>1</sup>", "<code class='language-a b'>", "<input>", "<a id=a href='#b'>",
]  # fmt: skip


def repeated(piece: str, times: int) -> str:
    return "".join(piece.replace("#", f"a{number}") for number in range(times)) if "#>" in piece else piece * times


@st.composite
def hostile(draw: st.DrawFn) -> str:
    """Some pieces, each repeated by itself or all in turn, some thousand characters in all."""
    pieces = draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=5))
    times = draw(st.sampled_from([1, 10, 200]))
    if draw(st.booleans()):
        body = "".join(repeated(piece, times) for piece in pieces)
    else:
        body = "".join(piece.replace("#", f"a{number}") for number in range(times) for piece in pieces)
    return draw(st.sampled_from(["", REFERENCE, "<p>", "> ", "- "])) + body


# The inputs of reports, and what their kinds led to, at the size that the API takes.
EXPLOSIONS: dict[str, Callable[[int], str]] = {
    "formatting elements in each block": lambda n: (
        f"<div>{''.join(f'<b a{i}>' for i in range(n // 25))}{''.join(f'<i a{i}>' for i in range(n // 25))}"
        f"x{'</b>' * (n // 25)}"
    ),
    "formatting elements without attributes": lambda n: "<p><b><i><u><s><em><tt><code><small>" + "<p>x" * (n // 4),
}
# What the parser stops to expand.
REFERENCES: dict[str, Callable[[int], str]] = {
    "links to a long reference": lambda n: f"[x]: /{'u' * (n // 2)}\n\n" + "[x]" * (n // 6),
    "images with a long title": lambda n: f"[x]: / '{'u' * (n // 2)}'\n\n" + "![x]" * (n // 8),
}
# What would take long, or much memory, for the parser, the sanitiser or the check between them.
COMPLEX: dict[str, Callable[[int], str]] = {
    "lines in deep lists": lambda n: "- " * (n // 4) + "a\n" * (n // 4),
    "lines in deep quotes": lambda n: "> " * (n // 4) + "a\n" * (n // 4),
    "lines in deep lists of numbers": lambda n: "1.\t" * (n // 4) + "a\n" * (n // 8),
    "nested emphasis": lambda n: "*a " * (n // 6) + " a*" * (n // 6),
    "empty headings": lambda n: "#\n" * (n // 2),
    "items of one letter": lambda n: "- a\n" * (n // 4),
    "empty cells": lambda n: "|a|a|a|\n|-|-|-|\n" + "|||\n" * (n // 4 - 5),
    "ampersands": lambda n: "&" * n,
    "spaces that do not break": lambda n: "\u00a0" * n,
    "nested blocks": lambda n: "<div>" * (n // 5),
    "nested links": lambda n: "<a href=x><table>" * (n // 17),
    "end tags far from their start": lambda n: "<b>" + "<div>" * 900 + "</i>" * ((n - 4503) // 4),
    "attributes": lambda n: f"<b {' '.join(f'a{i}' for i in range(n // 7))}>",
}


MIN_EXPANSION = 100_000


class TestBounds:
    @pytest.mark.parametrize("length", [10_000, MAX_MARKDOWN_LENGTH])
    @pytest.mark.parametrize("make", EXPLOSIONS.values(), ids=EXPLOSIONS.keys())
    def test_refuses_html_that_explodes(self, make: Callable[[int], str], length: int) -> None:
        with pytest.raises(Unrenderable):
            render(make(length))

    @pytest.mark.parametrize("make", COMPLEX.values(), ids=COMPLEX.keys())
    def test_refuses_what_would_take_long(self, make: Callable[[int], str]) -> None:
        with pytest.raises(TooComplex):
            render(make(MAX_MARKDOWN_LENGTH))

    @examples(100)
    @given(markdown=hostile())
    def test_holds_for_any_composition(self, markdown: str) -> None:
        assert_bounded(markdown)

    @given(markdown=st.text())
    def test_holds_for_any_text(self, markdown: str) -> None:
        assert_bounded(markdown)

    def test_refuses_it_before_it_is_sanitised(self, monkeypatch: pytest.MonkeyPatch) -> None:
        parsed: list[str] = []
        monkeypatch.setattr(content, "sanitize", parsed.append)
        for make in COMPLEX.values():
            with pytest.raises(TooComplex):
                render(make(MAX_MARKDOWN_LENGTH))
        assert parsed == []

    def test_a_line_of_dashes_with_spaces_is_no_deep_list(self) -> None:
        assert render("- " * (MAX_CONTAINERS_IN_LINE // 2)).html == "<hr>\n"
        quotes = MAX_CONTAINERS_IN_LINE - 1
        assert render("> " * quotes + "a").html.count("<blockquote>") == quotes


class TestLength:
    def test_is_checked_before_the_html_is_sanitised(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bounds, "MAX_HTML_FACTOR", 5)
        monkeypatch.setattr(bounds, "FREE_HTML", 0)
        monkeypatch.setattr(content, "sanitize", None)
        with pytest.raises(HtmlTooLong):
            render(">\n\n" * 1_000)

    @pytest.mark.parametrize("length", [10_000, MAX_MARKDOWN_LENGTH])
    @pytest.mark.parametrize("make", REFERENCES.values(), ids=REFERENCES.keys())
    def test_of_references_is_that_of_the_document_or_100_kb(self, make: Callable[[int], str], length: int) -> None:
        markdown = make(length)
        html = to_html(markdown)
        one = length // 2
        # The parser adds up what it has expanded before it expands another one.
        assert 0 < html.count("u" * one) * one <= max(len(markdown), MIN_EXPANSION) + one
        assert "[x]" in html  # the rest stays as it is written
        assert_bounded(markdown)

    def test_is_checked_after_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        markdown = "[]()" * 1_000
        assert len(to_html(markdown)) < 10 * len(markdown) < len(render(markdown).html)
        monkeypatch.setattr(bounds, "FREE_HTML", 0)
        with pytest.raises(HtmlTooLong):
            render(markdown)

    def test_is_checked_after_addresses_became_links(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bounds, "FREE_HTML", 0)
        monkeypatch.setattr(bounds, "MAX_HTML_FACTOR", 9)
        assert render("word " * 1_000).html
        with pytest.raises(HtmlTooLong):
            render("a@b.c " * 1_000)

    def test_is_ten_times_that_of_the_markdown_and_64_kb(self) -> None:
        assert max_html_length("é") == 10 * 2 + 65_536


class TestMarkup:
    def test_is_counted_up_to_its_bound(self) -> None:
        item = "*a* "
        assert render(item * (MAX_MARKUP // 2 - 1)).html.count("<em>") == MAX_MARKUP // 2 - 1
        with pytest.raises(TooComplex, match="50,000 tags"):
            render(item * (MAX_MARKUP // 2))


class TestLines:
    @pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
    def test_are_counted_up_to_their_bound(self, end: str) -> None:
        assert render(f"a{end}" * MAX_LINES).text.count("a") == MAX_LINES
        with pytest.raises(TooComplex, match="20,000 lines"):
            render(f"a{end}" * (MAX_LINES + 1))


def assert_bounded(markdown: str) -> None:
    """The HTML has at most ten times the bytes of the Markdown and 64 KB, and the sanitiser finds nothing in it."""
    try:
        html = render(markdown).html
    except Unrenderable:
        return
    assert len(html.encode()) <= 10 * len(markdown.encode()) + 65_536
    assert attributes_of(sanitize(html)) == attributes_of(html)


def attributes_of(html: str) -> set[str]:
    """Return the tags with attributes: without what it removes, the sanitiser may nest elements in another way."""
    return set(re.findall(r"<\w+ [^>]*>", html))


def normalized(html: str) -> str:
    """Return HTML without the line breaks between tags, in which renderers differ."""
    return html.replace("\n", "").replace("<s>", "<del>").replace("</s>", "</del>")


class TestOutput:
    """What blogs write is rendered as by another renderer."""

    @pytest.mark.parametrize(
        "markdown",
        [
            "<p>one<p>two<p>three\n" * 100,
            "<a name=one>\n\ntext\n\n<a name=two>\n\n" * 500,
            "<table><tr><td><b>a</b><td><i>b</i></table>\n\n" * 200,
            "<div>\n\n*a* **b** `c` [d](e)\n\n</div>\n\n" * 500,
            "<font color=red>\n\n" + "<p>a <b>b</b></p>\n\n" * 1_000 + "</font>",
            "<svg><title>a</title><path d='M0 0'/></svg> *a* `b`\n\n" * 300,
            "<script>document.write('<b>')</script>\n\n*a*\n\n" * 30,
            "[a](https://blog.example) " * 1_000,
            "- words\n" * 5_000,
            "> quoted\n> > twice\n\n" * 500,
            "- one\n  - two\n    - three\n" * 500,
            "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 2_000,
        ],
    )
    def test_takes_what_blogs_write(self, markdown: str) -> None:
        other = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown)
        assert normalized(render(markdown).html) == normalized(sanitize(other))


# Tags that close nothing, though they look as if they did.
INEFFECTIVE = [
    "<b #><select></b></select>",
    "<b #><object></b></object>",
    "<b #><table><td></b></table>",
    "<b #><!-- </b> -->",
    "<b #><p title='</b>'>",
    "<b #><textarea></b></textarea>",
    "<b #><noscript></b></noscript>",
    "<b #><script><!--<script></script></b></script>",
    "<b #><svg><title><!--</title></svg></b>-->",
    "<b #><select><iframe><!--</iframe></select></b>-->",
    "<b #><svg><![CDATA[></svg></b>]]>",
    "<b #></\u212abd></ b>",
    "<b #>" + "<div>" * 9 + "</b>" + "</div>" * 9,
    "<b #><p><b></b>",
]


class TestNesting:
    @pytest.mark.parametrize("piece", INEFFECTIVE)
    def test_is_not_misled_by_end_tags_without_effect(self, piece: str) -> None:
        html = repeated(piece.replace("<b #>", "<b a#>", 1), 1) if "#>" not in piece else repeated(piece, 500)
        with pytest.raises(TooComplex):
            check_nesting(html + "<p>x" * 1_000, 10_000_000)

    @examples(150)
    @given(
        pieces=st.lists(
            st.sampled_from(
                [*(piece for piece in PIECES if piece.startswith("<")), *INEFFECTIVE, "<p>x", "</p>", "-->"]
            ),
            min_size=1,
            max_size=6,
        )
    )
    def test_expects_at_least_what_the_parser_makes(self, pieces: list[str]) -> None:
        html = "".join(repeated(piece, 10) for piece in pieces) + "<p>x" * 30
        try:
            check_nesting(html, 10_000_000)
        except Unrenderable:
            return
        made = nh3.clean(html).count("<b>") + nh3.clean(html).count("<i>")
        assert made <= html.count("<b") + html.count("<i") + MAX_COPIES

    def test_refuses_what_is_repeated_too_long(self) -> None:
        html = f"<b title='{'a' * 1_000}'>" + "<p>x" * 200
        with pytest.raises(HtmlTooLong):
            check_nesting(html, 100_000)
        check_nesting(html, 1_000_000)


class TestDepth:
    """Markdown without HTML becomes well-formed HTML, of which the depth is enough."""

    @given(
        markdown=st.text(st.sampled_from("*_~`[]()!>-+1.#|\\\n\t :^ab")) | hostile().map(lambda m: m.replace("<", ""))
    )
    def test_is_that_of_well_formed_html(self, markdown: str) -> None:
        try:
            html = to_html(markdown)
            check_depth(html)
        except TooComplex:
            return
        check_nesting(html, 10_000_000)

    @pytest.mark.parametrize("depth", [MAX_DEPTH - 1, MAX_DEPTH])
    def test_is_bounded(self, depth: int) -> None:
        html = f"<p>{'<em>' * depth}<br>{'</em>' * depth}</p>"
        if depth < MAX_DEPTH:
            check_depth(html)
        else:
            with pytest.raises(TooComplex):
                check_depth(html)


class TestCheckpoint:
    def test_ends_a_rendering(self) -> None:
        class Ended(Exception):
            pass

        def end() -> None:
            raise Ended

        with pytest.raises(Ended):
            render("*a* " * 10_000, end)
