"""The documents' table of who may do what, made from the code: `python -m tests.policy_table` writes it."""

import re

from gqlapi.accounts.policy import POLICY, Rule
from gqlapi.models import UserRole
from tests.architecture import ROOT

PATH = ROOT / "docs" / "accounts.md"
BEGIN, END = "<!-- policy: begin -->", "<!-- policy: end -->"


def policy_table() -> str:
    """Return the table, in the order of the actions."""
    roles = [*UserRole]
    header = ["action", *(role.name for role in roles), "scope of a token"]
    rows = [
        [str(action), *(_cell(rule, role) for role in roles), f"`{rule.scope.name}`" if rule.scope else "no token"]
        for action, rule in POLICY.items()
    ]
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cell(rule: Rule, role: UserRole) -> str:
    if role in rule.any:
        return "all"
    return "their own" if role in rule.own else "no"


def write() -> None:
    """Put the table between the document's markers."""
    text = PATH.read_text(encoding="utf-8")
    table = f"{BEGIN}\n{policy_table()}\n{END}"
    PATH.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: table, text, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    write()
