"""Front matter: YAML between lines of `---`, or TOML between lines of `+++`, before a body."""

import re
import tomllib
from typing import Any

from gqlapi.interchange.unreadable import NotAPost, Unreadable, first_line
from gqlapi.interchange.yaml_texts import dump_yaml, load_yaml

# More than any front matter, and less than what keeps a parser busy.
MAX_FRONT_MATTER_LENGTH = 65_536
OPENING = re.compile(r"(?P<fence>---|\+\+\+)[ \t]*\r?\n")
JSON_OPENING = re.compile(r"\{\s*\"")
CLOSING = {
    "---": re.compile(r"^---[ \t]*(?:\r?\n|\Z)", re.MULTILINE),
    "+++": re.compile(r"^\+\+\+[ \t]*(?:\r?\n|\Z)", re.MULTILINE),
}
# `tomllib` keeps every beginning of a dotted name: one of 30,000 parts takes gigabytes. No generator writes so many.
MAX_NAME_PARTS = 32
TOML_TEXT = re.compile(
    r"""["]{3}(?:[^\\]|\\.)*?["]{3,5}|'{3}.*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|#[^\n]*""", re.DOTALL
)
TOML_NAME = re.compile(rf"(?<![\w-])[\w-]++(?:[ \t]*+\.[ \t]*+[\w-]++){{{MAX_NAME_PARTS},}}")
BLANK_LINE = re.compile(r"\r?\n")


def split(text: str) -> tuple[dict[str, Any], str]:
    """Return the front matter, its names in lower case, and the body; one blank line between them belongs to neither.

    Raises:
        NotAPost: there is no front matter.
        Unreadable: it cannot be parsed.
    """
    opening = OPENING.match(text)
    if opening is None and JSON_OPENING.match(text):
        raise Unreadable("its front matter is JSON: rewrite it as YAML or TOML")
    if opening is None:
        raise NotAPost("it has no front matter")
    closing = CLOSING[opening["fence"]].search(text, opening.end())
    if closing is None:
        raise Unreadable(f"its front matter is not closed by a line of {opening['fence']}")
    front = text[opening.end() : closing.start()]
    if len(front) > MAX_FRONT_MATTER_LENGTH:
        raise Unreadable(f"its front matter is longer than {MAX_FRONT_MATTER_LENGTH} characters")
    parsed = _parse_toml(front) if opening["fence"] == "+++" else _parse_yaml(front)
    blank = BLANK_LINE.match(text, closing.end())
    names = lower_names(parsed)
    if len(names) < len(parsed):  # which of them counts, no generator agrees with another one
        raise Unreadable("its front matter has a name twice, in upper and lower case")
    return names, text[blank.end() if blank else closing.end() :]


def join(front: dict[str, Any], body: str) -> str:
    """Return the text that `split` takes apart again, to the letter."""
    return f"---\n{dump_yaml(front)}---\n\n{body}"


def lower_names(table: dict[Any, Any]) -> dict[str, Any]:
    """Return a table with its names in lower case, as Hugo reads them."""
    return {str(name).lower(): value for name, value in table.items()}


def _parse_yaml(front: str) -> dict[Any, Any]:
    parsed = load_yaml(front)
    if not isinstance(parsed, dict | None):
        raise Unreadable("its front matter is not a table of names and values")
    return parsed or {}


def _parse_toml(front: str) -> dict[str, Any]:
    # Texts may have any number of dots; of a quoted part of a name, any other replaces them.
    if TOML_NAME.search(TOML_TEXT.sub("_", front)):
        raise Unreadable(f"a name in its TOML has more than {MAX_NAME_PARTS} parts")
    try:
        return tomllib.loads(front)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a bare ValueError
        raise Unreadable(f"its TOML cannot be read: {first_line(error)}") from None
