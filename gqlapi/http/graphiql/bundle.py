"""The built files of GraphiQL: stored compressed, and held in memory, where no path can lead out."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

# One folder for each state of the source; only whole ones have a name without a dot.
BUNDLES = Path(__file__).resolve().parent / "bundle"
MANIFEST = "manifest.json"
COMPRESSED = ".gz"


@dataclass(frozen=True, slots=True)
class Bundle:
    """The files by name, compressed with gzip, and the two that the page begins with."""

    files: dict[str, bytes]
    script: str
    style: str


def compress(folder: Path) -> None:
    """Replace each file by its compressed form, except for the manifest; the same input gives the same bytes."""
    for path in folder.iterdir():
        if path.name != MANIFEST:
            path.with_name(path.name + COMPRESSED).write_bytes(gzip.compress(path.read_bytes(), mtime=0))
            path.unlink()


def find_bundle(bundles: Path = BUNDLES) -> Path | None:
    """Return the folder of the newest bundle; while a changed source is being built, that is the one before."""
    return max((path.parent for path in bundles.glob(f"[!.]*/{MANIFEST}")), key=_changed_at, default=None)


def _changed_at(folder: Path) -> float:
    return folder.stat().st_mtime


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    files = {path.name.removesuffix(COMPRESSED): path.read_bytes() for path in folder.glob(f"*{COMPRESSED}")}
    return Bundle(files, manifest["script"], manifest["style"])
