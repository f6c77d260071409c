"""Results as Markdown, and as JSON."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from benchmarks.attacks.alone import TIMEOUT_SECONDS, Cost
from benchmarks.attacks.flood import Endurance

# What an attack may cost.
MAX_GROWTH_MB = 20
MAX_ANSWER_BYTES = 10 * 1024 * 1024
COST_COLUMNS = ("attack", "status", "answer", "CPU ms", "growth MB", "peak MB", "answer bytes", "light p99 ms", "over")
ENDURANCE_COLUMNS = (
    "run", "sent", "light answered", "light p50 ms", "light p99 ms", "MB start", "MB middle", "MB end", "restarted",
)  # fmt: skip


def faults(cost: Cost) -> list[str]:
    """Return what is over the bar."""
    checks = {
        "answer": not cost.is_expected,
        "cpu": cost.cpu_ms > cost.attack.cpu_seconds * 1000,
        "memory": max(cost.growth_mb, cost.peak_mb) > MAX_GROWTH_MB,
        "bytes": cost.answer.size > MAX_ANSWER_BYTES,
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


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown(costs: Sequence[Cost], endured: Sequence[Endurance]) -> str:
    """Return all results as Markdown."""
    return "\n\n".join(_parts(costs, endured)) + "\n"


def _parts(costs: Sequence[Cost], endured: Sequence[Endurance]) -> Iterator[str]:
    if costs:
        yield table(COST_COLUMNS, map(cost_row, costs))
        yield f"{sum(bool(faults(cost)) for cost in costs)} of {len(costs)} attacks are over the bar."
    if endured:
        yield table(ENDURANCE_COLUMNS, map(endurance_row, endured))


def as_json(costs: Sequence[Cost], endured: Sequence[Endurance]) -> dict[str, Any]:
    """Return all results as what JSON can hold."""
    return {
        "attacks": [
            {**dict(zip(COST_COLUMNS, cost_row(cost), strict=True)), "purpose": cost.attack.purpose} for cost in costs
        ],
        "runs": [dict(zip(ENDURANCE_COLUMNS, endurance_row(endurance), strict=True)) for endurance in endured],
    }


def _ms(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) else "none"
