"""Addresses that are written out become links; local links lead to the ids of the post."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gqlapi.content import render
from gqlapi.content.links import link_addresses
from gqlapi.content.text import text_of

LINK = re.compile(r'<a href="([^"]*)" rel="noopener noreferrer">([^<]*)</a>')


def links(markdown: str) -> list[tuple[str, str]]:
    return LINK.findall(render(markdown).html)


class TestAddresses:
    @pytest.mark.parametrize(
        ("markdown", "linked"),
        [
            ("See https://a.example/b?c=d#e now", ["https://a.example/b?c=d#e"]),
            ("http://localhost:8000/ works", ["http://localhost:8000/"]),
            ("ftp://a.example.", ["ftp://a.example"]),
            ("Go to https://a.example, please.", ["https://a.example"]),
            ("(https://a.example/b_(c))", ["https://a.example/b_(c)"]),
            ("(https://a.example/b)))", ["https://a.example/b"]),
            ("https://a.example/b)c(d", ["https://a.example/b)c(d"]),
            ("https://a.example/?a=b&c=d", ["https://a.example/?a=b&amp;c=d"]),
            ("https://a.example/?a&copx; b", ["https://a.example/?a"]),
            ("https://a.example/a_b_c*", ["https://a.example/a_b_c"]),
            ('"https://a.example/b"', ["https://a.example/b"]),
            ("https://a.example/b<c", ["https://a.example/b"]),
            ("看https://a.example/中文。好", []),
            ("看 https://a.example/中文。好", ["https://a.example/中文"]),
            ("**https://a.example/b**", ["https://a.example/b"]),
            ("# https://a.example", ["https://a.example"]),
            ("| https://a.example/b |\n|-|", ["https://a.example/b"]),
            ("https:// and http://.", []),
            ("xhttps://a.example", []),
        ],
    )
    def test_with_a_scheme_are_linked(self, markdown: str, linked: list[str]) -> None:
        assert links(markdown) == [(address, address) for address in linked]

    @pytest.mark.parametrize(
        ("markdown", "linked"),
        [
            ("www.a.example", ["www.a.example"]),
            ("Visit www.a.example/b.", ["www.a.example/b"]),
            ("www.a", []),
            ("www. a.example", []),
            ("awww.a.example", []),
        ],
    )
    def test_of_the_web_are_linked(self, markdown: str, linked: list[str]) -> None:
        assert links(markdown) == [(f"http://{address}", address) for address in linked]

    @pytest.mark.parametrize(
        ("markdown", "linked"),
        [
            ("me@a.example", ["me@a.example"]),
            ("Write to first.last+tag@a-b.example.", ["first.last+tag@a-b.example"]),
            ("me@a.example-", []),
            ("me@a.example_", []),
            ("me@mail+a.example", []),
            ("me@a", []),
            ("@a.example", []),
        ],
    )
    def test_of_people_are_linked(self, markdown: str, linked: list[str]) -> None:
        assert links(markdown) == [(f"mailto:{address}", address) for address in linked]

    @pytest.mark.parametrize(
        "markdown",
        [
            "`https://a.example`",
            "    https://a.example",
            "```\nwww.a.example me@a.example\n```",
            "<code>a <b>https://a.example</b></code>",
            '<div title="https://a.example">x</div>',
            '![me@a.example](/x "www.a.example")',
        ],
    )
    def test_in_code_and_attributes_are_not(self, markdown: str) -> None:
        assert links(markdown) == []

    def test_in_links_are_not(self) -> None:
        assert links("[see https://b.example **www.c.example**](https://a.example)") == []
        assert render("[see https://b.example](https://a.example)").html.count("<a ") == 1

    @given(
        parts=st.lists(
            st.sampled_from(
                ["https://a.example", "www.a.b", "a@b.c", "(", ")", ".", "&", ";", " ", "*", "<b>", "x", "_"]
            )
        )
    )
    def test_change_no_text(self, parts: list[str]) -> None:
        html = render("".join(parts).replace("https", "hxxps").replace("www", "wxw").replace("@", "#")).html
        html = html.replace("hxxps", "https").replace("wxw", "www").replace("#", "@")
        linked = link_addresses(html)
        assert text_of(linked) == text_of(html)
        assert re.sub(r"</?a[^>]*>", "", linked) == re.sub(r"</?a[^>]*>", "", html)


class TestLocalLinks:
    @pytest.mark.parametrize(
        ("markdown", "href"),
        [
            ("[a](#b)", "#user-content-b"),
            ('<a title="#x" href="#b">a</a>', "#user-content-b"),
            ("[a](#user-content-b)", "#user-content-b"),
            ("[a](#)", "#"),
            ("[a](#top)", "#top"),
            ("[a](/x#b)", "/x#b"),
        ],
    )
    def test_lead_to_prefixed_ids(self, markdown: str, href: str) -> None:
        assert re.findall(r'href="([^"]*)"', render(markdown).html) == [href]

    def test_in_code_stay(self) -> None:
        assert 'href="#b"' in render('`<a href="#b">`').html
