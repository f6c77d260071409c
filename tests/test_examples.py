"""The operations in `examples/`, which GraphiQL lists, run on a seeded database with the variables beside them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import OperationDefinitionNode, OperationType, parse

from gqlapi.accounts.demo import create_demo_users
from gqlapi.http.graphiql.examples import load_examples
from gqlapi.seeding import seed
from tests.api import Api
from tests.architecture import ROOT

PATHS = sorted((ROOT / "examples").glob("*.graphql"))


def operation_in(path: Path) -> OperationDefinitionNode:
    (operation,) = parse(path.read_text()).definitions
    assert isinstance(operation, OperationDefinitionNode)
    return operation


def variables_of(path: Path) -> Any:
    beside = path.with_suffix(".json")
    return json.loads(beside.read_text()) if beside.exists() else {}


# The viewer of anonymous requests is null.
READING = [path for path in PATHS if operation_in(path).operation is OperationType.QUERY and "viewer" not in path.stem]


def find(name: str) -> Path:
    (path,) = (path for path in PATHS if path.stem[3:] == name)
    return path


async def run(api: Api, name: str, **changes: Any) -> Any:
    """Run an example whose input has these changes, and return its one root field."""
    path = find(name)
    variables = variables_of(path)
    if changes:
        variables["input"] |= changes
    (result,) = (await api.data(path.read_text(), variables)).values()
    return result


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
        results = {path.name: await api.execute(path.read_text(), variables_of(path)) for path in READING}
        assert {name: result["errors"] for name, result in results.items() if "errors" in result} == {}
        assert {name: found for name in results if (found := list(empty_parts(results[name]["data"])))} == {}

    async def test_sign_in_write_and_change(self, api: Api) -> None:
        await create_demo_users(api.database)
        session = await run(api, "sign_in")
        session = await run(api, "refresh_session", refreshToken=session["refreshToken"])
        assert session["errors"] == []
        author = api.bearing(session["accessToken"])
        first, second = [await run(author, "write_a_post") for _ in range(2)]
        assert first["errors"] == second["errors"] == []
        assert (first["post"]["status"], first["post"]["id"] != second["post"]["id"]) == ("PUBLISHED", True)
        changed, conflict = [await run(author, "update_a_post", id=first["post"]["id"]) for _ in range(2)]
        assert changed["post"]["title"] == "A better title"
        assert [error["__typename"] for error in conflict["errors"]] == ["VersionConflictError"]
        assert (await run(author, "viewer"))["posts"]["totalCount"] == 2
        assert await run(author, "viewer_posts") == {"drafts": {"totalCount": 0, "nodes": []}, "trash": {"nodes": []}}

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
    def test_name_their_one_operation_and_its_variables(self, path: Path) -> None:
        # The name is the title of the tab.
        operation = operation_in(path)
        assert operation.name
        assert [definition.variable.name.value for definition in operation.variable_definitions or ()] == [
            *variables_of(path)
        ]

    def test_are_found_by_the_page(self) -> None:
        examples = load_examples()
        assert [example["query"] for example in examples] == [path.read_text().strip() for path in PATHS]
        assert [json.loads(example["variables"] or "{}") for example in examples] == [*map(variables_of, PATHS)]
        assert len(PATHS) >= 10
