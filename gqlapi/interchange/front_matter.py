"""Front matter: YAML between lines of `---`, or TOML between lines of `+++`, before a body."""

import re
import tomllib
from typing import Any

import yaml

# More than any front matter, and less than what keeps a parser busy.
MAX_FRONT_MATTER_LENGTH = 65_536
BLOCK = re.compile(
    r"(?P<fence>---|\+\+\+)[ \t]*\r?\n(?P<front>.*?)^(?P=fence)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE
)
BLANK_LINE = re.compile(r"\r?\n")


class Unreadable(Exception):
    """A file is not one that can be imported; the message says why."""


def split(text: str) -> tuple[dict[str, Any], str]:
    """Return the front matter and the body; one blank line between them belongs to neither.

    Raises:
        Unreadable: there is no front matter, or it cannot be parsed.
    """
    found = BLOCK.match(text)
    if found is None:
        raise Unreadable("it has no front matter")
    front = found["front"]
    if len(front) > MAX_FRONT_MATTER_LENGTH:
        raise Unreadable(f"its front matter is longer than {MAX_FRONT_MATTER_LENGTH} characters")
    parsed = _parse(front, is_toml=found["fence"] == "+++")
    body = text[found.end() :]
    return parsed, BLANK_LINE.sub("", body, count=1) if BLANK_LINE.match(body) else body


def join(front: dict[str, Any], body: str) -> str:
    """Return the text that `split` takes apart again, to the letter."""
    return f"---\n{yaml.safe_dump(front, allow_unicode=True, sort_keys=False)}---\n\n{body}"


def parse_yaml(text: str) -> Any:
    """Read YAML without running anything in it.

    Raises:
        Unreadable: it is not YAML.
    """
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        raise Unreadable(f"its YAML cannot be read: {_first_line(error)}") from None


def _parse(front: str, *, is_toml: bool) -> dict[str, Any]:
    if not is_toml:
        parsed = parse_yaml(front)
        if parsed is None:
            return {}
        if not isinstance(parsed, dict):
            raise Unreadable("its front matter is not a table of names and values")
        return {str(name).lower(): value for name, value in parsed.items()}
    try:
        return {name.lower(): value for name, value in tomllib.loads(front).items()}
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Unreadable(f"its TOML cannot be read: {_first_line(error)}") from None


def _first_line(error: BaseException) -> str:
    problem = getattr(error, "problem", None) or str(error) or type(error).__name__
    return str(problem).partition("\n")[0]
