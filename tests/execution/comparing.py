"""When two results of one operation are equal.

Data is equal with the order of its keys and the types of its leaves. Errors are compared by the position that they
nulled, which is the first null on the way along their path: where several errors null one position, an executor may
report any of them, as long as one of those that it reports reaches the position. An error reaches a position when all
that lies between is non-null.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from graphql import ExecutionResult, GraphQLError

Path = tuple[str | int, ...]
# In the text of an object that a String was made of; it is another one at every run.
ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def differences(
    result: ExecutionResult,
    expected: ExecutionResult,
    possible: Iterable[GraphQLError],
    non_null: Mapping[Path, bool],
) -> list[str]:
    """Return in what a result differs from the expected one; nothing when they are equal.

    `possible` are all errors of the operation, and `non_null` the paths of the response where null is not allowed.
    """
    if ordered(result.data) != ordered(expected.data):
        return [f"data is {result.data!r} instead of {expected.data!r}"]
    found = by_position(result)
    wanted = by_position(expected)
    texts = [f"nothing is reported for {list(position)}" for position in wanted if position not in found]
    texts += [f"errors are reported for {list(position)}" for position in found if position not in wanted]
    texts += [f"{path} is reported twice" for path in repeated(path_of(error) for error in result.errors or ())]
    texts += [f"{key} cannot be" for key in impossible(result.errors or (), possible)]
    for position in found:
        if not any(reaches(path_of(error), position, non_null) for error in found[position]):
            texts.append(f"none of the errors reaches {list(position)}")
    return texts


def ordered(value: Any) -> Any:
    """Return a value that is equal to another one only with the same order of keys and the same types."""
    if isinstance(value, dict):
        return [(key, ordered(item)) for key, item in value.items()]
    if isinstance(value, list):
        return (list, [ordered(item) for item in value])
    return type(value), ADDRESS.sub("", value) if isinstance(value, str) else value


def by_position(result: ExecutionResult) -> dict[Path, list[GraphQLError]]:
    """Return the errors by the positions that they nulled.

    Raises:
        AssertionError: there is data at the path of an error.
    """
    positions: dict[Path, list[GraphQLError]] = {}
    for error in result.errors or ():
        positions.setdefault(nulled_position(result.data, path_of(error)), []).append(error)
    return positions


def nulled_position(data: Any, path: Path) -> Path:
    """Return the first part of a path where data is null."""
    for length, key in enumerate(path):
        if data is None:
            return path[:length]
        data = data[key]
    assert data is None, f"there is an error at {list(path)}, and data as well"
    return path


def reaches(path: Path, position: Path, non_null: Mapping[Path, bool]) -> bool:
    """Whether an error at a path nulls a position, because all that is below the position may not be null."""
    return all(non_null.get(path[:length], False) for length in range(len(position) + 1, len(path) + 1))


def impossible(errors: Iterable[GraphQLError], possible: Iterable[GraphQLError]) -> list[Any]:
    """Return the errors that are not among the possible ones.

    Below the path of a possible error everything is possible: a list that fails half-way may have had items.
    """
    keys = [key_of(error) for error in possible]
    paths = {path_of(error) for error in possible}
    return [
        key_of(error)
        for error in errors
        if key_of(error) not in keys
        and not any(path_of(error)[:length] in paths for length in range(len(path_of(error))))
    ]


def key_of(error: GraphQLError) -> Any:
    """Return what a client sees of an error, and the kind of its cause, on which masking depends."""
    return ADDRESS.sub("", error.message), error.path, error.locations, error.extensions, type(error.original_error)


def path_of(error: GraphQLError) -> Path:
    return tuple(error.path or ())


def repeated(paths: Iterable[Path]) -> set[Path]:
    """Return the paths that occur more than once, except that of the whole request."""
    return {path for path, count in Counter(paths).items() if path and count > 1}
