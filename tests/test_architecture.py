"""The rules of the tree hold for every module, and each rule is shown to fail on an example."""

import pytest

from tests.architecture import (
    APART,
    LINES,
    MAX_FILE_LINES,
    MAX_FUNCTION_LINES,
    ROOT,
    RULES,
    Module,
    Rule,
    ignores_types_silently,
    imports_late,
    imports_relatively,
    imports_upward,
    is_too_long,
    lacks_docstrings,
    loads_lazily,
    modules,
    relationships,
    uses_sql,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_module_breaks_the_rule(rule: Rule) -> None:
    assert [complaint for module in modules() for complaint in rule(module)] == []


def test_modules_are_found() -> None:
    assert {"", "settings", "models", "models.post"} <= {module.name for module in modules()}


def test_no_part_stands_in_the_table_twice() -> None:
    names = [name for line in (*LINES, APART) for name in line]
    assert sorted(names) == sorted(set(names))


def test_migrations_do_not_hide_the_library() -> None:
    assert list((ROOT / "alembic").rglob("*.py"))
    assert not list((ROOT / "alembic").rglob("__init__.py"))


def test_models_have_relationships() -> None:
    assert any(call for module in modules() if module.part == "models" for call in relationships(module.tree))


def test_no_type_is_ignored_silently_outside_the_package() -> None:
    paths = [path for folder in ("tests", "alembic", ".ci") for path in (ROOT / folder).rglob("*.py")]
    sources = [Module(str(path.relative_to(ROOT)), path.read_text()) for path in paths]
    assert [complaint for module in sources for complaint in ignores_types_silently(module)] == []


def complaints(rule: Rule, name: str, source: str) -> int:
    return len(list(rule(Module(name, source))))


class TestImportsUpward:
    @pytest.mark.parametrize(
        ("name", "source"),
        [
            ("models.post", "from gqlapi.repositories.posts import PostRepository"),
            ("database.engine", "import gqlapi.models"),
            ("schema.posts", "from gqlapi.http import limits"),
            ("http.views", "from gqlapi import schema"),
            ("loaders", "if TYPE_CHECKING:\n    from gqlapi.context import Context"),
            ("execution.plan", "from gqlapi.errors import ApiError"),
            ("settings", "import gqlapi"),
            ("logs", "from gqlapi import errors"),
            ("app", "from gqlapi import seeding"),
            ("seeding.posts", "from gqlapi import context"),
            ("cli", "from gqlapi.__main__ import main"),
        ],
    )
    def test_rejects(self, name: str, source: str) -> None:
        assert complaints(imports_upward, name, source) == 1

    @pytest.mark.parametrize(
        ("name", "source"),
        [
            ("__main__", "from gqlapi.cli import main"),
            ("cli", "from gqlapi.app import create_app\nfrom gqlapi import __version__, seeding"),
            ("schema.posts", "from gqlapi.schema.types import Post\nfrom gqlapi import execution, models"),
            ("execution.plan", "from gqlapi import __version__\nfrom gqlapi.execution import scopes"),
            ("database.url", "from gqlapi_extras import repositories"),
        ],
    )
    def test_accepts(self, name: str, source: str) -> None:
        assert complaints(imports_upward, name, source) == 0

    def test_rejects_an_unknown_module(self) -> None:
        assert complaints(imports_upward, "helpers.misc", "") == 1


class TestUsesSql:
    @pytest.mark.parametrize(
        ("name", "source"),
        [
            ("loaders", "from sqlalchemy import select as choose"),
            ("schema.posts", "import sqlalchemy as sa\nsa.func.now()"),
            ("app", "import sqlalchemy.ext.asyncio\nsqlalchemy.text('SELECT 1')"),
            ("events", "from sqlalchemy.dialects import postgresql\npostgresql.insert"),
            ("seeding", "connection.exec_driver_sql('DELETE FROM posts')"),
            ("models.post", "import sqlalchemy as sa\nsa.select(1)"),
            ("models.post", "from sqlalchemy.orm import selectinload"),
        ],
    )
    def test_rejects(self, name: str, source: str) -> None:
        assert complaints(uses_sql, name, source) == 1

    @pytest.mark.parametrize(
        ("name", "source"),
        [
            ("repositories.posts", "from sqlalchemy import select"),
            ("database.pagination", "import sqlalchemy as sa\nsa.tuple_()"),
            ("models.post", "import sqlalchemy as sa\nLIVE = sa.text('deleted_at IS NULL')"),
            ("schema.posts", "from operator import case\nrepository.update(case)"),
            ("app", "from sqlalchemy.ext.asyncio import AsyncEngine"),
        ],
    )
    def test_accepts(self, name: str, source: str) -> None:
        assert complaints(uses_sql, name, source) == 0


class TestLoadsLazily:
    @pytest.mark.parametrize("arguments", ["", "lazy='select'", "lazy=True", "'Post', lazy='raise'"])
    @pytest.mark.parametrize("function", ["relationship", "orm.relationship"])
    def test_rejects(self, function: str, arguments: str) -> None:
        assert complaints(loads_lazily, "models.post", f"author = {function}({arguments})") == 1

    def test_accepts_one_that_raises(self) -> None:
        assert complaints(loads_lazily, "models.post", 'author = relationship(lazy="raise_on_sql")') == 0


class TestImportsLate:
    @pytest.mark.parametrize(
        "source",
        [
            "def f():\n    import json",
            "async def f():\n    if True:\n        from json import loads",
            "class A:\n    import json",
            "importlib.import_module('json')",
        ],
    )
    def test_rejects(self, source: str) -> None:
        assert complaints(imports_late, "app", source) == 1
        assert complaints(imports_late, "cli.schema", source) == 0

    def test_accepts_the_top_of_a_module(self) -> None:
        assert complaints(imports_late, "app", "import json\nif TYPE_CHECKING:\n    import ast") == 0


class TestImportsRelatively:
    @pytest.mark.parametrize("source", ["from . import post", "from ..models import Post"])
    def test_rejects(self, source: str) -> None:
        assert complaints(imports_relatively, "models.tag", source) == 1


class TestIsTooLong:
    @pytest.mark.parametrize(("lines", "expected"), [(MAX_FILE_LINES, 0), (MAX_FILE_LINES + 1, 1)])
    def test_counts_the_lines_of_a_file(self, lines: int, expected: int) -> None:
        assert complaints(is_too_long, "app", "pass\n" * lines) == expected

    @pytest.mark.parametrize("keyword", ["def", "async def"])
    @pytest.mark.parametrize(("lines", "expected"), [(MAX_FUNCTION_LINES, 0), (MAX_FUNCTION_LINES + 1, 1)])
    def test_counts_the_lines_of_a_function(self, keyword: str, lines: int, expected: int) -> None:
        source = f"class A:\n  {keyword} f():\n" + "    pass\n" * (lines - 1)
        assert complaints(is_too_long, "app", source) == expected


class TestLacksDocstrings:
    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("", 1),
            ("'''A.'''\ndef f(): ...", 1),
            ("'''A.'''\nclass A: ...", 1),
            ("'''A.'''\nclass A:\n    '''B.'''\n    async def f(self): ...", 1),
            ("'''A.'''\nclass A(B):\n    '''B.'''\n    class C: ...", 1),
            ("'''A.'''\nclass A(B):\n    '''B.'''\n    def f(self): ...", 0),
            ("'''A.'''\n@field(name='g')\ndef f(): ...", 1),
            ("'''A.'''\n@field(description='B.')\ndef f(): ...", 0),
            ("'''A.'''\ndef _f(): ...\nclass _A: ...", 0),
            ("'''A.'''\ndef f():\n    '''B.'''\n    def g(): ...", 0),
        ],
    )
    def test_counts_what_is_public(self, source: str, expected: int) -> None:
        assert complaints(lacks_docstrings, "app", source) == expected


class TestIgnoresTypesSilently:
    @pytest.mark.parametrize(
        ("comment", "expected"),
        [
            ("# type: ignore", 1),
            ("# type: ignore[attr-defined]", 1),
            ("#type:ignore # why", 1),
            ("# type: ignore[attr-defined, misc] - the stub lacks it", 0),
            ("# type: ignore[misc]  # the stub lacks it", 0),
        ],
    )
    def test_wants_a_code_and_a_reason(self, comment: str, expected: int) -> None:
        assert complaints(ignores_types_silently, "app", f"x = 1  {comment}") == expected

    def test_accepts_text(self) -> None:
        assert complaints(ignores_types_silently, "app", "x = '# type: ignore'") == 0
