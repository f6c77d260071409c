"""What rendering may cost: hostile Markdown is refused, or rendered within bounds of time, memory and output."""

from collections.abc import Callable

import nh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gqlapi import content
from gqlapi.content import MAX_MARKDOWN_LENGTH, HtmlTooLong, TooComplex, Unrenderable, max_html_length, render
from gqlapi.content.commonmark import MIN_EXPANSION
from gqlapi.content.effort import FREE_STEPS, STEPS_PER_CHARACTER, STEPS_PER_PAUSE, Effort
from gqlapi.content.nesting import MAX_COPIES, check_nesting

REFERENCE = "[x]: /u 'title'\n\n"
# Each takes another path through the parser, the renderer or the sanitiser; `#` makes each repetition another one.
PIECES = [
    "[", "![", "[x]", "![x]", "[a](", "[a](b", "[a](<b", "[a](b '", "[x][", "]", "](b)", ")", "[x]: /y\n",
    "[x]: b 'a\n", "*", "**", "_", "*a ", "a* ", "__a", "`", "``a", "a`", "<", "<a@b.c>", "<http://a>", "<!--", "-->",
    "<?", "<![CDATA[", "<b #>", "<i>", "</b>", "</i>", "<a href=#>", "</a>", "<p>", "</p>", "<div>", "</div>",
    "<table>", "<td>", "</td>", "<svg>", "<title>", "</title>", "<select>", "</select>", "<script>", "<a b='", "> ",
    ">\n", "> > > \n", "- ", "- a\n", "1. ", "1.\n", "# ", "#\n", "a\n=\n", "---\n", "```\n", "    a\n", "\\", "\\\n",
    "&", "&amp;", "&nbsp;", "\u00a0", "a", " ", "\n", "\n\n", "a\n", "\t", "ﷺ", "🦊", '"', "(", "|-|\n",
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


class Counter:
    """Counts how often work looks up whether it should go on."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1


# The inputs of reports, and what their kinds led to, at the size that the API takes.
EXPLOSIONS: dict[str, Callable[[int], str]] = {
    "formatting elements in each block": lambda n: (
        f"<div>{''.join(f'<b a{i}>' for i in range(n // 25))}{''.join(f'<i a{i}>' for i in range(n // 25))}"
        f"x{'</b>' * (n // 25)}"
    ),
    "formatting elements without attributes": lambda n: "<p><b><i><u><s><em><tt><code><small>" + "<p>x" * (n // 4),
    "links to a long reference": lambda n: f"[x]: /{'u' * (n // 2)}\n\n" + "[x]" * (n // 6),
    "images with a long title": lambda n: f"[x]: / '{'u' * (n // 2)}'\n\n" + "![x]" * (n // 8),
}
SLOW: dict[str, Callable[[int], str]] = {
    "lazy lines behind an empty quote": lambda n: "a\n> > \n" * (n // 7),
    "lazy lines behind long quotes": lambda n: ("> > \na\n" + ">b\n" * 100) * (n // 307),
    "brackets": lambda n: "[" * n,
    "brackets of images": lambda n: "![" * (n // 2),
    "brackets on lines": lambda n: "[\n" * (n // 2),
    "references that are not closed": lambda n: REFERENCE + "[x][b" * (n // 5),
    "emphasis": lambda n: "*_" * (n // 2),
    "nested emphasis": lambda n: "*a " * (n // 6) + " a*" * (n // 6),
    "empty headings": lambda n: "#\n" * (n // 2),
    "items of one letter": lambda n: "- a\n" * (n // 4),
    "nested blocks": lambda n: "<div>" * (n // 5),
    "nested links": lambda n: "<a href=x><table>" * (n // 17),
    "attributes": lambda n: f"<b {' '.join(f'a{i}' for i in range(n // 7))}>",
}


class TestBounds:
    @pytest.mark.parametrize("length", [10_000, MAX_MARKDOWN_LENGTH])
    @pytest.mark.parametrize("make", EXPLOSIONS.values(), ids=EXPLOSIONS.keys())
    def test_refuses_html_that_explodes(self, make: Callable[[int], str], length: int) -> None:
        with pytest.raises(Unrenderable):
            render(make(length))

    @pytest.mark.parametrize("make", SLOW.values(), ids=SLOW.keys())
    def test_refuses_what_would_take_long(self, make: Callable[[int], str]) -> None:
        with pytest.raises(TooComplex):
            render(make(MAX_MARKDOWN_LENGTH))

    @settings(max_examples=200)
    @given(markdown=hostile())
    def test_holds_for_any_composition(self, markdown: str) -> None:
        assert_bounded(markdown)

    @given(markdown=st.text())
    def test_holds_for_any_text(self, markdown: str) -> None:
        assert_bounded(markdown)


class TestLength:
    def test_is_checked_before_the_html_is_sanitised(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(content, "MAX_HTML_FACTOR", 5)
        monkeypatch.setattr(content, "FREE_HTML", 0)
        monkeypatch.setattr(content, "nh3", None)
        with pytest.raises(HtmlTooLong):
            render(">\n\n" * 1_000)

    def test_of_references_is_checked_before_they_are_written_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(content, "to_html", None)
        with pytest.raises(HtmlTooLong, match="references"):
            render(EXPLOSIONS["links to a long reference"](MAX_MARKDOWN_LENGTH))

    @pytest.mark.parametrize("uses", [99, 101])
    def test_of_references_is_that_of_the_document_or_100_kb(self, uses: int) -> None:
        markdown = f"[x]: {'u' * 1_000}\n\n{'[x] ' * uses}{'filler ' * 5_000}"
        if uses * 1_000 > MIN_EXPANSION:
            with pytest.raises(HtmlTooLong, match="references"):
                render(markdown)
        else:
            assert render(markdown).html.count("</a>") == uses

    def test_is_checked_after_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        markdown = "[]()" * 1_000
        assert len(MarkdownIt("commonmark").render(markdown)) < 10 * len(markdown) < len(render(markdown).html)
        monkeypatch.setattr(content, "FREE_HTML", 0)
        with pytest.raises(HtmlTooLong):
            render(markdown)


def assert_bounded(markdown: str) -> None:
    """The HTML has at most ten times the bytes of the Markdown and 64 KB, and the work is linear."""
    checkpoint = Counter()
    try:
        html = render(markdown, checkpoint).html
    except Unrenderable:
        pass
    else:
        assert len(html.encode()) <= 10 * len(markdown.encode()) + 65_536
    assert checkpoint.calls <= (FREE_STEPS + STEPS_PER_CHARACTER * len(markdown)) / STEPS_PER_PAUSE


class TestOutput:
    """What is bounded is rendered as by the library alone."""

    @settings(max_examples=200)
    @given(markdown=hostile() | st.text())
    def test_is_that_of_the_library(self, markdown: str) -> None:
        if len(markdown) < 3_000:
            try:
                html = render(markdown).html
            except Unrenderable:
                return
            assert html == nh3.clean(MarkdownIt("commonmark").render(markdown))

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
        assert render(markdown).html == nh3.clean(MarkdownIt("commonmark").render(markdown))


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
            check_nesting(html + "<p>x" * 1_000, 10_000_000, Effort(1_000_000))

    @settings(max_examples=300)
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
            check_nesting(html, 10_000_000, Effort(1_000_000))
        except Unrenderable:
            return
        made = nh3.clean(html).count("<b>") + nh3.clean(html).count("<i>")
        assert made <= html.count("<b") + html.count("<i") + MAX_COPIES

    def test_refuses_what_is_repeated_too_long(self) -> None:
        html = f"<b title='{'a' * 1_000}'>" + "<p>x" * 200
        with pytest.raises(HtmlTooLong):
            check_nesting(html, 100_000, Effort(len(html)))
        check_nesting(html, 1_000_000, Effort(len(html)))


class TestEffort:
    def test_of_ordinary_text_is_a_small_part_of_what_is_allowed(self) -> None:
        markdown = "# Title\n\nSome *text* with a [link](https://blog.example) and `code`.\n\n- one\n- two\n\n" * 500
        effort = Effort(len(markdown))
        allowed = effort.left
        checkpoint = Counter()
        render(markdown, checkpoint)
        assert 0 < checkpoint.calls * STEPS_PER_PAUSE < allowed / 2

    def test_ends_when_the_checkpoint_says_so(self) -> None:
        class Ended(Exception):
            pass

        def end() -> None:
            raise Ended

        with pytest.raises(Ended):
            render("*a* " * 10_000, end)

    def test_of_the_longest_html_is_allowed(self) -> None:
        assert max_html_length("é") == 10 * 2 + 65_536
