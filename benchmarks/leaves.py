"""Are the answers of two servers equal? Compares their leaves, regardless of the names and the shapes around them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

Leaves = Counter[tuple[str, Any]]
SHOWN = 5


class UnequalAnswers(Exception):
    """Servers answer a workload differently, so that their times do not compare."""


def leaves(data: Any, generated: frozenset[str] = frozenset()) -> Leaves:
    """Count the values of an answer by type, without those whose name is in `generated`."""
    return Counter((type(value).__name__, value) for value in _values(data, generated))


def _values(data: Any, generated: frozenset[str]) -> Iterator[Any]:
    if isinstance(data, dict):
        for name, value in data.items():
            if name not in generated:
                yield from _values(value, generated)
    elif isinstance(data, list):
        for value in data:
            yield from _values(value, generated)
    else:
        yield data


def require_equal(workload: str, answers: Mapping[str, Leaves]) -> None:
    """Compare the answers of servers with that of the first.

    Raises:
        UnequalAnswers: two of them differ.
    """
    names = list(answers)
    for name in names[1:]:
        missing, added = answers[names[0]] - answers[name], answers[name] - answers[names[0]]
        if missing or added:
            raise UnequalAnswers(
                f"{workload}: {name} differs from {names[0]} in {missing.total()} and {added.total()} leaves: "
                f"{_shown(missing)} against {_shown(added)}"
            )


def _shown(counted: Leaves) -> str:
    return ", ".join(repr(value)[:80] for _, value in sorted(counted, key=repr)[:SHOWN]) or "nothing"
