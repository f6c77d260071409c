"""How much an answer has."""

from typing import Any


def count_values(value: Any) -> int:
    """Count the objects and the values of an answer."""
    if isinstance(value, list):
        return sum(map(count_values, value))
    return 1 + sum(map(count_values, value.values())) if isinstance(value, dict) else 1
