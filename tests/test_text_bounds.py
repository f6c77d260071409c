"""Long texts: what is indexed of them, what is folded of them, and what is refused."""

import asyncio
import time
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from precis_i18n.profile import Profile

from gqlapi import words as words_module
from gqlapi.content import MAX_MARKDOWN_LENGTH, Checkpoint, RenderedContent
from gqlapi.database.search import MAX_INDEX_BYTES, SLICE_LENGTH, WORD_OVERHEAD, Indexed, PreparedText
from gqlapi.repositories import post_content
from gqlapi.words import MAX_WORD_LENGTH, words
from gqlapi.work_pool import POOL, Ended
from tests.api import Api
from tests.clocks import Deadlines
from tests.factories import make_user, save
from tests.publishing.test_posts import codes
from tests.signing_in import sign_in_as

LIGATURE = "\ufdfa"  # becomes 18 characters, of 33 bytes
FIRST_WORD, LAST_WORD = words(LIGATURE)[0], words(LIGATURE)[-1]
EXPLOSION = "[^a]" * 6_000 + "\n\n[^a]: b"
LONG_TEXTS = {
    "ligatures": LIGATURE * 35_156,
    "ligatures apart": f"{LIGATURE} " * 50_000,
    "ideographs": "".join(map(chr, range(0x20000, 0x20000 + 42_000))) + "中" * 58_000,
    "letters": "a b " * 25_000,
    "one word": "x" * MAX_MARKDOWN_LENGTH,
    "long words": ("\U0001d518" * 63 + " ") * 1_500,
}


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of all texts that are folded."""
    lengths: list[int] = []

    class Recorder:
        category = staticmethod(unicodedata.category)
        combining = staticmethod(unicodedata.combining)

        @staticmethod
        def is_normalized(form: Any, text: str) -> bool:
            lengths.append(len(text))
            return unicodedata.is_normalized(form, text)

        @staticmethod
        def normalize(form: Any, text: str) -> str:
            lengths.append(len(text))
            return unicodedata.normalize(form, text)

    monkeypatch.setattr(words_module, "unicodedata", Recorder)
    return lengths


@pytest.fixture
def by_precis(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of all texts that are normalized by a profile of PRECIS."""
    lengths: list[int] = []
    apply = Profile.apply_five_rules

    def count(self: Profile, text: str) -> str:
        lengths.append(len(text))
        return apply(self, text)

    monkeypatch.setattr(Profile, "apply_five_rules", count)
    return lengths


def size(prepared: PreparedText) -> int:
    return sum(len(word.encode()) + WORD_OVERHEAD for word in prepared.words)


class TestPreparedText:
    @given(text=st.text(alphabet=st.sampled_from("ab é中,.\n\u00a0\u0301")) | st.text())
    def test_has_the_words_of_the_text(self, text: str) -> None:
        assert PreparedText(text * 50).words == words(text * 50)

    @pytest.mark.parametrize("text", LONG_TEXTS.values(), ids=LONG_TEXTS.keys())
    async def test_is_bounded_after_folding(self, text: str, folded: list[int]) -> None:
        prepared = PreparedText(text)
        assert 0 < size(prepared) <= MAX_INDEX_BYTES
        assert max(folded, default=0) <= 18 * SLICE_LENGTH
        assert folded or text.isascii()
        assert (await PreparedText.in_turns(text)).words == prepared.words
        assert prepared.words[0] == words(text[:100])[0]

    def test_calls_the_checkpoint_between_slices(self) -> None:
        calls: list[None] = []
        PreparedText("some words " * 2_000, lambda: calls.append(None))
        assert len(calls) == pytest.approx(22_000 / SLICE_LENGTH, abs=2)

    def test_cuts_no_word(self) -> None:
        text = " ".join(f"word{number}" for number in range(10_000))
        assert PreparedText(text).words == text.split()

    def test_is_written_with_positions(self) -> None:
        assert Indexed.of("A title", "and more").to_tsvector() == "'a':1A 'title':2A 'and':10 'more':11"
        assert Indexed.of("", "").to_tsvector().strip() == ""
        last = PreparedText("a " * 20_000).lexemes(1, "").rpartition(" ")[2]
        assert last == "'a':16383"


SEARCH = "query($query: String!) { search(query: $query, types: [POST]) { nodes { ... on Post { title } } } }"


class TestLongPosts:
    @pytest.mark.parametrize("text", LONG_TEXTS.values(), ids=LONG_TEXTS.keys())
    async def test_are_stored_and_found(self, client: Api, text: str) -> None:
        given = {"title": "Long", "markdown": text, "publish": True}
        payload = await client.payload("createPost", given, "post { id title }")
        assert payload["errors"] == []
        first = words(text[:100])[0][:MAX_WORD_LENGTH]
        assert (await client.data(SEARCH, {"query": first}))["search"]["nodes"] == [{"title": "Long"}]

    async def test_are_found_by_a_new_title_and_the_old_text(self, client: Api) -> None:
        given = {"title": "Long", "markdown": "quince " + "filler " * 10_000 + "damson", "publish": True}
        post = (await client.payload("createPost", given, "post { id }"))["post"]
        await client.payload("updatePost", {"id": post["id"], "patch": {"title": "Other"}}, "post { id }")
        for query, hits in {"quince": 1, "damson": 1, "other": 1, "long": 0}.items():
            assert len((await client.data(SEARCH, {"query": query}))["search"]["nodes"]) == hits, query

    async def test_that_cannot_be_rendered_are_refused(self, client: Api) -> None:
        for markdown, code in ((EXPLOSION, "INVALID"), ("<div>" * 3_000, "INVALID"), ("> " * 3_000, "INVALID")):
            payload = await client.payload("createPost", {"title": "A", "markdown": markdown}, "post { id }")
            assert (payload["post"], codes(payload)) == (None, [(code, "markdown")])

    async def test_that_cannot_be_rendered_change_nothing(self, client: Api) -> None:
        selection = "post { id version content { html } }"
        post = (await client.payload("createPost", {"title": "A", "markdown": "*a*"}, selection))["post"]
        payload = await client.payload("updatePost", {"id": post["id"], "patch": {"markdown": EXPLOSION}}, selection)
        assert codes(payload) == [("INVALID", "patch/markdown")]
        payload = await client.payload("updatePost", {"id": post["id"], "patch": {}}, selection)
        assert payload["post"] == post


class TestOperationsThatTakeTooLong:
    async def test_end_their_work_and_write_nothing(
        self, api: Api, monkeypatch: pytest.MonkeyPatch, deadlines: Deadlines
    ) -> None:
        ended: list[type[BaseException]] = []

        def render_forever(_: str, checkpoint: Checkpoint) -> RenderedContent:
            try:
                while True:
                    time.sleep(0.001)
                    checkpoint()
            except BaseException as reason:
                ended.append(type(reason))
                raise

        monkeypatch.setattr(post_content, "render", render_forever)
        ada = make_user()
        await save(api.database, [ada])
        client = await sign_in_as(api, ada)
        mutation = "mutation($input: CreatePostInput!) { createPost(input: $input) { post { id } } }"
        # Two run, the others wait.
        inputs = [{"input": {"title": "A", "markdown": "x" * 2_000}}] * 6
        running = asyncio.gather(*(client.execute(mutation, variables) for variables in inputs))
        async with asyncio.timeout(60):
            while POOL._pending < len(inputs):
                await asyncio.sleep(0.01)
        deadlines.expire()
        assert {result["errors"][0]["extensions"]["code"] for result in await running} == {"TIMEOUT"}
        async with asyncio.timeout(60):
            while POOL._pending:
                await asyncio.sleep(0.01)
        assert {*ended} == {Ended}
        data = await client.data("{ posts(filter: {status: [DRAFT]}) { totalCount } }")
        assert data["posts"]["totalCount"] == 0


class TestKeys:
    """A key that is longer than what can be stored is refused, or matches nothing, before it is folded."""

    async def test_are_not_folded_whole(self, api: Api, client: Api, folded: list[int], by_precis: list[int]) -> None:
        long = LIGATURE * 100_000
        slug = await client.payload("createPost", {"title": "A", "markdown": "", "slug": long}, "post { id }")
        assert codes(slug) == [("TOO_LONG", "slug")]
        title = await client.payload("createPost", {"title": long, "markdown": ""}, "post { id }")
        assert codes(title) == [("TOO_LONG", "title")]
        for key in ("slug", "name"):
            tag = await client.payload(
                "createPost", {"title": "A", "markdown": "", "tags": [{key: long}]}, "post { id }"
            )
            assert codes(tag) == [("TOO_LONG", f"tags/0/{key}")]
        person = {"username": long, "email": f"{long}@example.com", "password": "password"}
        assert ("TOO_LONG", "username") in codes(await api.payload("signUp", person, "accessToken"))
        person = {"username": "ada", "email": "ada@example.com", "password": long, "displayName": long}
        signed_up = codes(await api.payload("signUp", person, "accessToken"))
        assert signed_up == [("TOO_LONG", "password"), ("TOO_LONG", "displayName")]
        signed_in = await api.payload("signIn", {"login": long, "password": long}, "accessToken")
        assert codes(signed_in) == [("UNAUTHENTICATED", "")]
        assert max([*folded, *by_precis], default=0) < 10_000
        await client.payload("createPost", {"title": "\u00e9", "markdown": "", "tags": [{"name": "a"}]}, "post { id }")
        assert folded
        assert by_precis

    async def test_may_be_typed_decomposed(self, client: Api) -> None:
        slug = unicodedata.normalize("NFD", "ế" * 200)
        assert len(slug) == 600
        payload = await client.payload("createPost", {"title": "A", "markdown": "", "slug": slug}, "post { slug }")
        assert payload["post"] == {"slug": "ế" * 200}
