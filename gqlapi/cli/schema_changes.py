"""The changes between two schemas, by what they mean for clients."""

from typing import NamedTuple

from graphql import build_schema
from graphql.utilities.find_schema_changes import BreakingChange, DangerousChange, find_schema_changes


class Change(NamedTuple):
    """A change: breaking, dangerous (it may surprise a client) or safe."""

    severity: str
    kind: str
    text: str


def changes_between(earlier: str, current: str) -> list[Change]:
    """Return the changes from one SDL to another, breaking ones first.

    Raises:
        GraphQLError: one of them is not a schema.
    """
    found = find_schema_changes(build_schema(earlier), build_schema(current))
    changes = [Change(_severity(change), change.type.name, change.description) for change in found]
    return sorted(changes)  # by severity, whose names are in this order


def _severity(change: object) -> str:
    if isinstance(change, BreakingChange):
        return "breaking"
    return "dangerous" if isinstance(change, DangerousChange) else "safe"
