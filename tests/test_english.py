"""The texts of the repository use the words of the field, and none of the phrases of the style guide's table."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.architecture import ROOT

# Names, such as `nobody`, are in quotes. A compound such as "its own server" is fine.
WORDS = re.compile(
    r"\b(tell|tells|told|telling|stands?|stood|whoever|whatever|becomes of|became of|(?:of|for) (?:its|their) own"
    r"|carried out|carry out|who asks|that asks|goes on|go on(?! the)|mend|mended|besides|hence|worthless|prolonged"
    r"|meanwhile)\b(?! (?:name|field|settings|rows|machine|index|connections)\b)"
    r"|(?<![\"'`@/])\bnobody\b(?![\"'`@#.])",
    re.IGNORECASE,
)
PHRASES = re.compile(
    r"root of all (reading|writing)|Begin a session\. |Become a user|What is signed out|\bWhat to do\."
    r"|id of what is gone|given, if it was one|value cannot be taken|the viewer may know of"
    r"|another attempt has a chance|posts are filed under|token for a program|no token makes another"
    r"|lies (in its list|among the hits)|need no cursor of each|\bmost (rows|points)\b|Figures about"
    r"|the latest, latest first|post meets this|missing time meets|takes it away|left out it stays"
    r"|put behind the others|\btaken off\b|public's sight|since when it was|take it apart|finds it again"
    r"|knows when it changed|keys of before|is believed|Longest run|Least severe"
    r"|sign (in|up), for each address|behind the gate|place back|as they are now|if need be|those pass who"
    r"|what signing in needs|limits that the settings describe|is given no posts"
    r"|idle in a transaction is ended|to start from stand|system's pip asks",
    re.IGNORECASE,
)
NAMES = re.compile(r"\b(renew_viewer|answer_as|_?hand_out|make_room|note_use|is_over)\b")
# A docstring begins with what a thing is, or with another verb.
FIRST_WORDS = re.compile(r'"""(Hold|Tell|Say|Make) ')
ENDS = (".py", ".md", ".toml", ".yml", ".graphql", ".jsx", ".js", ".mjs", ".ts", ".css", "run", "Dockerfile")
# The sentences of invented posts; this test.
EXEMPT = {"gqlapi/seeding/texts.py", "tests/test_english.py"}


def phrases(text: str, *, is_program: bool = False) -> list[str]:
    """Return the phrases of the table in a text; a program has names and docstrings as well."""
    patterns = (WORDS, PHRASES, NAMES, FIRST_WORDS) if is_program else (WORDS, PHRASES)
    return [match[0] for pattern in patterns for match in pattern.finditer(text)]


def texts() -> list[Path]:
    """Return the files that are committed, or would be."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in names if name.endswith(ENDS) and name not in EXEMPT and (ROOT / name).exists()]


def test_has_none_of_the_phrases() -> None:
    found = {
        str(path.relative_to(ROOT)): left
        for path in texts()
        if (left := phrases(path.read_text(encoding="utf-8"), is_program=path.is_relative_to(ROOT / "gqlapi")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "What became of a post.", "Hence it is null.", "A value cannot be taken.", "nobody is signed in",
        "It runs in a process of its own.", "The most rows of a page.", "It tells whether more follow.",
    ],
)  # fmt: skip
def test_finds_a_phrase(text: str) -> None:
    assert phrases(text)


@pytest.mark.parametrize(
    "text", ["login='nobody'", "of its own settings", "The result of a post mutation.", "standard"]
)
def test_leaves_other_texts_alone(text: str) -> None:
    assert phrases(text) == []
