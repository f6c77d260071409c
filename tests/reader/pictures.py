"""The pictures of the front end in `docs/images/`: `python -m tests.reader.pictures` takes them anew."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import Page

from gqlapi.accounts.demo import DEMO_PASSWORD, create_demo_users
from gqlapi.database.migrations import upgrade
from gqlapi.seeding import SeedSize, seed
from tests.api import Api
from tests.architecture import ROOT
from tests.browser import open_chromium
from tests.reader.site import check_out, serve_reader
from tests.reader.visits import fill_in, sign_in

IMAGES = ROOT / "docs" / "images"
LOGIN = 'mutation { signIn(input: {login: "editor", password: "%s"}) { accessToken } }'
SHARED = "Half of the time went into a case that never happens."
MINE = f"We measured the queue before we changed it.\n\n{SHARED}\n\nWhat is left is waiting, and most of it is polite."
THEIRS = f"We measured the queue before we changed it.\n\n{SHARED}\n\nWhat is left is waiting: 40 ms at the median."


async def take_pictures(scratch: Path) -> None:
    """Take a picture of the feed and one of a conflict in the editor."""
    built = await asyncio.to_thread(check_out(scratch).build)
    url = f"sqlite:///{scratch / 'reader.db'}"
    await upgrade(url)
    async with serve_reader(built, url) as reader, open_chromium() as browser:
        await seed(reader.api.database, SeedSize(users=8, posts=60, tags=10))
        await create_demo_users(reader.api.database)
        page = await browser.new_page(base_url=reader.origin, viewport={"width": 1280, "height": 800})
        await page.goto("/")
        await page.locator(".posts > li").nth(5).wait_for()
        await page.screenshot(path=IMAGES / "reader-feed.png")
        await _come_into_conflict(page, reader.api)
        await page.screenshot(path=IMAGES / "reader-conflict.png")


async def _come_into_conflict(page: Page, api: Api) -> None:
    await sign_in(page, "author", DEMO_PASSWORD)
    await page.get_by_role("link", name="Write").click()
    await fill_in(page, title="Notes on queues", text=SHARED, tags="Queues")
    await page.get_by_role("button", name="Save draft").click()
    await page.wait_for_url("**/edit/*")
    await fill_in(page, text=MINE)
    editor = api.bearing((await api.data(LOGIN % DEMO_PASSWORD))["signIn"]["accessToken"])
    patch = {"title": "Notes on queues, with numbers", "markdown": THEIRS}
    await editor.payload("updatePost", {"id": page.url.rpartition("/")[2], "patch": patch})
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("region", name="Conflict").wait_for()


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        asyncio.run(take_pictures(Path(folder)))
