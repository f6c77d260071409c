"""The Chromium of the system, which tests drive without a window."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# The last line keeps the browser from asking its maker for updates.
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def skip_without_chromium() -> None:
    """Skip a test that needs the browser."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")


@asynccontextmanager
async def open_chromium() -> AsyncIterator[Browser]:
    """Run the browser for the length of the block."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()
