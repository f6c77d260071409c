"""CommonMark and GitHub's flavour, construct by construct.

The parser passes the examples of CommonMark 0.31.2. The specifications' texts are in no package that could be installed
with the tests, so these examples are the project's own.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gqlapi.content import TooComplex, render
from gqlapi.content.markdown import to_html
from gqlapi.content.sanitizing import sanitize

COMMONMARK = [
    ("Title\n=====", '<h1 id="user-content-title">Title</h1>'),
    ("Title\n---", '<h2 id="user-content-title">Title</h2>'),
    ("###### six ######", '<h6 id="user-content-six">six</h6>'),
    ("#none", "<p>#none</p>"),
    ("a\n\n***\n\nb", "<p>a</p>\n<hr>\n<p>b</p>"),
    ("one\ntwo", "<p>one\ntwo</p>"),
    ("one  \ntwo", "<p>one<br>\ntwo</p>"),
    ("one\\\ntwo", "<p>one<br>\ntwo</p>"),
    ("    code", "<pre><code>code\n</code></pre>"),
    ("~~~ c++ extra\nint a;\n~~~", '<pre><code class="language-c++">int a;\n</code></pre>'),
    ("> a\nb", "<blockquote>\n<p>a\nb</p>\n</blockquote>"),
    ("- a\n- b\n\n- c", "<ul>\n<li>\n<p>a</p>\n</li>\n<li>\n<p>b</p>\n</li>\n<li>\n<p>c</p>\n</li>\n</ul>"),
    ("3. a\n4. b", '<ol start="3">\n<li>a</li>\n<li>b</li>\n</ol>'),
    ("- a\n  - b", "<ul>\n<li>a\n<ul>\n<li>b</li>\n</ul>\n</li>\n</ul>"),
    (
        "*a* _b_ **c** __d__ ***e***",
        "<p><em>a</em> <em>b</em> <strong>c</strong> <strong>d</strong> <em><strong>e</strong></em></p>",
    ),
    ("snake_case_name 2*3*4", "<p>snake_case_name 2<em>3</em>4</p>"),
    ("`` a ` b ``", "<p><code>a ` b</code></p>"),
    (r"\*a\* \\", r"<p>*a* \</p>"),
    ("&copy; &#35; &unknown;", "<p>© # &amp;unknown;</p>"),
    ("[a](/b 'c')", '<p><a href="/b" title="c" rel="noopener noreferrer">a</a></p>'),
    ("[a](</b c>)", '<p><a href="/b%20c" rel="noopener noreferrer">a</a></p>'),
    ("[a][X]\n\n[x]: /b", '<p><a href="/b" rel="noopener noreferrer">a</a></p>'),
    ("[a]\n\n[a]: /b", '<p><a href="/b" rel="noopener noreferrer">a</a></p>'),
    ("![a *b*](/c)", '<p><img src="/c" alt="a b" loading="lazy"></p>'),
    ("<https://a.example/b>", '<p><a href="https://a.example/b" rel="noopener noreferrer">https://a.example/b</a></p>'),
    ("<me@a.example>", '<p><a href="mailto:me@a.example" rel="noopener noreferrer">me@a.example</a></p>'),
    ("a <b>c</b>", "<p>a <b>c</b></p>"),
    ("<div>\n*a*\n</div>", "<div>\n*a*\n</div>"),
    ("<div>\n\n*a*\n\n</div>", "<div>\n<p><em>a</em></p>\n</div>"),
]
# What the renderer or the sanitiser changes of what the specification says.
SANITISED = [
    ("a <!-- comment --> b", "<p>a  b</p>"),
    ("a <?php b ?> c", "<p>a  c</p>"),
    ("a <!ELEMENT b> c", "<p>a  c</p>"),
    ("<script>\nalert(1)\n</script>\n\na", "<p>a</p>"),
    ("<style>p { color: red }</style>\n\na", "<p>a</p>"),
    ("<textarea>a</textarea>", "a"),
    ("<del>\n*a*\n</del>", "<del>\n*a*\n</del>"),
    ("<custom-tag>a</custom-tag>", "<p>a</p>"),
    ("[a](javascript:alert(1))", '<p><a rel="noopener noreferrer">a</a></p>'),
    ("<made-up-scheme:a>", '<p><a rel="noopener noreferrer">made-up-scheme:a</a></p>'),
    (
        '<a onclick="b()" style="color: red" class="c" href="/d">e</a>',
        '<p><a href="/d" rel="noopener noreferrer">e</a></p>',
    ),
    ("<b>a", "<p><b>a</b></p><b>\n</b>"),
]
HEAD = "<table><thead><tr><th>a</th></tr></thead><tbody>\n"
FLAVOUR = [
    ("| a |\n|:-:|", '<table><thead><tr><th align="center">a</th></tr></thead><tbody>\n</tbody></table>'),
    ("| a |\n|--:|", '<table><thead><tr><th align="right">a</th></tr></thead><tbody>\n</tbody></table>'),
    ("| a |\n| - |\n| 1 | 2 |\n\nb", f"{HEAD}<tr><td>1</td></tr>\n</tbody></table>\n<p>b</p>"),
    ("| a |\n| - |\n| `2\\|3` |", f"{HEAD}<tr><td><code>2|3</code></td></tr>\n</tbody></table>"),
    ("~~a~~ ~b~", "<p><del>a</del> <del>b</del></p>"),
    ("- [x] a", '<ul>\n<li><input type="checkbox" checked="" disabled="">\na</li>\n</ul>'),
    ("- [ ] b", '<ul>\n<li><input type="checkbox" disabled="">\nb</li>\n</ul>'),
]


def blocks(inline: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Blocks as authors write them, without what is the renderer's own or in which renderers differ."""
    line = st.lists(inline, min_size=1, max_size=6).map(" ".join)
    lines = st.lists(line, min_size=1, max_size=4)
    code = st.lists(st.sampled_from(["a = 1", "  <b>", "", "*x*"]), max_size=4).map("\n".join)
    return st.one_of(
        lines.map("\n".join),
        lines.map(lambda found: "\n".join(f"- {item}" for item in found)),
        lines.map(lambda found: "\n".join(f"{number}. {item}" for number, item in enumerate(found, 1))),
        lines.map(lambda found: "\n".join(f"> {item}" for item in found)),
        lines.map(lambda found: "| a | b |\n|---|---|\n" + "\n".join(f"| {cell} | y |" for cell in found)),
        code.map(lambda found: f"```python\n{found}\n```"),
        st.just("***"),
        st.just("<div>\n<b>raw</b> *kept*\n</div>"),
    )


WORD = st.sampled_from(
    [
        "word", "*emphasis*", "**strong**", "`code`", "[link](/to 'title')", "![image](/a.png)", "~~gone~~", "&amp;",
        "a_b_c", "<kbd>K</kbd>", "é", "中文", "5 > 3", r"\*", "<https://a.example>",
    ]
)  # fmt: skip


def normalized(html: str) -> str:
    """Return HTML without what renderers are free to choose."""
    return html.replace("\n", "").replace("<s>", "<del>").replace("</s>", "</del>").replace("<tbody></tbody>", "")


class TestMarkdown:
    @pytest.mark.parametrize(("markdown", "html"), COMMONMARK)
    def test_is_rendered_as_commonmark(self, markdown: str, html: str) -> None:
        assert render(markdown).html.rstrip("\n") == html

    @pytest.mark.parametrize(("markdown", "html"), SANITISED)
    def test_is_sanitised(self, markdown: str, html: str) -> None:
        assert render(markdown).html.strip("\n") == html

    @pytest.mark.parametrize(("markdown", "html"), FLAVOUR)
    def test_is_rendered_in_the_flavour_of_github(self, markdown: str, html: str) -> None:
        assert render(markdown).html.rstrip("\n") == html

    @given(document=st.lists(blocks(WORD), min_size=1, max_size=6).map("\n\n".join))
    def test_is_rendered_as_by_another_renderer(self, document: str) -> None:
        other = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(document)
        other = other.replace('style="text-align:', 'align="')
        assert normalized(render(document).html) == normalized(sanitize(other))

    def test_of_too_deep_a_line_is_refused(self) -> None:
        with pytest.raises(TooComplex):
            to_html("a\n\n" + "> - 1. " * 100 + "a")
