"""`docs/add-an-entity.md`, followed to the letter: its files are written, its diffs applied and its commands listed."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.architecture import ROOT

GUIDE = ROOT / "docs" / "add-an-entity.md"
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
NEXT_PLACE = "@@"  # between two places of a diff


class Block(NamedTuple):
    """A block of code: a new file, a diff of a file, or commands."""

    language: str
    path: str
    text: str


class Misfit(Exception):
    """A diff does not fit its file, or a block is of no known kind."""


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of a document, in their order."""
    for language, path, code in BLOCK.findall(text):
        block = Block(language, path, code)
        if (language == "sh") != (not path):
            raise Misfit(f"{block} has no path, or is a command with one")
        yield block


def write(block: Block, folder: Path) -> None:
    """Write a file, or change it.

    Raises:
        Misfit: the file is there already, or the lines around a change are not there, or twice.
    """
    path = folder / block.path
    if block.language == "diff":
        path.write_text(apply(block.text, path.read_text(encoding="utf-8")), encoding="utf-8")
        return
    if path.exists():
        raise Misfit(f"{block.path} is there already")
    path.write_text(block.text, encoding="utf-8")


def apply(diff: str, text: str) -> str:
    """Apply a diff whose places are found by the lines around them."""
    for place in diff.split(f"{NEXT_PLACE}\n"):
        lines = place.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if not line.startswith("+"))
        after = "".join(line[1:] for line in lines if not line.startswith("-"))
        found = list(re.finditer(f"^{re.escape(before)}", text, re.MULTILINE))
        if len(found) != 1:
            raise Misfit(f"{len(found)} times in the file:\n{before}")
        text = text[: found[0].start()] + after + text[found[0].end() :]
    return text
