"""Nothing floats: a resolution of the project, on any day and any machine, yields the same versions."""

import ast
import asyncio
import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import distribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture import ROOT, imported_names

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = PROJECT["tool"]["uv"]["constraint-dependencies"]
BUILD_PINS = PROJECT["tool"]["uv"]["build-constraint-dependencies"]
# What the project is built on, and the name that each is imported by.
FOUNDATIONS = {
    "aiodataloader": "aiodataloader",
    "alembic": "alembic",
    "asyncpg": "asyncpg",
    "sqlalchemy": "sqlalchemy",
    "starlette": "starlette",
    "strawberry-graphql": "strawberry",
    "uvicorn": "uvicorn",
}
# One letter of each host is in brackets, so that not even this file names one.
REGISTRY = re.compile(
    r"py[p]i\.(org|python)|python[h]osted\.org|npm[j]s\.(org|com)|yarn[p]kg\.com|registry\.[n]pm|conda[-.][f]orge"
    r"|https?://[^\s\"'/]+/([^\s\"']+/)?simple[/\"'\s]|(index-url|find-links|registry)[ \t]*[=:][ \t]*[\"']?https?:"
)


def requirements(lines: Iterable[str]) -> list[Requirement]:
    return [Requirement(line) for line in lines]


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group and of the groups that it includes."""
    lines: list[str] = []
    for item in PROJECT["dependency-groups"][name]:
        lines += [item] if isinstance(item, str) else group(item["include-group"])
    return lines


def applies(requirement: Requirement, extra: str = "") -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def installed_tree(asked: Iterable[Requirement]) -> set[str]:
    """Return the name of each distribution that the requirements bring to this machine."""
    seen: set[tuple[str, str]] = set()
    waiting = [(item, extra) for item in asked for extra in ("", *item.extras) if applies(item)]
    while waiting:
        requirement, extra = waiting.pop()
        key = (canonicalize_name(requirement.name), extra)
        if key not in seen:
            seen.add(key)
            below = [item for item in requirements(distribution(key[0]).requires or []) if applies(item, extra)]
            waiting += [(item, wanted) for item in below for wanted in ("", *item.extras)]
    return {name for name, _ in seen}


def tree() -> list[str]:
    return sorted(installed_tree(requirements(PROJECT["project"]["dependencies"] + group("dev"))))


class TestPins:
    @pytest.mark.parametrize("pins", [PINS, BUILD_PINS], ids=["project", "build"])
    def test_are_exact_and_plain(self, pins: list[str]) -> None:
        for pin in requirements(pins):
            assert [item.operator for item in pin.specifier] == ["=="], pin
            assert "*" not in str(pin.specifier)
            assert not pin.extras
            assert pin.url is None

    @pytest.mark.parametrize("pins", [PINS, BUILD_PINS], ids=["project", "build"])
    def test_are_normalised_and_sorted(self, pins: list[str]) -> None:
        names = [pin.name for pin in requirements(pins)]
        assert names == sorted(canonicalize_name(name) for name in names)

    @pytest.mark.parametrize("pins", [PINS, BUILD_PINS], ids=["project", "build"])
    def test_name_each_package_once(self, pins: list[str]) -> None:
        counts = Counter(pin.name for pin in requirements(pins) if applies(pin))
        assert [name for name, count in counts.items() if count > 1] == []

    def test_cover_every_installed_distribution(self) -> None:
        pinned = {pin.name for pin in requirements(PINS) if applies(pin)}
        assert [name for name in tree() if name not in pinned] == []

    def test_match_what_is_installed(self) -> None:
        pinned = {pin.name: pin.specifier for pin in requirements(PINS) if applies(pin)}
        assert [f"{name} {version(name)}" for name in tree() if not pinned[name].contains(version(name))] == []

    def test_find_the_tree(self) -> None:
        # Direct, by an extra, below an extra, and of a group.
        assert {"asyncpg", "greenlet", "uvloop", "h11", "pluggy"} <= set(tree())


class TestRanges:
    @pytest.mark.parametrize("name", PROJECT["dependency-groups"])
    def test_of_a_group_hold_the_pin(self, name: str) -> None:
        assert list(outside(group(name), PINS)) == []

    def test_of_the_project_hold_the_pin(self) -> None:
        assert list(outside(PROJECT["project"]["dependencies"], PINS)) == []

    def test_of_the_build_hold_the_pin(self) -> None:
        assert list(outside(PROJECT["build-system"]["requires"], BUILD_PINS)) == []

    @pytest.mark.parametrize("pins", [[], ["ruff==2.0"], ["ruff-lsp==1.5"]])
    def test_reject_another_pin(self, pins: list[str]) -> None:
        assert list(outside(["ruff>=1,<2"], pins)) == ["ruff<2,>=1"]


def outside(asked: list[str], pins: list[str]) -> Iterator[str]:
    """Yield the requirements that no pin fulfils."""
    pinned = {pin.name: next(iter(pin.specifier)).version for pin in requirements(pins)}
    for item in requirements(asked):
        name = canonicalize_name(item.name)
        if name not in pinned or not item.specifier.contains(pinned[name], prereleases=True):
            yield str(item)


class TestRegistries:
    def test_no_file_names_one(self) -> None:
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if listing.returncode:
            pytest.skip("not a git checkout")
        # The examples below are why this file is left out.
        paths = {ROOT / name for name in listing.stdout.split("\0") if name} - {Path(__file__)}
        texts = {path: path.read_text(errors="replace") for path in paths if path.is_file()}
        assert [str(path) for path, text in texts.items() if REGISTRY.search(text)] == []
        assert ROOT / "pyproject.toml" in texts

    @pytest.mark.parametrize(
        "text",
        [
            'source = { registry = "https://example.org/packages" }',
            '"resolved": "https://registry.np' + 'mjs.org/graphiql"',
            "pip install --index-url=https://mirror.example/root",
            'url = "https://mirror.example/a/simple"',
            "https://files.python" + "hosted.org/packages/a.whl",
        ],
    )
    def test_are_recognised(self, text: str) -> None:
        assert REGISTRY.search(text)

    @pytest.mark.parametrize("text", ["It is as simple as https://example.org/simplest", "the registry of types: Node"])
    def test_other_addresses_are_accepted(self, text: str) -> None:
        assert not REGISTRY.search(text)


@cache
def imported_packages() -> set[str]:
    """Return the first name of everything that is imported."""
    paths = [path for folder in ("gqlapi", "alembic", "tests") for path in (ROOT / folder).rglob("*.py")]
    return {name.partition(".")[0] for path in paths for name in imported_names(ast.parse(path.read_text()))}


class TestFoundations:
    @pytest.mark.parametrize("name", FOUNDATIONS)
    def test_is_a_dependency(self, name: str) -> None:
        assert name in {item.name for item in requirements(PROJECT["project"]["dependencies"])}

    @pytest.mark.parametrize("module", FOUNDATIONS.values())
    def test_is_imported(self, module: str) -> None:
        assert module in imported_packages()

    def test_pytest_asyncio_runs_the_tests(self, pytestconfig: pytest.Config) -> None:
        assert "pytest-asyncio" in {item.name for item in requirements(group("test"))}
        assert pytestconfig.getini("asyncio_mode") == "auto"

    async def test_pytest_asyncio_needs_no_mark(self) -> None:
        assert asyncio.get_running_loop().is_running()
