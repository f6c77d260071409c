"""The table of settings in README and docs, made from the code: `python -m tests.settings_table` writes it."""

import json
import re
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from gqlapi.settings import Settings
from tests.architecture import ROOT

BEGIN, END = "<!-- settings: begin -->", "<!-- settings: end -->"
PATHS = [ROOT / "README.md", ROOT / "docs" / "settings.md"]


def settings_table() -> str:
    """Return the table, in the order of the fields."""
    rows = [
        f"| `GQLAPI_{name.upper()}` | {_default(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| Variable | Default | Meaning |", "| --- | --- | --- |", *rows])


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, SecretStr):
        return "one for development"
    if value == "":
        return "none"
    if value is None:
        return "by environment"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def write() -> None:
    """Write the table between the markers of each page."""
    table = f"{BEGIN}\n{settings_table()}\n{END}"
    for path in PATHS:
        text = re.sub(f"{BEGIN}.*{END}", lambda _: table, path.read_text(encoding="utf-8"), flags=re.DOTALL)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
