"""The `variables` of a request, counted as they arrive: before anything is made of them."""

from collections.abc import Mapping
from typing import Any

from gqlapi.errors import LimitExceeded

# The deepest filter has 5 levels, the longest list of a filter 500 values.
MAX_NESTING = 64
MAX_LIST_LENGTH = 1_000


def check_variables(variables: Mapping[str, Any], max_values: int) -> None:
    """Count the values of raw JSON: every number, text, list and object, and every key.

    Stops at the first limit that is exceeded, so the work is bounded by the limits.

    Raises:
        LimitExceeded: there are too many values, a list is too long, or the values are nested too deeply.
    """
    level, count, depth = [*variables.values()], len(variables), 0
    while level:
        depth += 1
        if depth > MAX_NESTING:
            raise LimitExceeded(f"`variables` is nested deeper than {MAX_NESTING} levels.", limit=MAX_NESTING)
        following: list[Any] = []
        for value in level:
            inner = _inner(value)
            count += len(inner)
            if count > max_values:
                raise LimitExceeded(f"`variables` has over {max_values} values.", limit=max_values)
            following += inner
        level = following


def _inner(value: object) -> list[Any]:
    if isinstance(value, dict):
        return [*value.values()]
    if not isinstance(value, list):
        return []
    if len(value) > MAX_LIST_LENGTH:
        raise LimitExceeded(f"A list in `variables` has over {MAX_LIST_LENGTH} values.", limit=MAX_LIST_LENGTH)
    return value
