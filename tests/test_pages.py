"""The pages in `docs/`: their operations are valid, those of the guides find rows, and no link leaves them."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from graphql import NoUnusedFragmentsRule, build_schema, parse, specified_rules, validate

from gqlapi.accounts.demo import DEMO_PASSWORD, create_demo_users
from gqlapi.problems import ProblemCode
from gqlapi.seeding import seed
from tests.api import Api
from tests.architecture import ROOT
from tests.test_docs import CODE_BLOCK, LINK
from tests.test_examples import empty_parts

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
# Each operation of these runs.
GUIDES = [DOCS / "lists.md", DOCS / "search.md"]
BLOCK = re.compile(r'^```(graphql|json)(?: title="(\w+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
# Rows of the table of the syntax.
SEARCH = re.compile(r"^\| `(.+?)` \| ", re.MULTILINE)
# A page may show a fragment alone, and a directive that Relay's compiler removes.
RULES = [rule for rule in specified_rules if rule is not NoUnusedFragmentsRule]
CLIENT_DIRECTIVE = re.compile(r" @catch\b")
SCHEMA = build_schema((ROOT / "schema.graphql").read_text(encoding="utf-8"))


class Request(NamedTuple):
    """An operation of a page, with the variables that follow it."""

    text: str
    variables: dict[str, Any]


def documents(page: Path) -> list[str]:
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [text for language, _, text in blocks if language == "graphql"]


def requests(page: Path) -> list[Request]:
    """Return the operations; each block of variables is another request with the operation before it."""
    found: list[Request] = []
    for language, title, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "graphql":
            found.append(Request(text, {}))
        elif title == "variables":
            variables = json.loads(text)
            if found[-1].variables:
                found.append(Request(found[-1].text, variables))
            else:
                found[-1] = Request(found[-1].text, variables)
    return found


def anchors(text: str) -> set[str]:
    """Return the ids of the headings, as GitHub and the site make them."""
    headings = HEADING.findall(CODE_BLOCK.sub("", text))
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
class TestPages:
    def test_link_to_pages_and_headings_that_exist(self, page: Path) -> None:
        text = page.read_text(encoding="utf-8")
        for target in LINK.findall(CODE_BLOCK.sub("", text)):
            path, _, anchor = target.partition("#")
            if "://" in target:
                continue
            linked = (page.parent / path).resolve() if path else page
            # What is outside is not on the site.
            assert linked.is_relative_to(DOCS), target
            assert not anchor or anchor in anchors(linked.read_text(encoding="utf-8")), target

    def test_have_operations_of_the_schema(self, page: Path) -> None:
        parsed = {text: parse(CLIENT_DIRECTIVE.sub("", text)) for text in documents(page)}
        found = {text: validate(SCHEMA, document, RULES) for text, document in parsed.items()}
        assert {text: errors for text, errors in found.items() if errors} == {}


class TestGuides:
    async def test_have_operations_that_find_rows(self, api: Api) -> None:
        await seed(api.database)
        failed = []
        for guide in GUIDES:
            for request in requests(guide):
                result = await api.execute(request.text, request.variables)
                if "errors" in result or [*empty_parts(result["data"])]:
                    failed.append((request, result))
        assert failed == []

    async def test_have_searches_that_find_rows(self, api: Api) -> None:
        await seed(api.database)
        texts = SEARCH.findall((DOCS / "search.md").read_text(encoding="utf-8"))
        query = "query($text: String!) { search(query: $text) { totalCount } }"
        counts = {text: (await api.data(query, {"text": text}))["search"]["totalCount"] for text in texts}
        assert len(counts) >= 5
        assert [text for text, count in counts.items() if count == 0] == []

    async def test_show_the_errors_of_a_form(self, api: Api) -> None:
        await create_demo_users(api.database)
        sign_in = "mutation($input: SignInInput!) { signIn(input: $input) { accessToken } }"
        session = await api.data(sign_in, {"input": {"login": "author", "password": DEMO_PASSWORD}})
        author = api.bearing(session["signIn"]["accessToken"])
        blocks = BLOCK.findall((DOCS / "writing.md").read_text(encoding="utf-8"))
        shown = {title: json.loads(text) for _, title, text in blocks if title}
        query = "mutation($input: CreatePostInput!) { createPost(input: $input) { errors { code path message } } }"
        assert (await author.data(query, {"input": shown["input"]}))["createPost"]["errors"] == shown["errors"]

    def test_name_each_code_that_a_form_may_get(self) -> None:
        _, _, rest = (DOCS / "writing.md").read_text(encoding="utf-8").partition("## Errors in a form")
        rows = re.findall(r"^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \|", rest.partition("\n## ")[0], re.MULTILINE)
        codes = [code for row in rows for code in re.findall(r"[A-Z_]+", row)]
        assert sorted(codes) == sorted(ProblemCode)

    async def test_have_a_python_client_that_works(self, api: Api, capsys: pytest.CaptureFixture[str]) -> None:
        await seed(api.database)
        (code,) = PYTHON.findall((DOCS / "clients.md").read_text(encoding="utf-8"))
        url = str(api.http.base_url.join("/graphql"))
        # In a thread: its transport blocks, and the server runs here.
        await asyncio.to_thread(exec, code.replace("http://127.0.0.1:8000/graphql", url), {})
        assert capsys.readouterr().out.count("'title'") == 10

    def test_take_each_block_of_variables_for_a_request(self) -> None:
        assert [len(requests(guide)) for guide in GUIDES] == [12, 2]


class TestChecks:
    def test_find_the_anchors(self) -> None:
        assert anchors("# A `b`, c\n```sh\n# d\n```\n## [E](f.md) g\n") == {"a-b-c", "e-g"}
