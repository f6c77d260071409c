"""Copies of the checkout, with what Python has compiled of it: compiling all modules anew takes two seconds."""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns("bundle", "node_modules", "*.db*")


def copy_sources(names: Iterable[str], folder: Path) -> None:
    """Copy files and directories of the checkout; the times of files are kept, so that what is compiled is valid."""
    for name in names:
        if (ROOT / name).is_file():
            shutil.copy2(ROOT / name, folder)
            continue
        shutil.copytree(ROOT / name, folder / name, ignore=LEFT_OUT)
        # Unless they are beside their sources.
        if sys.pycache_prefix and (compiled := _compiled(sys.pycache_prefix, ROOT / name)).is_dir():
            shutil.copytree(compiled, _compiled(sys.pycache_prefix, folder / name))


def _compiled(prefix: str, folder: Path) -> Path:
    return Path(prefix, *folder.absolute().parts[1:])
