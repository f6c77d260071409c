"""Rewrite the pins in pyproject.toml from its ranges, or check them.

    uv run --no-project .ci/refresh_pins.py            take the newest versions that the ranges allow
    uv run --no-project .ci/refresh_pins.py --check    fail if the pins are not a whole resolution of the ranges

The check resolves under the pins, so that a release of somebody else never makes it fail.
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
BEGIN, END = "# pins: begin\n", "# pins: end\n"
# Nothing but a name, a version and a marker may get in: an address would tie the project to a registry.
PIN = re.compile(r"(?P<name>[a-z0-9]+(-[a-z0-9]+)*)==[0-9a-z.!+]+( ; [^/]+)?")

Pins = dict[str, list[str]]


def ranges(project: dict[str, Any]) -> dict[str, list[str]]:
    """Return what is asked for, under the name of the setting that holds its pins."""
    extras = project["project"].get("optional-dependencies", {}).values()
    groups = project["dependency-groups"].values()
    # An included group is a table, and its own requirements come by themselves.
    asked = [item for group in (*extras, *groups) for item in group if isinstance(item, str)]
    return {
        "constraint-dependencies": project["project"]["dependencies"] + asked,
        "build-constraint-dependencies": project["build-system"]["requires"],
    }


def resolve(requirements: list[str], constraints: list[str], python: str) -> list[str]:
    """Return one pin per package for every platform, or several with markers where the versions differ."""
    # An empty folder, because uv would read the current pins from a pyproject.toml beside it.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "constraints.txt").write_text("\n".join(constraints))
        options = ["--universal", "--python-version", python, "--constraint", "constraints.txt"]
        quiet = ["--quiet", "--no-header", "--no-annotate", "--no-emit-index-url"]
        command = [os.environ.get("UV", "uv"), "pip", "compile", *options, *quiet, "-"]
        text = "\n".join(requirements)
        run = subprocess.run(command, cwd=folder, input=text, stdout=subprocess.PIPE, text=True, check=True)
    return pins(run.stdout.splitlines())


def pins(lines: list[str]) -> list[str]:
    """Keep the marker only where a name has several versions: a package that nothing asks for is not installed.

    Raises:
        ValueError: a line is no plain pin.
    """
    matches = [PIN.fullmatch(line) for line in lines]
    if not all(matches):
        raise ValueError(f"not a plain pin: {[line for line in lines if not PIN.fullmatch(line)]}")
    names = [match["name"] for match in matches if match]
    short = [line if names.count(name) > 1 else line.split(" ; ")[0] for name, line in zip(names, lines, strict=True)]
    return sorted(short, key=lambda pin: pin.split("=="))


def replace_pins(text: str, pinned: Pins) -> str:
    """Return the text of pyproject.toml with new lists between the two comments."""
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    lists = "".join(
        f"{setting} = [\n" + "".join(f'  "{pin}",\n' for pin in lines) + "]\n" for setting, lines in pinned.items()
    )
    return head + BEGIN + lists + END + tail


def main(arguments: list[str]) -> int:
    """Refresh or check the pins; return the exit status."""
    text = PYPROJECT.read_text()
    project = tomllib.loads(text)
    current: Pins = {setting: project["tool"]["uv"][setting] for setting in ranges(project)}
    check = arguments == ["--check"]
    python = project["project"]["requires-python"].removeprefix(">=")
    resolved = {
        setting: resolve(asked, current[setting] if check else [], python) for setting, asked in ranges(project).items()
    }
    changed = {pin for setting in resolved for pin in set(resolved[setting]) ^ set(current[setting])}
    if not check:
        PYPROJECT.write_text(replace_pins(text, resolved))
    print("\n".join(sorted(changed)) or "The pins are current.")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
