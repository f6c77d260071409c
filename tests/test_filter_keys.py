"""Values that are compared without regard to case: folded once, and only if they can be stored."""

import unicodedata
from typing import Any

import pytest

from gqlapi import words
from gqlapi.accounts.registration import login_key
from gqlapi.models import Post
from gqlapi.repositories import conditions
from tests.api import Api
from tests.factories import make_post, make_tag, make_user, save

POSTS = "query($f: PostFilter) { posts(filter: $f) { totalCount nodes { title } } }"
# Each becomes 18 characters when it is folded.
LONG = "\ufdfa" * 50_000


@pytest.fixture
async def post(api: Api) -> Post:
    author, tag = make_user(username="ada"), make_tag(name="Web")
    post = make_post(author, tag, title="Title")
    await save(api.database, [author, tag, post])
    return post


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the length of each text that is folded for a condition."""
    folded: list[int] = []

    def count(text: str, max_length: int) -> str | None:
        folded.append(len(text))
        return words.fold_key(text, max_length)

    monkeypatch.setattr(conditions, "fold_key", count)
    return folded


class TestTooLongValue:
    @pytest.mark.parametrize("case_insensitive", [True, False])
    @pytest.mark.parametrize(
        ("operator", "value", "total"),
        [
            ("eq", LONG, 0),
            ("ne", LONG, 1),
            ("in", [LONG], 0),
            ("in", [LONG, "Title"], 1),
            ("notIn", [LONG], 1),
            ("notIn", [LONG, "Title"], 0),
            ("startsWith", LONG, 0),
            ("contains", LONG, 0),
        ],
    )
    async def test_is_in_no_row_and_is_not_folded(
        self, api: Api, post: Post, folded: list[int], operator: str, value: Any, total: int, case_insensitive: object
    ) -> None:
        title = {operator: value, "caseInsensitive": case_insensitive}

        assert (await api.data(POSTS, {"f": {"title": title}}))["posts"]["totalCount"] == total
        inverse = await api.data(POSTS, {"f": {"not": {"title": title}}})
        assert inverse["posts"]["totalCount"] == 1 - total
        assert post.title == "Title"
        assert sum(folded) < 20

    @pytest.mark.parametrize("place", [("slug",), ("author", "username"), ("tags", "some", "slug")])
    async def test_is_in_no_row_wherever_it_is_compared(
        self, api: Api, post: Post, folded: list[int], place: tuple[str, ...]
    ) -> None:
        for operator, total in (("eq", 0), ("ne", 1), ("contains", 0)):
            value: Any = {operator: LONG}
            for name in reversed(place):
                value = {name: value}
            assert (await api.data(POSTS, {"f": value}))["posts"]["totalCount"] == total
        assert post.slug
        assert folded == []

    @pytest.mark.parametrize("field", ["user(by: {username: $v})", "post(by: {slug: $v})", "tag(by: {slug: $v})"])
    async def test_names_nothing(self, api: Api, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(words, "_compose", lambda text: pytest.fail(f"{len(text)} characters are folded"))
        with api.statements() as statements:
            data = await api.data(f"query($v: String!) {{ {field} {{ id }} }}", {"v": LONG})

        assert [*data.values()] == [None]
        assert statements == []

    def test_is_no_login(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(words, "_compose", lambda text: pytest.fail(f"{len(text)} characters are folded"))

        assert login_key(LONG) == login_key(f"{LONG}@example.com") == ""


class TestValue:
    async def test_of_many_branches_is_folded_once(self, api: Api, post: Post, folded: list[int]) -> None:
        query = "query($v: String!) { posts(filter: {or: [%s]}) { totalCount nodes { id } } }"
        branches = "{title: {eq: $v}} {title: {in: [$v, $v]}} {title: {ne: $v}} {author: {not: {username: {eq: $v}}}} "

        data = await api.data(query % (branches * 8), {"v": "Some title"})

        assert data["posts"]["totalCount"] == 1
        assert post.title
        assert folded == [10, 10]  # for titles, and for user names

    async def test_that_is_taken_apart_is_found(self, api: Api) -> None:
        """A text of the longest title, as some systems write it, has three times as many characters."""
        author = make_user()
        post = make_post(author, title="각" * 300)
        await save(api.database, [author, post])
        written = unicodedata.normalize("NFD", post.title)

        for operator in ("eq", "startsWith", "contains"):
            data = await api.data(POSTS, {"f": {"title": {operator: written}}})
            assert len(written) == 900
            assert data["posts"]["totalCount"] == 1
