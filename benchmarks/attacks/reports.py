"""Results as Markdown, and as JSON."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.attacks.alone import TIMEOUT_SECONDS, Cost
from benchmarks.attacks.attack import MAX_CPU_SECONDS, MAX_LIGHT_MS, MAX_MEMORY_MB
from benchmarks.attacks.connections import Held
from benchmarks.attacks.flood import Endurance

# What an attack may cost.
MAX_ANSWER_BYTES = 10 * 1024 * 1024
COST_COLUMNS = ("attack", "status", "answer", "CPU ms", "growth MB", "peak MB", "answer bytes", "light p99 ms", "over")
ENDURANCE_COLUMNS = (
    "run", "sent", "light answered", "light p50 ms", "light p99 ms", "MB start", "MB middle", "MB end", "restarted",
)  # fmt: skip


HELD_COLUMNS = (
    "connections",
    "number",
    "still open",
    "MB sent",
    "peak MB",
    "light answered",
    "light p50 ms",
    "light p99 ms",
)


def faults(cost: Cost) -> list[str]:
    """Return what is over the bar."""
    checks = {
        "answer": not cost.is_expected,
        "cpu": cost.cpu_ms > MAX_CPU_SECONDS * 1000,
        "memory": max(cost.growth_mb, cost.peak_mb) > MAX_MEMORY_MB,
        "bytes": cost.answer.size > MAX_ANSWER_BYTES,
        "light": cost.light_p99_ms > MAX_LIGHT_MS,
    }
    return [name for name, is_over in checks.items() if is_over]


def cost_row(cost: Cost) -> list[str]:
    """Return the cells of one attack."""
    is_late = cost.answer.names == {"none"}
    return [
        cost.attack.id,
        str(cost.answer.status or "-"),
        " ".join(sorted(cost.answer.names)),
        f">{TIMEOUT_SECONDS:.0f} s" if is_late else f"{cost.cpu_ms:.0f}",
        f"{cost.growth_mb:.0f}",
        f"{cost.peak_mb:.0f}",
        str(cost.answer.size),
        _ms(cost.light_p99_ms),
        " ".join(faults(cost)),
    ]


def endurance_row(endurance: Endurance) -> list[str]:
    """Return the cells of one run."""
    light = endurance.light
    return [
        endurance.name,
        str(endurance.sent),
        f"{light.answered} of {len(light.answers)}",
        _ms(light.percentile(0.5)),
        _ms(light.percentile(0.99)),
        *(f"{memory:.0f}" for memory in endurance.memory_mb),
        str(endurance.restarted),
    ]


def held_row(held: Held) -> list[str]:
    """Return the cells of one kind of connections."""
    return [
        held.stream.name,
        str(held.stream.connections),
        str(held.still_open),
        f"{held.sent_mb:.0f}",
        f"{held.growth_mb:.0f}",
        f"{held.light.answered} of {len(held.light.answers)}",
        _ms(held.light.percentile(0.5)),
        _ms(held.light.percentile(0.99)),
    ]


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass(slots=True)
class Results:
    """What was measured; a run that was not asked for is empty."""

    costs: Sequence[Cost] = ()
    held: Sequence[Held] = ()
    endured: list[Endurance] = field(default_factory=list)

    def to_markdown(self) -> str:
        """Return all results as tables."""
        return "\n\n".join(self._parts()) + "\n"

    def _parts(self) -> Iterator[str]:
        if self.costs:
            yield table(COST_COLUMNS, map(cost_row, self.costs))
            yield f"{sum(bool(faults(cost)) for cost in self.costs)} of {len(self.costs)} attacks are over the bar."
        if self.held:
            yield table(HELD_COLUMNS, map(held_row, self.held))
        if self.endured:
            yield table(ENDURANCE_COLUMNS, map(endurance_row, self.endured))

    def to_json(self) -> dict[str, Any]:
        """Return all results as what JSON can hold."""
        purposes = [{"purpose": cost.attack.purpose} for cost in self.costs]
        attacks = _objects(COST_COLUMNS, map(cost_row, self.costs))
        return {
            "attacks": [attack | purpose for attack, purpose in zip(attacks, purposes, strict=True)],
            "connections": _objects(HELD_COLUMNS, map(held_row, self.held)),
            "runs": _objects(ENDURANCE_COLUMNS, map(endurance_row, self.endured)),
        }


def _objects(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[dict[str, str]]:
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _ms(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) else "none"
