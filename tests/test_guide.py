"""`docs/add-an-entity.md` works as it is written: followed in a copy of the repository, it leads to a green one."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkouts import ROOT, copy_sources
from tests.guide import GUIDE, Block, Misfit, apply, blocks, write
from tests.postgres import SERVER_VARIABLE, PostgresServer

COPIED = [
    *("alembic", "benchmarks", "docs", "examples", "gqlapi", "tests"),
    *("CHANGELOG.md", "LICENSE", "README.md", "alembic.ini", "pyproject.toml", "schema.graphql"),
]
CHECKS = ["ruff check --no-cache", "ruff format --no-cache --check", "gqlapi schema --check", "alembic check"]
EXAMPLE = """
```python title="a.py"
x = 1
```
```diff title="b.py"
 x = 1
-y = 2
+y = 3
@@
 z = 4
+z = 5
```
```sh
uv run c
```
"""


class Scratch:
    """A copy of the repository, and a shell in it with the programs of the environment."""

    def __init__(self, folder: Path, server: PostgresServer) -> None:
        self.folder = folder
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("GQLAPI_", "PYTEST_"))}
        inherited.pop("PYTHONDONTWRITEBYTECODE", None)  # so many processes would compile everything anew
        self.environment = inherited | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(folder),  # before the package that is installed
            "PYTEST_ADDOPTS": "--numprocesses=0 -p no:cacheprovider",
            "MYPY_CACHE_DIR": str(folder / "mypy"),
            SERVER_VARIABLE: server.maintenance_url,
        }

    def run(self, command: str) -> None:
        """Run a line of the guide: `uv run` only finds the environment, which is the one of this process."""
        done = subprocess.run(  # noqa: S602 - as the reader does
            command.replace("uv run ", ""),
            shell=True,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-5000:]}\n{done.stderr[-5000:]}"


@pytest.fixture
def scratch(tmp_path: Path, postgres: PostgresServer) -> Iterator[Scratch]:
    folder = tmp_path / "gqlapi"
    folder.mkdir()
    copy_sources(COPIED, folder)
    # What mypy knows of the libraries, if it has looked at them before.
    cache = Path(os.environ.get("MYPY_CACHE_DIR", ROOT / ".mypy_cache"))
    if cache.exists():
        shutil.copytree(cache, folder / "mypy")
    yield Scratch(folder, postgres)
    shutil.rmtree(folder)


def follow(guide: list[Block], scratch: Scratch) -> None:
    for block in guide:
        if block.language != "sh":
            write(block, scratch.folder)
            continue
        for line in block.text.splitlines():
            scratch.run(line)


class TestGuide:
    def test_leads_to_an_entity_that_passes_its_tests_and_all_checks(self, scratch: Scratch) -> None:
        guide = list(blocks(GUIDE.read_text(encoding="utf-8")))
        follow(guide, scratch)
        touched = dict.fromkeys(block.path for block in guide if block.path.endswith(".py"))
        for check in [*CHECKS, f"mypy {' '.join(touched)}"]:
            scratch.run(check)

    def test_has_new_files_and_diffs_and_commands(self) -> None:
        kinds = Counter(block.language for block in blocks(GUIDE.read_text(encoding="utf-8")))
        assert kinds.keys() == {"python", "diff", "sh"}
        assert min(kinds.values()) >= 4


class TestBlocks:
    def test_are_files_diffs_and_commands(self) -> None:
        new, diff, command = blocks(EXAMPLE)
        assert new == ("python", "a.py", "x = 1\n")
        assert (diff.language, diff.path, command) == ("diff", "b.py", ("sh", "", "uv run c\n"))

    def test_need_a_path(self) -> None:
        with pytest.raises(Misfit):
            list(blocks("```python\nx = 1\n```\n"))


class TestApply:
    DIFF = next(block.text for block in blocks(EXAMPLE) if block.language == "diff")

    def test_changes_each_place(self) -> None:
        assert apply(self.DIFF, "x = 1\ny = 2\nz = 4\n") == "x = 1\ny = 3\nz = 4\nz = 5\n"

    @pytest.mark.parametrize("text", ["x = 1\nz = 4\n", "x = 1\ny = 2\n" * 2 + "z = 4\n", " x = 1\ny = 2\nz = 4\n"])
    def test_refuses_a_place_that_is_not_there_once(self, text: str) -> None:
        with pytest.raises(Misfit):
            apply(self.DIFF, text)
