"""The operations in `examples/`, which GraphiQL opens with, run on a seeded database."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse

from gqlapi.accounts.demo import create_demo_users
from gqlapi.http.graphiql.page import load_examples
from gqlapi.seeding import seed
from tests.api import Api
from tests.architecture import ROOT

PATHS = sorted((ROOT / "examples").glob("*.graphql"))
READING, SIGNED_IN = PATHS[:-3], PATHS[-3:]


def empty_parts(value: Any, path: str = "data") -> Iterator[str]:
    """Yield the paths of lists without rows, and of root fields that found nothing; a post may have no tags."""
    if isinstance(value, dict):
        for name, part in value.items():
            if (name in {"nodes", "edges"} and not part) or (path == "data" and part is None):
                yield f"{path}.{name}"
            yield from empty_parts(part, f"{path}.{name}")
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from empty_parts(part, f"{path}.{number}")


class TestExamples:
    async def test_return_rows_without_errors(self, api: Api) -> None:
        await seed(api.database)
        await create_demo_users(api.database)
        results = {path.name: await api.execute(path.read_text()) for path in READING}
        assert {name: result["errors"] for name, result in results.items() if "errors" in result} == {}
        assert {name: found for name in results if (found := list(empty_parts(results[name]["data"])))} == {}

    async def test_sign_in_and_write_a_post_once(self, api: Api) -> None:
        await create_demo_users(api.database)
        sign_in, write, own = (path.read_text() for path in SIGNED_IN)
        session = (await api.data(sign_in))["signIn"]
        assert session["errors"] == []
        client = api.bearing(session["accessToken"])
        payloads = [(await client.data(write))["createPost"] for _ in range(2)]
        assert payloads[0]["post"]["status"] == "PUBLISHED"
        assert payloads == [{**payloads[0], "errors": []}] * 2
        assert (await client.data(own))["viewer"] == {"drafts": {"totalCount": 0, "nodes": []}, "trash": {"nodes": []}}

    def test_find_empty_parts(self) -> None:
        data = {"posts": {"nodes": [{"tags": [], "deletedAt": None}, {"related": {"edges": []}}]}, "post": None}
        assert list(empty_parts(data)) == ["data.posts.nodes.1.related.edges", "data.post"]

    @pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
    def test_begin_with_one_line_of_comment(self, path: Path) -> None:
        first, second, *_ = path.read_text().splitlines()
        assert first.startswith("# ")
        assert first.endswith(".")
        assert not second.startswith("#")

    @pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
    def test_name_their_one_operation(self, path: Path) -> None:
        # The name is the title of the tab.
        (operation,) = parse(path.read_text()).definitions
        assert isinstance(operation, OperationDefinitionNode)
        assert operation.name

    def test_are_found_by_the_page(self) -> None:
        assert load_examples() == [path.read_text().strip() for path in PATHS]
        assert 5 <= len(PATHS) <= 16
