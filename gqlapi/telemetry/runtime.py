"""What the interpreter and the system know of this process."""

import gc
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if sys.platform != "win32":
    import resource

GENERATIONS = 3
MEMORY = Path("/proc/self/statm")


class Collections:
    """Counts garbage collections and their time."""

    def __init__(self) -> None:
        """Count nothing before `start`."""
        self._counts = [0] * GENERATIONS
        self._seconds = [0.0] * GENERATIONS
        self._began = 0.0

    def start(self) -> None:
        """Begin to count."""
        gc.callbacks.append(self._note)

    def stop(self) -> None:
        """End to count; a second call does nothing."""
        if self._note in gc.callbacks:
            gc.callbacks.remove(self._note)

    def take(self) -> Iterator[tuple[str, int, float]]:
        """Yield generation, collections and seconds since the last time, and begin anew."""
        for generation, count in enumerate(self._counts):
            if count:
                seconds, self._counts[generation] = self._seconds[generation], 0
                self._seconds[generation] = 0.0
                yield str(generation), count, seconds

    def _note(self, phase: str, details: dict[str, Any]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
            return
        self._counts[details["generation"]] += 1
        self._seconds[details["generation"]] += time.perf_counter() - self._began


def cpu_seconds() -> float:
    """Return the CPU time of this process."""
    return time.process_time()


def resident_bytes() -> float:
    """Return the resident memory of this process; its maximum on macOS, and 0 on Windows."""
    if sys.platform == "win32":
        return 0
    if MEMORY.exists():
        return int(MEMORY.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
