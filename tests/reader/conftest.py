"""The front end of `examples/reader`, built and served, and a page of the browser that shows it."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from gqlapi.models import UserRole
from tests.browser import open_chromium, skip_without_chromium
from tests.clients.installation import ClientsUnavailable, skip_without_clients
from tests.factories import make_post, make_tag, make_user, save
from tests.reader.site import Checkout, Reader, check_out, serve_reader
from tests.signing_in import give_password

PARAGRAPHS = "A long way down.\n\n" * 40
MARKDOWN = f"""
## Soil

Text with `code`.

{PARAGRAPHS}

## Water

| month | litres |
| --- | --- |
| May | 20 |

## Light

<script>document.title = "hacked"</script><img src="data:," onerror="document.title = 'hacked'">
"""


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The front end with its packages; without them the test is skipped, but `.ci/run` must have them."""
    try:
        return check_out(tmp_path_factory.mktemp("reader"))
    except ClientsUnavailable as error:
        skip_without_clients(error)


@pytest_asyncio.fixture(scope="class", loop_scope="session")
async def reader(
    checkout: Checkout, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Reader]:
    """The front end beside an API with 25 posts of Ada's, 12 of them about gardens; Bea edits."""
    skip_without_chromium()
    built = await asyncio.to_thread(checkout.build)
    database = shutil.copyfile(sqlite_template, tmp_path_factory.mktemp("reader") / "reader.db")
    async with serve_reader(built, f"sqlite:///{database}") as reader:
        ada, bea = make_user(username="ada"), make_user(username="bea", role=UserRole.EDITOR)
        tags = [make_tag(name="Winter"), make_tag(name="Gardens")]
        posts = [make_post(ada, tags[number % 2], title=f"Walk {number}") for number in range(24)]
        roses = make_post(ada, tags[1], title="Roses in a small yard", slug="roses", markdown=MARKDOWN)
        await save(reader.api.database, [ada, bea, *tags, *posts, roses])
        await give_password(reader.api, ada, bea)
        yield reader


@pytest_asyncio.fixture(scope="class", loop_scope="session")
async def browser(reader: Reader) -> AsyncIterator[Browser]:  # noqa: ARG001 - without it there is nothing to show
    async with open_chromium() as browser:
        yield browser


@pytest.fixture
def complaints() -> list[str]:
    """What the console of the page has shown; at the end of a test nothing may be left in it."""
    return []


@pytest_asyncio.fixture
async def page(reader: Reader, browser: Browser, complaints: list[str]) -> AsyncIterator[Page]:
    """An empty page of a visitor."""
    context = await browser.new_context(base_url=reader.origin, viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    page.on("console", lambda line: complaints.append(line.text) if line.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    await context.close()
    assert complaints == []
