"""Markdown: what is rendered, what is removed, and the texts made from it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gqlapi.content import excerpt, render
from gqlapi.content.text import ELLIPSIS, WORDS_PER_MINUTE

WORDS = st.text(st.sampled_from("abc é🎉"), min_size=1, max_size=12)
MARKUP = re.compile(
    r"<\s*(script|iframe|object|embed|style|form|svg|math|link|meta)|\son\w+\s*=|javascript:|data:text", re.IGNORECASE
)
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<svg onload="alert(1)"></svg>',
    "<svg><script>alert(1)</script></svg>",
    "[a](javascript:alert(1))",
    "[a](  JaVaScRiPt:alert(1))",
    "[a](java&#10;script:alert(1))",
    "![a](javascript:alert(1))",
    "<a href='javascript:alert(1)'>a</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>a</a>",
    "<iframe src='https://evil.example'></iframe>",
    "<style>body { display: none }</style>",
    "<form action='https://evil.example'><input></form>",
    "<math><mi xlink:href='javascript:alert(1)'>a</mi></math>",
    "<b onclick=alert(1)>a</b>",
    "<div style='position: fixed' onmouseover=alert(1)>a</div>",
    "<scr<script>ipt>alert(1)</script>",
    "<a\nhref='javascript:alert(1)'>a</a>",
]


def tags_of(html: str) -> str:
    """Return the tags alone: in a text, any word is harmless."""
    return "".join(re.findall(r"<[^<>]*>", html))


class TestRender:
    @pytest.mark.parametrize("markdown", HOSTILE)
    def test_removes_what_could_run_a_script(self, markdown: str) -> None:
        html = render(f"before\n\n{markdown}\n\nafter").html
        assert MARKUP.search(tags_of(html)) is None
        assert "before" in html
        assert "after" in html

    @given(parts=st.lists(st.sampled_from([*HOSTILE, "*", "`", "\n", "```\n", "> ", "- ", "&lt;", "<", ">", '"', "a"])))
    def test_removes_it_in_any_surroundings(self, parts: list[str]) -> None:
        html = render("".join(parts)).html
        assert MARKUP.search(tags_of(html)) is None, html

    @pytest.mark.parametrize(
        ("markdown", "html"),
        [
            ("# A *title*", '<h1 id="user-content-a-title">A <em>title</em></h1>\n'),
            ("a **b** `c`", "<p>a <strong>b</strong> <code>c</code></p>\n"),
            ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
            ("```\n<b> & c\n```", "<pre><code>&lt;b&gt; &amp; c\n</code></pre>\n"),
            ("[a](https://blog.example)", '<p><a href="https://blog.example" rel="noopener noreferrer">a</a></p>\n'),
            (
                "![a](https://blog.example/a.png)",
                '<p><img src="https://blog.example/a.png" alt="a" loading="lazy"></p>\n',
            ),
            ("", ""),
        ],
    )
    def test_makes_html_of_commonmark(self, markdown: str, html: str) -> None:
        assert render(markdown).html == html

    @pytest.mark.parametrize(
        ("markdown", "text"),
        [
            ("# A *title*\n\nand `code`", "A title\nand code"),
            ("[a link](https://blog.example) ![a picture](a.png)", "a link a picture"),
            ("one\ntwo", "one two"),
            ("```python\nprint(1)\n```", "print(1)"),
            ("<b>bold</b> a", "bold a"),
            ("<div>\n\nshown\n\n</div>", "shown"),
            ("<div>Hello world in html</div>\n\nafter", "Hello world in html\nafter"),
            ("<p align=center>one<br>two</p>", "one two"),
            ("<ul><li>one</li><li>two</li></ul>", "one\ntwo"),
            ("|a|b|\n|-|-|\n|1|2|", "a b\n1 2"),
            ("<script>alert(1)</script>shown", "shown"),
            ("```\na\n    b\n```", "a\n    b"),
            ("a\\\nb", "a b"),
            ("&amp;amp; &quot; &nbsp;|", '&amp; " \u00a0|'),
            ("word[^1].\n\n[^1]: A note.", "word.\nA note."),
            ("- [x] done\n- [ ] open", "done\nopen"),
            ("> quoted\n> > twice", "quoted\ntwice"),
            ("a &lt;b&gt; &amp; c", "a <b> & c"),
            ("", ""),
        ],
    )
    def test_makes_text_without_markup(self, markdown: str, text: str) -> None:
        assert render(markdown).text == text

    @given(markdown=st.text())
    def test_takes_any_text(self, markdown: str) -> None:
        content = render(markdown)
        assert content.reading_time_minutes >= 1
        assert content == render(markdown)

    @pytest.mark.parametrize(
        ("words", "minutes"),
        [(0, 1), (1, 1), (WORDS_PER_MINUTE, 1), (WORDS_PER_MINUTE + 1, 2), (10 * WORDS_PER_MINUTE, 10)],
    )
    def test_tells_the_time_to_read(self, words: int, minutes: int) -> None:
        assert render("word " * words).reading_time_minutes == minutes

    @pytest.mark.parametrize(
        ("text", "minutes"),
        [
            ("中" * 30_000, 60),
            ("ひらがなカタカナ漢字" * 1_200, 24),
            ("한국어 " * WORDS_PER_MINUTE * 3, 3),
            ("ภาษาไทย" * 1_000, 7),
            ("中" * 500 + " word" * WORDS_PER_MINUTE, 2),
            ("\U00020000" * 1_500, 3),
        ],
        ids=["Chinese", "Japanese", "Korean", "Thai", "both", "rare"],
    )
    def test_counts_the_characters_of_scripts_without_spaces(self, text: str, minutes: int) -> None:
        assert render(text).reading_time_minutes == minutes


class TestExcerpt:
    @given(text=st.lists(WORDS).map(" ".join) | st.text(), length=st.integers(1, 60))
    def test_is_the_beginning_of_the_text_within_the_length(self, text: str, length: int) -> None:
        found, line = excerpt(text, length), " ".join(text.split())
        assert len(found) <= length
        assert "\n" not in found
        if len(line) <= length:
            assert found == line
        else:
            assert found.endswith(ELLIPSIS)
            assert line.startswith(found.removesuffix(ELLIPSIS))

    @given(words=st.lists(st.from_regex(r"[a-z]{1,9}", fullmatch=True), min_size=1), length=st.integers(10, 60))
    def test_is_cut_between_words(self, words: list[str], length: int) -> None:
        found = excerpt(" ".join(words), length).removesuffix(ELLIPSIS).split()
        assert found == words[: len(found)]

    def test_does_not_end_in_a_word_that_was_cut_off(self) -> None:
        assert excerpt("one    two   thr", 2_000, goes_on=True) == "one two…"
        assert excerpt("one    two   three", 2_000) == "one two three"

    def test_has_no_markup(self) -> None:
        text = render("# A *title*\n\n<script>alert(1)</script>\n\nand [a link](javascript:alert(1))").text
        assert excerpt(text, 200).startswith("A title and")
        assert not set("*#") & set(excerpt(text, 200))

    @pytest.mark.parametrize(
        ("text", "length", "expected"),
        [
            ("one two three", 13, "one two three"),
            ("one two three", 12, "one two…"),
            ("one two three", 8, "one two…"),
            ("one two three", 7, "one…"),
            ("onetwothree", 6, "onetw…"),
            ("a b", 1, "…"),
            ("", 5, ""),
        ],
    )
    def test_of_examples(self, text: str, length: int, expected: str) -> None:
        assert excerpt(text, length) == expected
