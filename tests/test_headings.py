"""Ids of headings and of authors, the table of contents, and footnotes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gqlapi.content import Heading, headings_of, render
from gqlapi.content.headings import MAX_ANCHORS, MAX_HEADINGS
from gqlapi.content.sanitizing import ID_PREFIX
from tests.api import Api
from tests.factories import make_post, make_user, save

ID = re.compile(r' id="([^"]*)"')


def anchors(markdown: str) -> list[str]:
    return [heading.anchor.removeprefix(ID_PREFIX) for heading in headings_of(render(markdown).html)]


class TestHeadings:
    def test_are_a_table_of_contents(self) -> None:
        markdown = (
            "# A *title* & `code`\n\ntext\n\n## [Link](/a)[^1]\n\n<h3>Raw<br>one</h3>\n\n- # In a list\n\n[^1]: Note"
        )
        assert headings_of(render(markdown).html) == [
            Heading(1, "A title & code", "user-content-a-title--code"),
            Heading(2, "Link", "user-content-link"),
            Heading(3, "Raw one", "user-content-raw-one"),
            Heading(1, "In a list", "user-content-in-a-list"),
        ]

    @pytest.mark.parametrize(
        ("markdown", "expected"),
        [
            ("# What's new in 2.0?", ["whats-new-in-20"]),
            ("# a_b - c", ["a_b---c"]),
            ("# Straße ÉTÉ", ["straße-été"]),
            ("# 中文 標題", ["中文-標題"]),
            ("# हिन्दी", ["हिन्दी"]),
            ("# 🎉", ["section"]),
            ("#", ["section"]),
            ("# a\n# a\n# a", ["a", "a-1", "a-2"]),
            ("# a-1\n# a\n# a", ["a-1", "a", "a-2"]),
            ("<b id=a>x</b>\n\n# a", ["a-1"]),
            ('<h2 id="mine">a</h2>', ["mine"]),
            ("# " + "x" * 300, ["x" * 100]),
            ("no heading", []),
        ],
    )
    def test_are_named_as_on_github(self, markdown: str, expected: list[str]) -> None:
        assert anchors(markdown) == expected

    def test_are_reached_by_local_links(self) -> None:
        html = render("[down](#what-is-it)\n\n# What is it?").html
        assert set(re.findall(r'href="#([^"]*)"', html)) == {ID.findall(html)[0]}

    @given(titles=st.lists(st.sampled_from(["a", "a 1", "a-1", "A", "b", "", "🎉", "section"]), max_size=20))
    def test_have_ids_of_their_own(self, titles: list[str]) -> None:
        found = anchors("\n\n".join(f"# {title}" for title in titles))
        assert len(set(found)) == len(found) == len(titles)

    def test_are_bounded_in_number(self) -> None:
        html = render("# a\n" * (MAX_ANCHORS + 10)).html
        assert html.count("<h1") == MAX_ANCHORS + 10
        assert html.count(" id=") == MAX_ANCHORS
        assert len(headings_of(html)) == MAX_HEADINGS


class TestField:
    async def test_answers_the_table_of_contents(self, api: Api) -> None:
        author = make_user()
        await save(api.database, [author, make_post(author, slug="a", markdown="# One\n\n## *Two*\n\n<h3>Three</h3>")])
        query = '{ post(by: {slug: "a"}) { content { html headings { level text anchor } } } }'
        content = (await api.data(query))["post"]["content"]
        assert content["headings"] == [
            {"level": 1, "text": "One", "anchor": "user-content-one"},
            {"level": 2, "text": "Two", "anchor": "user-content-two"},
            {"level": 3, "text": "Three", "anchor": "user-content-three"},
        ]
        assert all(f'id="{heading["anchor"]}"' in content["html"] for heading in content["headings"])


class TestIds:
    @pytest.mark.parametrize(
        "markdown",
        [
            "<p id=%s>a</p>",
            "<img src=a id=%s>",
            "<a id=%s href=/b>a</a>",
            "# %s",
            "<code id=%s>a</code>",
            "a[^%s]\n\n[^%s]: b",
        ],
    )
    @pytest.mark.parametrize("name", ["body", "cookie", "createElement", "config", "__proto__", "user-content"])
    def test_never_replace_names_of_the_page(self, markdown: str, name: str) -> None:
        html = render(markdown.replace("%s", name)).html
        assert all(found.startswith(ID_PREFIX) for found in ID.findall(html))
        assert " name=" not in html

    @given(name=st.text(min_size=1))
    def test_of_any_text_are_prefixed(self, name: str) -> None:
        html = render(f"<p id='{name.replace(chr(39), '')}'>a</p>").html
        assert all(found.startswith(ID_PREFIX) for found in ID.findall(html))


class TestClasses:
    @pytest.mark.parametrize(
        ("markdown", "classes"),
        [
            ("```python\na\n```", ["language-python"]),
            ('<code class="a language-js b">c</code>', ["language-js"]),
            ('<code id="x" title="y" class="evil">c</code>', []),
            ('<p class="language-js">c</p>', []),
            ('<div class="evil">c</div>', []),
            ('<pre class="language-js">c</pre>', []),
        ],
    )
    def test_of_languages_stay_on_code(self, markdown: str, classes: list[str]) -> None:
        assert re.findall(r'class="([^"]*)"', render(markdown).html) == classes


class TestImages:
    def test_are_loaded_when_they_are_seen(self) -> None:
        html = render('![a](/b.png)\n\n<img src=/c.png loading=eager width=3 height=4 onload="d()">').html
        assert re.findall("<img[^>]*>", html) == [
            '<img src="/b.png" alt="a" loading="lazy">',
            '<img src="/c.png" width="3" height="4" loading="lazy">',
        ]


class TestInputs:
    def test_are_boxes_of_tasks_only(self) -> None:
        html = render("<input type=password name=a value=b autofocus>").html
        assert re.findall("<input[^>]*>", html) == ['<input type="checkbox" disabled="">']


class TestFootnotes:
    def test_are_at_the_end_with_links_there_and_back(self) -> None:
        html = render("One[^b] two[^a] three[^b].\n\n[^a]: First.\n\n[^b]: Second\n\n    more.\n\nLast.").html
        body, _, footnotes = html.partition('<section class="footnotes">')
        assert "Last." in body
        assert "Second" not in body
        assert re.findall(r'<li id="([^"]*)">\s*<p>(\w+)', footnotes) == [
            ("user-content-fn-1", "Second"),
            ("user-content-fn-2", "First"),
        ]
        hrefs = set(re.findall(r'href="#([^"]*)"', html))
        assert hrefs == {f"user-content-{name}" for name in ("fn-1", "fn-2", "fnref-1", "fnref-2")}
        ids = ID.findall(html)
        assert hrefs <= set(ids)
        assert len(set(ids)) == len(ids)
        assert html.count("↩") == 2

    @pytest.mark.parametrize(
        ("markdown", "text"),
        [
            ("a\n\n[^x]: Not used.", "a\nNot used."),
            ("a[^x]\n\n[^x]: - item", "a\nitem"),
            ("> a[^x]\n>\n> [^x]: In a quote.\n\nb", "a\nb\nIn a quote."),
            ("a[^x]\n\n[^x]: <div>In a div</div>\n\nb", "a\nb\nIn a div"),
            ("a[^x]\n\n[^x]: One[^y].\n\n[^y]: Two.", "a\nOne.\nTwo."),
            ("a[^none]", "a[^none]"),
        ],
    )
    def test_lose_no_text(self, markdown: str, text: str) -> None:
        assert render(markdown).text == text
