"""The log of failures for which operations are refused: by kind, with counts, instead of a line for each."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import structlog

from gqlapi.database.failures import Trouble, describe

PERIOD_SECONDS = 30.0
# These need an operator; the others end by themselves.
SEVERE = frozenset(
    {
        Trouble.UNREACHABLE,
        Trouble.RESOURCES,
        Trouble.DISK,
        Trouble.READ_ONLY,
        Trouble.PERMISSION,
        Trouble.SCHEMA,
    }
)

logger = structlog.get_logger()


@dataclass(slots=True)
class _Incident:
    """Failures of one kind without a period of quiet between two of them."""

    timer: asyncio.TimerHandle
    operations: int = 1
    # Of these, how many since the last line.
    recent: int = 0
    started_at: float = field(default_factory=time.monotonic)
    last_at: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return round(self.last_at - self.started_at, 1)


class Incidents:
    """Logs the first failure of a kind with its cause, a count every 30 s while it lasts, and its end.

    An incident ends with a period without a failure of its kind.
    """

    def __init__(self, period_seconds: float = PERIOD_SECONDS, *, is_silent: bool = False) -> None:
        """Start without incidents; a command, which reports its failure itself, logs none."""
        self._period_seconds = period_seconds
        self._is_silent = is_silent
        self._open: dict[Trouble, _Incident] = {}
        # All since the start.
        self.counts: Counter[Trouble] = Counter()

    def record(self, trouble: Trouble, cause: BaseException | None = None) -> None:
        """Count an operation that was refused."""
        self.counts[trouble] += 1
        if self._is_silent:
            return
        incident = self._open.get(trouble)
        if incident is None:
            self._open[trouble] = _Incident(self._schedule(trouble))
            log = logger.error if trouble in SEVERE else logger.warning
            log("database incident started", kind=str(trouble), **({} if cause is None else describe(cause)))
            return
        incident.operations += 1
        incident.recent += 1
        incident.last_at = time.monotonic()

    def close(self) -> None:
        """End all incidents."""
        for trouble in [*self._open]:
            self._end(trouble)

    def _schedule(self, trouble: Trouble) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._period_seconds, self._look, trouble)

    def _look(self, trouble: Trouble) -> None:
        incident = self._open[trouble]
        if not incident.recent:
            self._end(trouble)
            return
        logger.warning(
            "database incident continues",
            kind=str(trouble),
            operations=incident.recent,
            operations_in_all=incident.operations,
            seconds=incident.seconds,
        )
        incident.recent = 0
        incident.timer = self._schedule(trouble)

    def _end(self, trouble: Trouble) -> None:
        incident = self._open.pop(trouble)
        incident.timer.cancel()
        logger.warning(
            "database incident ended",
            kind=str(trouble),
            operations_in_all=incident.operations,
            seconds=incident.seconds,
        )
