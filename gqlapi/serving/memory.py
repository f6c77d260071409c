"""What the C library keeps of the memory that was freed."""

import ctypes
import sys

# Of mallopt(3), in malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
# Blocks of this size go back to the system when they are freed, and so does as much at the end of a heap.
LARGE_BYTES = 1_048_576
ARENAS = 2


def return_freed_memory() -> None:
    """Have glibc return freed memory to the system; other C libraries do, or have no such setting.

    By default it learns from the first large block to keep the next ones, in a heap for each thread: after an answer of
    10 MB and a hash of a password, 35 MB stay. Must be called before threads start.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in (
            (M_ARENA_MAX, ARENAS),
            (M_MMAP_THRESHOLD, LARGE_BYTES),
            (M_TRIM_THRESHOLD, LARGE_BYTES),
        ):
            mallopt(parameter, value)
