"""The front end of `examples/reader`, driven in Chromium."""

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from gqlapi.database.types import utc_now
from gqlapi.models import User
from tests.api import Api
from tests.factories import make_post, make_user, save
from tests.reader.site import SOURCE, Checkout, Reader
from tests.reader.visits import fill_in, recorded, scroll_to_the_end, sign_in, titles
from tests.signing_in import PASSWORD, accounts_of, give_password

FEED = "{ posts(first: 100) { nodes { title } } }"
OWN = """
{
  viewer {
    posts(first: 100, filter: {status: [DRAFT, PUBLISHED]}) { nodes { id title version status content { markdown } } }
  }
}
"""
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { accessToken } }"
REFUSED = "Failed to load resource: the server responded with a status of 401 (Unauthorized)"
UNSAFE = {
    "a cast": re.compile(r"\bas (?!const\b)\w"),
    "any": re.compile(r"\bany\b"),
    "a non-null assertion": re.compile(r"[\w)\]]!(?!=)"),
    "a silenced error": re.compile(r"@ts-"),
}
# Where the patterns mean nothing: documents, and all comments but those for the compiler.
NOT_TYPED = re.compile(r"graphql\(`.*?`\)|^import .*?;$|//(?! @ts-).*?$|/\*.*?\*/", re.MULTILINE | re.DOTALL)


async def signed_in(reader: Reader, username: str) -> Api:
    """Return another client of a user."""
    data = await reader.api.data(SIGN_IN, {"input": {"login": username, "password": PASSWORD}})
    return reader.api.bearing(data["signIn"]["accessToken"])


async def new_author(reader: Reader, *titles: str) -> User:
    """Return a user with a password, who has published posts with these titles."""
    author = make_user()
    await save(reader.api.database, [author, *(make_post(author, title=title) for title in titles)])
    await give_password(reader.api, author)
    return author


async def feed_of(api: Api) -> list[str]:
    return [post["title"] for post in (await api.data(FEED))["posts"]["nodes"]]


async def own_post(api: Api, title: str) -> dict[str, Any]:
    """Return the viewer's only post with this title."""
    posts: list[dict[str, Any]] = (await api.data(OWN))["viewer"]["posts"]["nodes"]
    [post] = [post for post in posts if post["title"] == title]
    return post


async def overwrite(api: Api, post_id: str, **patch: str) -> None:
    """Save a post from another client."""
    payload = await api.payload("updatePost", {"id": post_id, "patch": patch})
    assert payload["errors"] == []


class TestReader:
    async def test_feed_goes_on_to_its_end_without_doubles(self, reader: Reader, page: Page) -> None:
        answers = recorded(page)
        await page.goto("/")
        await scroll_to_the_end(page)
        shown = await titles(page)
        assert shown == await feed_of(reader.api)
        pages = -(-len(shown) // 10)
        assert pages > 2
        assert answers.count(("Feed", 200)) == pages
        # The way back leads to the same place, and asks for nothing.
        await page.get_by_role("link", name=shown[-1]).click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(shown[-1])
        await page.go_back()
        await expect(page.get_by_role("link", name=shown[-1])).to_be_in_viewport()
        assert answers.count(("Feed", 200)) == pages

    async def test_post_is_shown_as_the_server_rendered_it(self, page: Page) -> None:
        await page.goto("/post/roses")
        await expect(page).to_have_title("Roses in a small yard")
        await expect(page.locator(".prose td").first).to_have_text("May")
        assert await page.locator(".prose script, .prose [onerror]").count() == 0
        contents = page.get_by_role("navigation", name="Contents").get_by_role("link")
        assert await contents.all_inner_texts() == ["Soil", "Water", "Light"]
        last = page.get_by_role("heading", name="Light")
        await expect(last).not_to_be_in_viewport()
        await contents.last.click()
        await expect(last).to_be_in_viewport()
        await page.goto("/")
        await page.goto("/post/roses#user-content-light")
        await expect(last).to_be_in_viewport()
        await expect(page.get_by_role("link", name="Edit")).to_have_count(0)

    async def test_tag_has_its_posts(self, page: Page) -> None:
        await page.goto("/post/roses")
        await page.get_by_role("link", name="Gardens").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Gardens")
        await scroll_to_the_end(page)
        shown = await titles(page)
        assert shown == ["Roses in a small yard", *(f"Walk {number}" for number in range(23, 0, -2))]

    async def test_search_marks_what_it_finds(self, page: Page) -> None:
        await page.goto("/")
        await page.get_by_role("searchbox").fill("litres")
        await page.get_by_role("searchbox").press("Enter")
        await expect(page.locator(".posts mark")).to_have_text("litres")
        await page.get_by_role("link", name="Roses in a small yard").click()
        await expect(page).to_have_url(re.compile("/post/roses$"))
        await page.get_by_role("searchbox").fill("gardens")
        await page.get_by_role("searchbox").press("Enter")
        tag = page.get_by_role("main").get_by_role("link", name="Gardens")
        await expect(tag).to_have_attribute("href", "/tag/gardens")

    @pytest.mark.parametrize("path", ["/post/nothing", "/tag/nothing", "/nothing"])
    async def test_what_is_not_there_is_not_found(self, page: Page, path: str) -> None:
        await page.goto(path)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Not found")

    async def test_signs_in_and_out(self, page: Page) -> None:
        await sign_in(page, "ada", "wrong horse")
        await expect(page.get_by_role("alert")).to_contain_text("password")
        await sign_in(page, "ada")
        navigation = page.get_by_role("navigation", name="Main")
        await expect(navigation).to_contain_text("Write")
        await page.reload()
        await expect(navigation).to_contain_text("Ada")
        await page.get_by_role("button", name="Sign out").click()
        await expect(navigation).to_have_text("Sign in")
        assert await page.evaluate("sessionStorage.length") == 0

    async def test_refreshes_an_expired_token_once_and_unseen(
        self, reader: Reader, page: Page, complaints: list[str]
    ) -> None:
        await sign_in(page, "ada")
        await page.get_by_role("link", name="Ada", exact=True).wait_for()
        tokens = accounts_of(reader.api).access_tokens
        claims = tokens.read(await page.evaluate("sessionStorage.accessToken"))
        expired, _ = tokens.issue(claims, utc_now() - timedelta(days=1))
        await page.evaluate("token => { sessionStorage.accessToken = token }", expired)
        await page.add_init_script(
            "addEventListener('DOMContentLoaded', () => new MutationObserver(() => {"
            " window.sawVisitor ||= document.body.innerText.includes('Sign in') })"
            ".observe(document.body, { childList: true, subtree: true }))"
        )
        answers = recorded(page)
        await page.reload()
        await page.get_by_role("link", name="Ada", exact=True).wait_for()
        await page.get_by_role("heading", name="Latest posts").wait_for()
        assert await page.evaluate("window.sawVisitor") is False
        assert sorted(answers) == [
            ("Feed", 200), ("Feed", 401), ("RefreshSession", 200), ("Viewer", 200), ("Viewer", 401),
        ]  # fmt: skip
        assert await page.evaluate("sessionStorage.accessToken") != expired
        assert complaints == [REFUSED] * 2
        complaints.clear()

    async def test_is_a_visitor_again_when_the_session_is_over(self, page: Page, complaints: list[str]) -> None:
        await page.goto("/")
        await page.evaluate("sessionStorage.accessToken = sessionStorage.refreshToken = 'of another time'")
        await page.reload()
        await expect(page.get_by_role("navigation", name="Main")).to_have_text("Sign in")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Latest posts")
        assert await page.evaluate("sessionStorage.length") == 0
        assert complaints == [REFUSED] * 2
        complaints.clear()

    async def test_writes_a_draft_and_publishes_it(self, reader: Reader, page: Page) -> None:
        author = await new_author(reader)
        await sign_in(page, author.username)
        await page.get_by_role("link", name="Write").click()
        await fill_in(page, title="", text="About bees.", tags="Gardens, Insects")
        await page.get_by_role("button", name="Save draft").click()
        await expect(page.get_by_role("alert")).to_contain_text("title")
        await fill_in(page, title="Bees", text="About *bees*.")
        await page.get_by_role("button", name="Save draft").click()
        await expect(page.get_by_role("status")).to_have_text("draft, version 1, saved")
        assert "Bees" not in await feed_of(reader.api)
        await fill_in(page, text="About *all* bees.")
        await expect(page.get_by_role("status")).to_have_text("draft, version 1, not saved")
        await page.get_by_role("button", name="Publish").click()
        await expect(page.locator(".prose em")).to_have_text("all")
        await page.get_by_role("link", name="Reader").click()
        await page.locator(".posts > li").first.wait_for()
        assert (await titles(page))[0] == (await feed_of(reader.api))[0] == "Bees"

    async def test_saves_a_new_post_once_when_the_answer_is_lost(
        self, reader: Reader, page: Page, complaints: list[str]
    ) -> None:
        author = await new_author(reader)
        await sign_in(page, author.username)
        await page.get_by_role("link", name="Write").click()
        await fill_in(page, title="Sent twice", text="Text.")
        await page.route("**/graphql", lose_the_answer, times=1)
        await page.get_by_role("button", name="Save draft").click()
        await page.get_by_role("alert").wait_for()
        await page.get_by_role("button", name="Save draft").click()
        await expect(page.get_by_role("status")).to_have_text("draft, version 1, saved")
        assert (await own_post(await signed_in(reader, author.username), "Sent twice"))["version"] == 1
        assert complaints == ["Failed to load resource: net::ERR_FAILED"]
        complaints.clear()

    @pytest.mark.parametrize("choice", ["Keep mine", "Take theirs"])
    async def test_shows_both_texts_of_a_conflict(self, reader: Reader, page: Page, choice: str) -> None:
        author = await new_author(reader, "Tea")
        editor, api = await signed_in(reader, "bea"), await signed_in(reader, author.username)
        post = await own_post(api, "Tea")
        await sign_in(page, author.username)
        await page.get_by_role("navigation", name="Main").get_by_role("link", name=author.display_name).click()
        await page.get_by_role("link", name="Tea").click()
        await fill_in(page, text="Same line.\nGreen tea.")
        await overwrite(editor, post["id"], markdown="Same line.\nBlack tea.")
        await page.get_by_role("button", name="Save").click()
        conflict = page.get_by_role("region", name="Conflict")
        await expect(conflict).to_be_focused()
        for name, line in (("Yours", "Green tea."), ("Theirs", "Black tea.")):
            await expect(conflict.get_by_role("region", name=name).locator("mark")).to_have_text(line)
        assert (await own_post(api, "Tea"))["content"]["markdown"] == "Same line.\nBlack tea."
        await page.get_by_role("button", name=choice).click()
        await expect(conflict).to_have_count(0)
        kept, version = ("Green", 3) if choice == "Keep mine" else ("Black", 2)
        await expect(page.get_by_role("status")).to_have_text(f"published, version {version}, saved")
        await expect(page.get_by_label("Text, in Markdown")).to_have_value(f"Same line.\n{kept} tea.")
        stored = await own_post(api, "Tea")
        assert (stored["content"]["markdown"], stored["version"]) == (f"Same line.\n{kept} tea.", version)

    async def test_restores_a_post_from_the_trash(self, reader: Reader, page: Page) -> None:
        author = await new_author(reader, "Gone", "Here")
        await sign_in(page, author.username)
        own = page.get_by_role("link", name=author.display_name, exact=True)
        await own.click()
        await page.get_by_role("link", name="Gone").click()
        await page.get_by_role("button", name="Delete").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Trash")
        await expect(page.locator(".rows > li")).to_have_count(1)
        assert await self.feed_in(page) == await feed_of(reader.api)
        await own.click()
        await page.get_by_role("link", name="Trash").click()
        await page.get_by_role("button", name="Restore Gone").click()
        await expect(page.locator(".rows > li")).to_have_count(0)
        shown = await self.feed_in(page)
        assert shown == await feed_of(reader.api)
        assert {"Gone", "Here"} <= set(shown)

    async def feed_in(self, page: Page) -> list[str]:
        """Go to the feed by its link, and return all of it."""
        await page.get_by_role("link", name="Reader").click()
        await page.get_by_role("heading", name="Latest posts").wait_for()
        await scroll_to_the_end(page)
        return await titles(page)

    async def test_fits_a_phone_and_both_themes(self, page: Page) -> None:
        await page.set_viewport_size({"width": 390, "height": 800})
        await sign_in(page, "ada")
        await page.get_by_role("link", name="Write").wait_for()
        colors = set()
        for path in ("/", "/post/roses", "/search?q=walk", "/write", "/desk", "/trash"):
            await page.goto(path)
            await page.get_by_role("heading", level=1).wait_for()
            assert await page.evaluate("document.documentElement.scrollWidth") == 390, path
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            colors.add(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert len(colors) == 2


async def lose_the_answer(route: Route) -> None:
    """Let the server have a request, and the browser no answer."""
    await route.fetch()
    await route.abort()


def unsafe(text: str) -> list[str]:
    """Return what a TypeScript source keeps from the compiler."""
    typed = NOT_TYPED.sub("", text)
    return [f"{name}: {found[0]}" for name, pattern in UNSAFE.items() for found in pattern.finditer(typed)]


class TestSource:
    def test_has_no_type_that_is_not_checked(self) -> None:
        paths = [path for path in (SOURCE / "src").rglob("*.ts*") if "gql" not in path.parts]
        assert len(paths) > 10
        assert [f"{path.name}: {found}" for path in paths for found in unsafe(path.read_text(encoding="utf-8"))] == []

    @pytest.mark.parametrize(
        "text", ["const a = b as string;", "let a: any;", "a!.b;", "// @ts-expect-error\na;", "a = new Map<string>()!;"]
    )
    def test_is_searched_well(self, text: str) -> None:
        assert unsafe(text)

    def test_may_speak_as_it_likes(self) -> None:
        assert unsafe("import * as a from 'b';\n// as any\nx = graphql(`query ($a: A!) { b }`); a !== b;") == []

    def test_is_not_built_against_another_schema(self, checkout: Checkout) -> None:
        schema = checkout.folder.parents[1] / "schema.graphql"
        text = schema.read_text(encoding="utf-8")
        schema.write_text(text.replace("  readingTimeMinutes: Int!", "  minutes: Int!"), encoding="utf-8")
        try:
            done = checkout.run("generate")
        finally:
            schema.write_text(text, encoding="utf-8")
        assert done.returncode != 0
        assert 'Cannot query field "readingTimeMinutes"' in done.stdout + done.stderr
