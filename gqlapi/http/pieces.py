"""JSON that is encoded while it is sent: its texts are in memory, and of its bytes a piece."""

from collections.abc import Iterable, Iterator
from typing import Any

from gqlapi.http.json import encode_json

# What is sent at once, unless one text is longer.
PIECE_BYTES = 65_536
CONTAINERS = (dict, list)


class Pieces:
    """The JSON of a value, made anew each time it is iterated over; `len` is its length in bytes."""

    def __init__(self, value: Any) -> None:
        """Measure the JSON of a value, which must not change any more."""
        self._value = value
        self._length = sum(map(len, _parts(value)))

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        return _joined(_parts(self._value))


def _parts(value: Any) -> Iterator[bytes]:
    """Encode a value; objects and lists that hold no others are encoded whole."""
    if isinstance(value, dict) and any(isinstance(child, CONTAINERS) for child in value.values()):
        before = b"{"
        for name, child in value.items():
            yield before + encode_json(name) + b":"
            yield from _parts(child)
            before = b","
        yield b"}"
    elif isinstance(value, list) and any(isinstance(child, CONTAINERS) for child in value):
        before = b"["
        for child in value:
            yield before
            yield from _parts(child)
            before = b","
        yield b"]"
    else:
        yield encode_json(value)


def _joined(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Join small parts."""
    group: list[bytes] = []
    length = 0
    for part in parts:
        group.append(part)
        length += len(part)
        if length >= PIECE_BYTES:
            yield b"".join(group)
            group, length = [], 0
    if group:
        yield b"".join(group)
