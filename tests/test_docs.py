"""What the documents point at exists."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gqlapi.doctor.finding import CHECKS
from tests.architecture import ROOT
from tests.guide import GUIDE, blocks
from tests.policy_table import PATH, policy_table

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(<?([^)\s>]+)>?\)")
CODE_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
MODULE_PATH = re.compile(r"\bgqlapi/[\w/]*(?:\.\w+)?")
# What the guide creates.
TO_BE_CREATED = {block.path for block in blocks(GUIDE.read_text(encoding="utf-8")) if block.language == "python"}


def links(text: str) -> Iterator[str]:
    """Yield the targets inside the repository, without their fragments."""
    for target in LINK.findall(CODE_BLOCK.sub("", text)):
        path = target.partition("#")[0]
        if path and "://" not in path and not path.startswith("mailto:"):
            yield path


def missing_paths(text: str) -> list[str]:
    """Return the named files and folders of the package that do not exist."""
    paths = {path for path in MODULE_PATH.findall(text) if path != "gqlapi/"} - TO_BE_CREATED
    return sorted(path for path in paths if not (ROOT / path).exists())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
class TestDocuments:
    def test_link_to_what_exists(self, document: Path) -> None:
        targets = links(document.read_text(encoding="utf-8"))
        assert [target for target in targets if not (document.parent / target).exists()] == []

    def test_name_modules_that_exist(self, document: Path) -> None:
        assert missing_paths(document.read_text(encoding="utf-8")) == []


class TestDoctor:
    def test_has_each_of_its_checks_explained(self) -> None:
        text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
        assert re.findall(r"^\| (D\d{3}) \|", text, re.MULTILINE) == list(CHECKS)


class TestPolicy:
    def test_is_printed_as_it_is(self) -> None:
        # To write it anew: python -m tests.policy_table
        assert policy_table() in PATH.read_text(encoding="utf-8")


class TestChecks:
    def test_find_a_broken_path(self) -> None:
        text = "See `gqlapi/app.py`, `gqlapi/schema/`, gqlapi/nothing.py and `gqlapi/no_folder/`."
        assert missing_paths(text) == ["gqlapi/no_folder/", "gqlapi/nothing.py"]

    def test_find_the_links(self) -> None:
        text = "[a](b.md#c) [d](https://example.com/e) [f](#g) ![h](<i.png>)\n```\n[j](k)\n```\n"
        assert list(links(text)) == ["b.md", "i.png"]
