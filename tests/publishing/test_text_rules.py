"""Titles, names and addresses over HTTP: refused with a code, or stored as a reader sees them."""

import random
import unicodedata
from typing import Any

import pytest

from gqlapi.models import User, UserRole
from gqlapi.words import fold
from tests.api import Api
from tests.factories import make_user, save
from tests.signing_in import sign_in_as

REFUSED = {"REQUIRED", "INVALID", "TOO_LONG"}
PIECES = (
    *(
        "a",
        "B",
        "\u00e9",
        "e\u0301",
        "\u4e2d",
        "\uac00",
        "\ufb01",
        "\ufdfa",
        "\u2122",
        " ",
        "\u00a0",
        "  ",
        "1",
        "#",
        "-",
    ),
    *("❤", "❤\ufe0f", "👩🏽", "\ufe0f", "\u200b", "\u200d", "\u00ad", "\u3164", "\u2800", "\u202e", "\u2066", "\u0301"),
    *("\n", "\r", "\t", "\x07", "\x1b", "\u2028", "\ufeff", "\ufffe", "\U000e0067", "\U0001fae9", "\u0130", "x" * 120),
)


@pytest.fixture
async def editor(api: Api) -> User:
    editor = make_user(username="ed", role=UserRole.EDITOR)
    await save(api.database, [editor])
    return editor


@pytest.fixture
async def client(api: Api, editor: User) -> Api:
    return await sign_in_as(api, editor)


def random_texts(count: int) -> list[str]:
    chance = random.Random(1)  # noqa: S311 - a test that can be repeated
    pieces = [*PIECES, *PIECES[:15] * 3]
    return ["".join(chance.choices(pieces, k=chance.randint(0, 4))) for _ in range(count)]


def codes(payload: Any) -> set[str]:
    return {error["code"] for error in payload["errors"]}


def nickname(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split())


class TestAnyText:
    async def test_is_refused_or_comes_back_as_a_title(self, client: Api) -> None:
        accepted = 0
        for title in random_texts(150):
            payload = await client.payload("createPost", {"title": title, "markdown": ""}, "post { title slug }")
            if payload["post"] is None:
                assert codes(payload) <= REFUSED, title
                continue
            accepted += 1
            assert payload["post"]["title"] == unicodedata.normalize("NFC", title.strip())
            slug = payload["post"]["slug"]
            assert slug == fold(slug)
            assert slug.replace("-", "").isprintable()
        assert 30 < accepted < 140

    async def test_is_refused_or_comes_back_as_the_name_of_a_tag_of_its_own(self, client: Api) -> None:
        stored: set[str] = set()
        for number, name in enumerate(random_texts(150)):
            given = {"slug": f"tag-{number}", "name": name}
            payload = await client.payload("upsertTag", given, "tag { name }")
            if payload["tag"] is None:
                assert codes(payload) <= REFUSED | {"NOT_UNIQUE"}, name
                assert ("NOT_UNIQUE" in codes(payload)) <= (fold(nickname(name)) in stored)
                continue
            assert payload["tag"]["name"] == nickname(name)
            assert fold(payload["tag"]["name"]) not in stored
            stored.add(fold(payload["tag"]["name"]))
        assert len(stored) > 20

    async def test_is_refused_or_comes_back_as_a_name_to_show(self, client: Api, editor: User) -> None:
        for name in random_texts(60):
            given = {"id": editor.global_id, "patch": {"displayName": name}}
            payload = await client.payload("updateUser", given, "user { displayName }")
            if payload["user"] is None:
                assert codes(payload) <= REFUSED, name
            else:
                assert payload["user"]["displayName"] == nickname(name)


class TestSlugs:
    @pytest.mark.parametrize(
        ("title", "slug"),
        [
            ("❤\ufe0f", "post"),
            ("✏\ufe0f note", "note"),
            ("I ❤\ufe0f Python", "i-python"),
            ("\u0130stanbul", "istanbul"),
            ("1\ufe0f\u20e3 👍🏽", "1"),
        ],
    )
    async def test_have_what_a_reader_sees(self, client: Api, title: str, slug: str) -> None:
        given = {"title": title, "markdown": "", "tags": [{"name": title}]}
        payload = await client.payload("createPost", given, "post { title slug tags { name slug } }")
        assert payload["post"]["slug"] == slug
        assert payload["post"]["title"] == title
        assert payload["post"]["tags"][0]["slug"] == (slug if slug != "post" else "tag")

    async def test_find_the_tag_that_looks_the_same(self, client: Api) -> None:
        for name in ("❤\ufe0f love", " ❤  LOVE"):
            given = {"title": "T", "markdown": "", "tags": [{"name": name}]}
            payload = await client.payload("createPost", given, "post { tags { name } }")
            assert payload["post"]["tags"] == [{"name": "❤\ufe0f love"}]


SEARCH = """
query($query: String!, $title: String!) {
  search(query: $query) { nodes { ... on Post { title } } edges { highlight } }
  posts(filter: {title: {contains: $title}}) { totalCount }
}
"""


class TestSearch:
    @pytest.mark.parametrize(
        ("query", "highlight"),
        [
            ("istanbul", "<mark>\u0130stanbul</mark>"),
            ("ISTANBUL", "<mark>\u0130stanbul</mark>"),
            ("\u0130stanbul", "<mark>\u0130stanbul</mark>"),
            ("cooperate", "We <mark>co\u00adoperate</mark> with ❤\ufe0f."),
            ("co\u00adoperate", "We <mark>co\u00adoperate</mark> with ❤\ufe0f."),
        ],
    )
    async def test_finds_what_a_reader_sees(self, client: Api, query: str, highlight: str) -> None:
        given = {"title": "\u0130stanbul", "markdown": "We co\u00adoperate with ❤\ufe0f.", "publish": True}
        assert (await client.payload("createPost", given, "post { id }"))["errors"] == []
        data = await client.data(SEARCH, {"query": query, "title": "ist"})
        assert data["search"] == {"nodes": [{"title": "\u0130stanbul"}], "edges": [{"highlight": highlight}]}
        assert data["posts"]["totalCount"] == 1

    async def test_has_no_words_that_cannot_be_seen(self, client: Api) -> None:
        result = await client.execute("query($q: String!) { search(query: $q) { totalCount } }", {"q": "❤\ufe0f"})
        assert result["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


class TestAvatarUrl:
    @pytest.mark.parametrize(
        "url",
        [
            "https://x.test:99999/",
            "https://x.test:0/",
            "https://x.test:80:90/",
            "http://u:p@x.test/",
            "http://u@x.test/",
            "http://@x.test/",
            'http://x"onerror=alert(1)',
            "http://x.test/'onerror=alert(1)",
            "http://x.test/<b>",
            "http://x.test/a b",
            "http://x.test\\@y.test/",
            "http://x.test/`",
            "http://x.test/\u202egnp",
            "http://x.test/\u3164",
            "http:///x.test/a.png",
            "http://[::1/",
            "http://",
            "javascript:alert(1)",
            "//x.test/a.png",
            "a.png",
        ],
    )
    async def test_is_refused(self, client: Api, editor: User, url: str) -> None:
        given = {"id": editor.global_id, "patch": {"avatarUrl": url}}
        payload = await client.payload("updateUser", given, "user { avatarUrl }")
        assert [(error["code"], error["path"]) for error in payload["errors"]] == [("INVALID", ["patch", "avatarUrl"])]

    @pytest.mark.parametrize(
        "url",
        [
            "https://x.test:8443/a.png?b=c&d=%22#e",
            "http://[::1]:8000/a.png",
            "https://b\u00fccher.test/\u00e4.png",
            "https://x.test",
        ],
    )
    async def test_comes_back_as_it_is(self, client: Api, editor: User, url: str) -> None:
        given = {"id": editor.global_id, "patch": {"avatarUrl": url}}
        assert (await client.payload("updateUser", given, "user { avatarUrl }"))["user"] == {"avatarUrl": url}
