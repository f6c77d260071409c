"""What visitors of the front end do, and what their browser sends."""

import json

from playwright.async_api import Page, Response

from tests.signing_in import PASSWORD


def operation_of(response: Response) -> str:
    """Return the name of the GraphQL operation that a response answers; "" for everything else."""
    request = response.request
    if request.method != "POST" or not request.post_data:
        return ""
    name: str = json.loads(request.post_data)["operationName"]
    return name


def recorded(page: Page) -> list[tuple[str, int]]:
    """Return a list that gets the operation and the status of each answer of the API."""
    answers: list[tuple[str, int]] = []

    def record(response: Response) -> None:
        if operation := operation_of(response):
            answers.append((operation, response.status))

    page.on("response", record)
    return answers


async def sign_in(page: Page, username: str, password: str = PASSWORD) -> None:
    """Fill in the form and send it."""
    await page.goto("/sign-in")
    await page.get_by_label("User name or e-mail address").fill(username)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("main").get_by_role("button", name="Sign in").click()


async def titles(page: Page) -> list[str]:
    """Return the titles of the list of posts."""
    return await page.locator(".posts h2").all_inner_texts()


async def scroll_to_the_end(page: Page) -> None:
    """Scroll down until there is nothing more to load."""
    await page.locator(".posts > li").first.wait_for()
    while await page.locator(".more").count():
        shown = await page.locator(".posts > li").count()
        await page.mouse.wheel(0, 100_000)
        await page.wait_for_function("shown => document.querySelectorAll('.posts > li').length > shown", arg=shown)


async def fill_in(page: Page, *, title: str | None = None, text: str | None = None, tags: str | None = None) -> None:
    """Type into the fields of a post."""
    fields = {"Title": title, "Text, in Markdown": text, "Tags, separated by commas": tags}
    for label, value in fields.items():
        if value is not None:
            await page.get_by_label(label).fill(value)
