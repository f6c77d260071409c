"""Medians over rounds, and ratios that are taken within a round."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.cells import Cell, Sample


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with its least and greatest value."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Summarise values, of which there is at least one."""
        known = [*values]
        return cls(statistics.median(known), min(known), max(known))


class Figures:
    """The samples of a run by their cells."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        """Take all samples."""
        self._samples: dict[Cell, list[Sample]] = {}
        for sample in samples:
            self._samples.setdefault(sample.cell, []).append(sample)

    @property
    def cells(self) -> list[Cell]:
        """The cells in the order in which they were measured first."""
        return [*self._samples]

    def of(self, cell: Cell) -> Sequence[Sample]:
        """Return the samples of a cell; empty if it was not measured."""
        return self._samples.get(cell, ())

    def spread(self, cell: Cell, value: Callable[[Sample], float]) -> Spread:
        """Summarise a value over the rounds of a cell."""
        return Spread.of(map(value, self.of(cell)))

    def ratio(self, cell: Cell, base: Cell) -> Spread | None:
        """Return the ratio of the requests per second of two cells, taken within each round that has both."""
        of_base = {sample.round: sample.load.per_second for sample in self.of(base)}
        ratios = [
            sample.load.per_second / of_base[sample.round] for sample in self.of(cell) if of_base.get(sample.round)
        ]
        return Spread.of(ratios) if ratios else None
