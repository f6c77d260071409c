"""What a file of each generator says."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gqlapi.interchange.reading import Article, find_files, read_article
from gqlapi.interchange.unreadable import NotAPost, Unreadable
from gqlapi.models import PostState
from tests.interchange.blog import article, write

JEKYLL = """
---
layout: post
title: "Jekyll: it's here"
date: "2013-05-06 02:12:52 +0200"
author: ada
category: News
tags: static site
permalink: /2013/05/06/here/
published: true
---

Hello {% include x.html %}
"""
HUGO_YAML = """
---
title: A bundle
date: 2021-03-04T05:06:07+01:00
publishDate: 2021-03-05
authors:
  - name: Ada Lovelace
    link: https://example.com
  - Bela
draft: true
categories: [Science]
tags: [Engines, engines, 2021]
---

{{< figure src="x.png" >}}
"""
HUGO_TOML = """
+++
title = 'Numbers'
date = 2021-03-04T05:06:07.891Z
tags = ['one', 2]
slug = 'Our Numbers'
[params]
author = 'Ada'
+++
Text
"""
ZOLA = """
+++
title = "A page"
date = 2021-03-04
updated = 2022-01-01
path = "notes/a-page"
[taxonomies]
tags = ["rust", "zola"]
categories = ["tools"]
authors = ["Ada"]
[extra]
author = "Bela"
+++

Text
"""


def read(tmp_path: Path, name: str, content: str | bytes) -> Article:
    write(tmp_path, {name: content})
    return read_article(tmp_path / name, tmp_path)


def utc(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=UTC)  # type: ignore[arg-type,misc] # a year, a month, a day and so on


class TestGenerators:
    def test_jekyll(self, tmp_path: Path) -> None:
        when = utc(2013, 5, 6, 0, 12, 52)
        assert read(tmp_path, "_posts/2013-05-05-x.markdown", JEKYLL) == Article(
            path="_posts/2013-05-05-x.markdown",
            title="Jekyll: it's here",
            slug="here",
            markdown="Hello {% include x.html %}\n",
            state=PostState.PUBLISHED,
            published_at=when,
            created_at=when,
            author="ada",
            tags=("static", "site", "News"),
        )

    def test_hugo_with_yaml(self, tmp_path: Path) -> None:
        assert read(tmp_path, "posts/my-bundle/index.md", HUGO_YAML) == Article(
            path="posts/my-bundle/index.md",
            title="A bundle",
            slug="my-bundle",
            markdown='{{< figure src="x.png" >}}\n',
            state=PostState.DRAFT,
            published_at=None,
            created_at=utc(2021, 3, 4, 4, 6, 7),
            author="Ada Lovelace",
            tags=("Engines", "2021", "Science"),
            notes=("only the first of its 2 authors was taken",),
        )

    def test_hugo_with_toml(self, tmp_path: Path) -> None:
        found = read(tmp_path, "numbers.md", HUGO_TOML)
        assert (found.slug, found.author, found.tags) == ("our-numbers", "Ada", ("one", "2"))
        assert found.published_at == datetime(2021, 3, 4, 5, 6, 7, 891_000, UTC)

    def test_zola(self, tmp_path: Path) -> None:
        found = read(tmp_path, "page.md", ZOLA)
        assert (found.slug, found.author, found.tags) == ("a-page", "Ada", ("rust", "zola", "tools"))
        assert (found.published_at, found.state) == (utc(2021, 3, 4), PostState.PUBLISHED)


class TestSlug:
    @pytest.mark.parametrize(
        ("name", "line", "slug"),
        [
            ("2013-05-06-My_Title.md", "", "my-title"),
            ("2013-5-6-title.md", "", "title"),
            ("2013-05-06_title.md", "", "title"),
            ("title.md", "", "title"),
            ("2013-05-06-bundle/index.md", "", "bundle"),
            ("index.md", "", "index"),
            ("日本語 です.md", "", "日本語-です"),
            ("x.md", "slug: From Here", "from-here"),
            ("x.md", "permalink: /a/b.html", "b"),
            ("x.md", "permalink: https://example.com:8080/a/caf%C3%A9/?q=1", "café"),
            ("x.md", "url: /a/b/index.html", "b"),
            ("x.md", "path: b", "b"),
            ("x.md", "permalink: /:year/:title/", "x"),
            ("x.md", "permalink: pretty", "x"),
            ("x.md", "permalink: /", "x"),
            ("x.md", "permalink: 'http://[x/'", "x"),
            ("x.md", "slug: '!!!'", "x"),
        ],
    )
    def test_is_told_or_that_of_the_name(self, tmp_path: Path, name: str, line: str, slug: str) -> None:
        assert read(tmp_path, name, article("A", line)).slug == slug

    def test_that_is_too_long_is_cut(self, tmp_path: Path) -> None:
        found = read(tmp_path, "x.md", article("A", f"slug: {'word-' * 50}"))
        assert found.slug == "-".join(["word"] * 40)
        assert found.notes == ("its slug was cut to 200 characters",)

    def test_needs_a_letter(self, tmp_path: Path) -> None:
        with pytest.raises(Unreadable, match="no part of its name can be used in a URL"):
            read(tmp_path, "!!!.md", article())


class TestDate:
    @pytest.mark.parametrize("name", ["2013-05-06-x.md", "2013-05-06-x/index.md", "blog/2013/05/06/x.md"])
    def test_stands_in_the_name(self, tmp_path: Path, name: str) -> None:
        assert read(tmp_path, name, article(date="")).published_at == utc(2013, 5, 6)

    def test_of_the_front_matter_wins(self, tmp_path: Path) -> None:
        assert read(tmp_path, "2013-05-06-x.md", article()).published_at == utc(2021, 3, 4)

    def test_of_publication_wins(self, tmp_path: Path) -> None:
        found = read(tmp_path, "x.md", article("A", "publishDate: 2022-01-01"))
        assert (found.published_at, found.created_at) == (utc(2022, 1, 1), utc(2021, 3, 4))

    def test_that_is_mistyped_gives_way_to_the_name(self, tmp_path: Path) -> None:
        found = read(tmp_path, "2013-05-06-x.md", article(date="2013-05-06 12:00 2013"))
        assert found.published_at == utc(2013, 5, 6)
        assert found.notes == ("its date '2013-05-06 12:00 2013' cannot be read, so that of its name was taken",)

    def test_must_be_there_for_what_is_public(self, tmp_path: Path) -> None:
        with pytest.raises(NotAPost, match="it has no date"):
            read(tmp_path, "about.md", article(date=""))

    @pytest.mark.parametrize("line", ["draft: true", "archived: true"])
    def test_need_not_be_there_for_what_is_not(self, tmp_path: Path, line: str) -> None:
        assert read(tmp_path, "x.md", article("A", line, date="")).published_at is None


class TestState:
    @pytest.mark.parametrize(
        ("name", "line", "state"),
        [
            ("x.md", "", PostState.PUBLISHED),
            ("x.md", "draft: false", PostState.PUBLISHED),
            ("x.md", "draft: true", PostState.DRAFT),
            ("x.md", "draft: Yes", PostState.DRAFT),
            ("x.md", "published: false", PostState.DRAFT),
            ("x.md", "published: 2020-01-01", PostState.PUBLISHED),
            ("site/_drafts/x.md", "", PostState.DRAFT),
            ("_drafts/x.md", "archived: true", PostState.ARCHIVED),
        ],
    )
    def test_is_told_or_that_of_the_folder(self, tmp_path: Path, name: str, line: str, state: PostState) -> None:
        assert read(tmp_path, name, article("A", line)).state is state


class TestTitle:
    @pytest.mark.parametrize(
        ("text", "title"),
        [
            ("Text\n\n# Über uns #\n", "Über uns"),
            ("```sh\n# no comment\n```\n## Then this\n", "Then this"),
            ("~~~\n# code that continues", "Nice Name"),
            ("#hashtag\n", "Nice Name"),
            ("####### seven\n", "Nice Name"),
            ("# \n## ##\n###\t#\n", "Nice Name"),
            ("#\ta  b ###  \n", "a b"),
            ("# C#\n", "C#"),
            ("# C# ##\n", "C#"),
            ("# a # b\n", "a # b"),
            ("# a#b #\\#\n", "a#b ##"),
            ("#\u3000a\n# \u2003b\u00a0\n", "b"),
            ("# a\u00a0 #\u00a0\n", "a #"),
            ("# *My* [Title](https://a.test) &amp; `code`\n", "My Title & code"),
            ("Over *two*\nlines\n=====\n", "Over two lines"),
            ("> " * 2_000 + "# too deep\n", "Nice Name"),
        ],
    )
    def test_is_the_first_heading_or_that_of_the_name(self, tmp_path: Path, text: str, title: str) -> None:
        content = f"---\ndate: 2021-03-04\n---\n{text}"
        assert read(tmp_path, "2013-05-06-nice-Name.md", content).title == title

    def test_may_look_like_a_number(self, tmp_path: Path) -> None:
        assert read(tmp_path, "x.md", article("1.10")).title == "1.10"


class TestTags:
    @pytest.mark.parametrize(
        ("line", "tags"),
        [
            ("tags: one two", ("one", "two")),
            ("tags: one, two words,", ("one", "two words")),
            ("tag: two words", ("two words",)),
            ("tags: [no, 1.10, null, '']", ("no", "1.10")),
            ("tags: [Ruby, ruby, RUBY]", ("Ruby",)),
            ("category: a b", ("a b",)),
            ("tags:", ()),
            ("tags: {a: b}", ()),
            ("tags: [[a], b]", ("b",)),
        ],
    )
    def test_are_read_as_the_generators_do(self, tmp_path: Path, line: str, tags: tuple[str, ...]) -> None:
        assert read(tmp_path, "x.md", article("A", line)).tags == tags

    def test_are_at_most_twenty(self, tmp_path: Path) -> None:
        names = [f"t{number}" for number in range(25)]
        found = read(tmp_path, "x.md", article("A", f"tags: {names}", "category: t1"))
        assert found.tags == tuple(names[:20])
        assert found.notes == ("only 20 of its 25 tags were taken",)


class TestBadFiles:
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"---\ntitle: A\n---\n\xff\xfe", "it is not UTF-8"),
            (b"---\ntitle: A\n---\n\x00", r"it holds U\+0000"),
            (b"\x89PNG\r\n\x1a\n\x00", "it is not UTF-8"),
            (b"-" * 1_000_001, "it is larger than 1000000 bytes"),
            (article(text="x" * 100_001), "its text is longer than 100000 characters"),
            (article("x" * 301), "title: At most 300 characters"),
            (article("\ufdfa" * 100), "title: At most 600 characters, counted after Unicode normalization"),
            (article("A", f"tags: [{'x' * 101}]"), r"tag 'x+': At most 100 characters"),
            (article("A", f"author: {'x' * 101}"), "author: At most 100 characters"),
            (article('"a\\0b"'), r"title: .* remove U\+0000"),
            (article("A", 'tags: ["\\uD800"]'), r"tag .* remove U\+D800"),
            (article("A", 'author: "\\uDFFF"'), r"author: .* remove U\+DFFF"),
            (article(date="1912-06-23"), "its date lies before 1970"),
            (article("A", "created: once"), "its date 'once' cannot be read"),
        ],
    )
    def test_are_refused_with_the_reason(self, tmp_path: Path, content: str | bytes, reason: str) -> None:
        with pytest.raises(Unreadable, match=reason) as caught:
            read(tmp_path, "x.md", content)
        assert caught.value.is_bad

    @pytest.mark.parametrize("name", ["_index.md", "_index.de.md", "README.md", "docs/readme.markdown"])
    def test_are_not_those_that_are_no_posts(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(NotAPost, match="it is no post"):
            read(tmp_path, name, article())

    def test_are_not_links(self, tmp_path: Path) -> None:
        (tmp_path / "x.md").symlink_to("/etc/hostname")
        with pytest.raises(NotAPost, match="it is a link"):
            read_article(tmp_path / "x.md", tmp_path)

    def test_has_a_byte_order_mark_taken_off(self, tmp_path: Path) -> None:
        assert read(tmp_path, "x.md", "\ufeff" + article(text="\ufeffText")).markdown == "\ufeffText"


class TestFindFiles:
    def test_finds_markdown_at_any_depth_in_order(self, tmp_path: Path) -> None:
        names = ["b.md", "a/c.MARKDOWN", "a/b.mkd", "c.txt", ".git/x.md", "node_modules/x.md", "a.md/d.mdown"]
        write(tmp_path, dict.fromkeys(names, ""))
        (tmp_path / "loop").symlink_to(tmp_path)
        found = [path.relative_to(tmp_path).as_posix() for path in find_files(tmp_path)]
        assert found == ["a/b.mkd", "a/c.MARKDOWN", "a.md/d.mdown", "b.md"]

    def test_names_files_so_that_a_terminal_can_show_them(self, tmp_path: Path) -> None:
        assert read(tmp_path, "2013-05-06-a\n\x1b[31m.md", article()).path == "2013-05-06-a\\n\\x1b[31m.md"
        assert read(tmp_path, "2013-05-06-a\udcff.md", article()).path == "2013-05-06-a\\udcff.md"
