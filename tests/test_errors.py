"""The vocabulary of errors, and its table in the documentation."""

import json
import re

import pytest
from sqlalchemy.exc import DBAPIError

from gqlapi import errors
from gqlapi.database.failures import to_api_error
from gqlapi.errors import ApiError, Code
from tests.api import Api
from tests.architecture import ROOT

DOCUMENT = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+) \| (.+) \| (.+) \|$", re.MULTILINE)
MAPPING = re.compile(r"^\| ([0-9A-Z…, ]+|all others) \| ([a-zI/O, ]+) \| `([A-Z_]+)` \|$", re.MULTILINE)


class DriverError(Exception):
    """What a driver raises."""

    def __init__(self, message: str = "secret text", sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


def code_of(error: DriverError) -> str:
    """Return the code that a client gets."""
    api_error = to_api_error(DBAPIError("SELECT 1", {}, error))
    assert api_error is None or "secret" not in api_error.message
    return str(Code.INTERNAL_SERVER_ERROR if api_error is None else api_error.code)


def mapped(column: int) -> list[tuple[str, str]]:
    return [(text.strip(), row[2]) for row in MAPPING.findall(DOCUMENT) for text in row[column].split(",")]


class TestCodes:
    def test_are_those_of_the_documentation(self) -> None:
        assert [code for code, *_ in ROW.findall(DOCUMENT)] == [str(code) for code in Code]

    def test_each_error_class_has_a_code_of_its_own(self) -> None:
        classes = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, ApiError)]
        codes = [class_.code for class_ in classes]
        assert len(set(codes)) == len(codes) == 11

    def test_details_stand_beside_the_code(self) -> None:
        error = errors.LimitExceeded("Too much.", limit=1, actual=2)
        assert error.extensions == {"code": "LIMIT_EXCEEDED", "limit": 1, "actual": 2}

    @pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
    async def test_the_example_is_true(self, api: Api) -> None:
        [query] = re.findall(r"`({.+})`", DOCUMENT)
        [example] = re.findall(r"```json\n(.+?)```", DOCUMENT, re.DOTALL)
        result = await api.execute(query)
        assert {key: value for key, value in result.items() if key != "extensions"} == json.loads(example)


class TestDatabaseFailures:
    @pytest.mark.parametrize(("sqlstate", "code"), mapped(0))
    def test_of_postgresql_are_told_as_documented(self, sqlstate: str, code: str) -> None:
        examples = ["22021", "42601", "XX000"] if sqlstate == "all others" else [sqlstate.replace("…", "003")[:5]]
        assert {code_of(DriverError(sqlstate=example)) for example in examples} == {code}

    @pytest.mark.parametrize(("message", "code"), mapped(1))
    def test_of_sqlite_are_told_as_documented(self, message: str, code: str) -> None:
        assert code_of(DriverError("near secret: syntax error" if message == "all others" else message)) == code

    @pytest.mark.parametrize("error", [ConnectionRefusedError(), TimeoutError(), OSError("no route")])
    def test_to_connect_is_unavailable(self, error: OSError) -> None:
        found = to_api_error(error)
        assert found is not None
        assert found.code is Code.UNAVAILABLE

    def test_other_exceptions_are_masked(self) -> None:
        assert to_api_error(ValueError("secret")) is None
