"""The operations that GraphiQL opens with, and that its page lists."""

from pathlib import Path


def load_examples() -> list[dict[str, str]]:
    """Read the examples, each with its `query` and its `variables`, which are JSON or empty.

    They are inside an installed package, or beside the package in a checkout.
    """
    here = Path(__file__).resolve()
    for folder in (here.parent / "examples", here.parents[3] / "examples"):
        if folder.is_dir():
            return [_read(path) for path in sorted(folder.glob("*.graphql"))]
    return []


def _read(path: Path) -> dict[str, str]:
    variables = path.with_suffix(".json")
    return {
        "query": path.read_text(encoding="utf-8").strip(),
        "variables": variables.read_text(encoding="utf-8").strip() if variables.exists() else "",
    }
