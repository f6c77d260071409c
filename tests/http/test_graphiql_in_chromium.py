"""GraphiQL in a browser: from the first second to a post that is written, and on a small screen."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, Request, ViewportSize, WebSocket

from gqlapi.accounts.demo import create_demo_users
from gqlapi.http.graphiql import bundle, fallback
from gqlapi.http.graphiql.build import BUNDLING, BuildFailed, build_bundle
from gqlapi.http.graphiql.examples import load_examples
from gqlapi.http.graphiql.progress import ProgressFile
from gqlapi.seeding import seed
from tests.api import serve, settings_for
from tests.browser import open_chromium, skip_without_chromium

EXECUTE = "Execute query"
SMALL: ViewportSize = {"width": 390, "height": 844}
# The server refuses it like one that has expired.
EXPIRE_TOKEN = """() => {
  const session = JSON.parse(localStorage['gqlapi:session']);
  localStorage['gqlapi:session'] = JSON.stringify({ ...session, accessToken: 'expired' });
}"""


@pytest_asyncio.fixture
async def page(sqlite_url: str) -> AsyncIterator[Page]:
    """An empty page of Chromium, beside a development server with a seeded database."""
    skip_without_chromium()
    async with serve(settings_for(sqlite_url)) as api, open_chromium() as browser:
        await seed(api.database)
        await create_demo_users(api.database)
        yield await browser.new_page(base_url=str(api.http.base_url), viewport={"width": 1280, "height": 800})


@pytest_asyncio.fixture
async def graphiql(page: Page) -> Page:
    """The page with the real bundle; it is not open yet."""
    try:
        await asyncio.to_thread(build_bundle)
    except BuildFailed as error:
        pytest.skip(f"GraphiQL cannot be built here: {error}")
    return page


@pytest.fixture
def bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where the server looks for a bundle; it holds none."""
    monkeypatch.setattr(bundle, "BUNDLES", tmp_path / "bundles")
    return tmp_path / "bundles"


def editor(page: Page, text: str) -> Locator:
    return page.locator(".graphiql-query-editor .view-line", has_text=text).first


def response(page: Page, text: str) -> Locator:
    return page.locator(".graphiql-response .view-line", has_text=text).first


async def run(page: Page) -> None:
    await page.get_by_role("button", name=EXECUTE).click()


async def wait_until_stored(page: Page, key: str, text: str) -> None:
    """GraphiQL stores what has not changed for half a second."""
    async with asyncio.timeout(10):
        while text not in await page.evaluate("key => localStorage[`graphiql:${key}`] ?? ''", key):
            await asyncio.sleep(0.05)


async def sign_in_as_author(page: Page) -> None:
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("button", name="author", exact=True).click()
    await page.get_by_role("dialog").wait_for(state="hidden")


class TestWaiting:
    async def test_shows_the_progress_and_opens_graphiql_at_the_end(self, page: Page, bundles: Path) -> None:
        progress = ProgressFile(bundles)
        progress(BUNDLING)
        await page.goto("/graphql")
        await page.get_by_text(f"{BUNDLING}, 0 s").wait_for()
        progress.remove()
        await page.get_by_role("heading", name="GraphiQL is not built").wait_for()


class TestFallback:
    async def test_says_what_to_do_when_the_cdn_hangs(self, page: Page, bundles: Path) -> None:
        assert not bundles.exists()
        # A handler that does not answer is a host that drops packets.
        await page.route(f"{fallback.HOST}**", lambda _: None)
        await page.clock.install()
        await page.goto("/graphql", wait_until="domcontentloaded")
        await page.get_by_text("It is loading from a CDN.").wait_for()
        await page.get_by_text("uv run --no-dev --group graphiql gqlapi dev").wait_for()
        await page.clock.fast_forward(10_000)
        await page.get_by_text("The CDN cannot be reached").wait_for()
        await page.unroute_all(behavior="ignoreErrors")


class TestGraphiQL:
    async def test_works_without_any_other_host(self, graphiql: Page) -> None:
        page = graphiql
        requests: list[Request] = []
        complaints: list[Any] = []
        page.on("request", lambda request: requests.append(request))  # noqa: PLW0108 - it marks the function
        page.on("console", lambda line: complaints.append(line.text) if line.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: complaints.append(error))  # noqa: PLW0108 - the same
        await page.goto("/graphql")
        # Before the editor has its text, the button does nothing.
        await editor(page, "query HomeFeed").wait_for()
        await run(page)
        answer = await page.request.post(
            "/graphql", data={"query": load_examples()[0]["query"], "variables": {"first": 10}}
        )
        posts = (await answer.json())["data"]["posts"]
        await response(page, f'"totalCount": {posts["totalCount"]},').wait_for()
        # The editor breaks long lines.
        await response(page, f'"title": "{posts["nodes"][0]["title"].split()[0]}').wait_for()
        await page.get_by_role("button", name="Show GraphiQL Explorer").click()
        await page.get_by_text("readingTimeMinutes").first.wait_for()
        await page.get_by_role("button", name="Show Documentation Explorer").click()
        await page.get_by_text("Root Types").wait_for()
        base = page.url.removesuffix("/graphql")
        assert [request.url for request in requests if not request.url.startswith((base, "data:"))] == []
        assert complaints == []

    async def test_shows_events_of_a_subscription(self, graphiql: Page) -> None:
        page = graphiql
        await page.goto("/graphql")
        await editor(page, "query HomeFeed").wait_for()
        await sign_in_as_author(page)
        await page.get_by_label("Examples").get_by_role("button", name="Changes", exact=True).click()
        await editor(page, "subscription Changes").wait_for()
        sockets: list[WebSocket] = []
        subscribed, closed = asyncio.Event(), asyncio.Event()

        def watch(socket: WebSocket) -> None:
            sockets.append(socket)
            socket.on("framesent", lambda frame: subscribed.set() if '"subscribe"' in frame else None)
            socket.on("close", lambda _: closed.set())

        page.on("websocket", watch)
        await run(page)
        await asyncio.wait_for(subscribed.wait(), 30)
        token = json.loads(await page.evaluate("localStorage['gqlapi:session']"))["accessToken"]
        mutation = 'mutation { createPost(input: {title: "Live", markdown: "x"}) { post { id } } }'
        headers = {"Authorization": f"Bearer {token}"}
        await page.request.post("/graphql", data={"query": mutation}, headers=headers)
        await response(page, '"kind": "CREATED"').wait_for()
        await response(page, '"status": "DRAFT"').wait_for()
        await page.get_by_role("button", name="Stop query").click()
        await asyncio.wait_for(closed.wait(), 30)
        assert len(sockets) == 1

    async def test_signs_in_for_all_tabs_and_keeps_it(self, graphiql: Page) -> None:
        page = graphiql
        await page.goto("/graphql")
        await editor(page, "query HomeFeed").wait_for()
        await sign_in_as_author(page)
        for example in ("Viewer", "WriteAPost"):
            await page.get_by_label("Examples").get_by_role("button", name=example, exact=True).click()
            await editor(page, example).wait_for()
            await run(page)
            await response(page, '"author"' if example == "Viewer" else '"a-first-post"').wait_for()
        for key in ("tabState", "variables"):
            await wait_until_stored(page, key, "A first post")
        await page.reload()
        await editor(page, "WriteAPost").wait_for()
        await page.evaluate(EXPIRE_TOKEN)
        await run(page)
        await response(page, '"a-first-post-2"').wait_for()
        await page.get_by_role("button", name="author", exact=True).click()
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("button", name="Sign in").wait_for()

    async def test_opens_what_a_link_names_and_makes_such_links(self, graphiql: Page) -> None:
        page = graphiql
        query, variables = "query Shared($n: Int!) { posts(first: $n) { totalCount } }", '{"n": 3}'
        link = httpx.URL("/graphql", params={"query": query, "variables": variables})
        await page.goto(str(link))
        await editor(page, "query Shared").wait_for()
        # It is not run before somebody presses the button.
        assert await page.locator(".graphiql-response .view-line").inner_text() == ""
        await run(page)
        await response(page, '"totalCount"').wait_for()
        await page.get_by_role("button", name="Copy link to this query").click()
        await page.wait_for_url("**/graphql?query=*")
        assert dict(httpx.URL(page.url).params) == {"query": query, "variables": variables}

    async def test_fits_a_small_screen(self, graphiql: Page) -> None:
        page = graphiql
        await page.set_viewport_size(SMALL)
        await page.goto("/graphql")
        await editor(page, "query HomeFeed").wait_for()
        await page.get_by_role("button", name="Show Examples").click()
        await page.get_by_label("Examples").get_by_role("button", name="TagCloud", exact=True).click()
        await editor(page, "query TagCloud").wait_for()
        await run(page)
        await response(page, '"buckets"').wait_for()
        for part in (".graphiql-query-editor", ".graphiql-response"):
            box = await page.locator(part).bounding_box()
            assert box is not None
            assert (box["width"] > 300, box["height"] > 200) == (True, True), part
            assert box["x"] + box["width"] <= SMALL["width"]

    async def test_follows_the_theme_of_the_system(self, graphiql: Page) -> None:
        page = graphiql
        await page.goto("/graphql")
        await page.get_by_role("button", name=EXECUTE).wait_for()
        colors = []
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            colors.append(
                await page.evaluate("getComputedStyle(document.querySelector('.graphiql-container')).backgroundColor")
            )
        assert len(set(colors)) == 2
