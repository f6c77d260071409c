"""Random choices that all follow from one seed.

hypothesis records each of its choices, to make a failing example smaller, and a case of the executor has some 600: its
examples are never made smaller, and drawing them took ten times as long as running them.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")
SEEDS = st.integers(0, 2**64 - 1)


class Choices:
    """The choices of one example."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - test data

    def of(self, options: Sequence[T]) -> T:
        """Choose one of some options."""
        return self._random.choice(options)

    def some(self, options: Sequence[T], least: int, most: int) -> list[T]:
        """Choose different ones, in any order."""
        return self._random.sample(options, min(self.number(least, most), len(options)))

    def number(self, least: int, most: int) -> int:
        """Choose a number from a range."""
        return self._random.randint(least, most)

    def flag(self) -> bool:
        """Choose yes or no."""
        return self.one_in(2)

    def one_in(self, count: int) -> bool:
        """Choose yes once in so many times."""
        return self._random.randrange(count) == 0


def chosen(make: Callable[[Choices], T]) -> st.SearchStrategy[T]:
    """Draw a seed, and make an example of the choices that follow from it."""
    return SEEDS.map(lambda seed: make(Choices(seed)))
