"""When Python's garbage collector runs, and what the C library keeps of the memory that was freed."""

import ctypes
import gc
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Objects between two collections of the youngest, and collections of one generation between two of the next.
COLLECTOR_THRESHOLDS = (10_000, 10, 10)

# Of mallopt(3), in malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
# Blocks of this size go back to the system when they are freed, and so does as much at the end of a heap.
LARGE_BYTES = 1_048_576
ARENAS = 2
# How much may be free between blocks that are in use, and how often this is looked at.
MAX_FREE_BYTES = 32 * 1_048_576
TRIM_SECONDS = 2.0


class MemoryInfo(ctypes.Structure):
    """The result of mallinfo2(3)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks")
    ] + [("keepcost", ctypes.c_size_t)]


@contextmanager
def without_collector() -> Iterator[None]:
    """Import modules, of which nothing is garbage, without looking for any: then, or when the process ends.

    Looking took a third of the CPU time of a short command.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def relax_collector() -> None:
    """Leave what was loaded at the start to itself, and collect less often.

    A full collection walked 160,000 objects of libraries and schema, and stopped the event loop for 51 to 143 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


def return_freed_memory() -> None:
    """Have glibc return freed memory to the system; other C libraries do, or have no such setting.

    By default it learns from the first large block to keep the next ones, in a heap for each thread: after an answer of
    10 MB and a hash of a password, 35 MB stay. Must be called before threads start.
    """
    if (libc := _glibc()) is not None:
        libc.mallopt(M_ARENA_MAX, ARENAS)
        libc.mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, LARGE_BYTES)


def start_trimming() -> None:
    """Start a thread that returns what is free between blocks that are in use.

    After a minute of hostile requests these were 300 MB of a worker, ten times what it used.
    """
    if (libc := _glibc()) is not None:
        threading.Thread(target=_trim_for_ever, args=(libc,), name="memory", daemon=True).start()


def trim_if_much_is_free(libc: Any) -> None:
    """Return what is free to the system if it is much; other Python threads continue to run."""
    if libc.mallinfo2().fordblks > MAX_FREE_BYTES:
        libc.malloc_trim(0)


def _trim_for_ever(libc: Any) -> None:
    while True:
        time.sleep(TRIM_SECONDS)
        trim_if_much_is_free(libc)


def _glibc() -> Any:
    """Return the C library if it is glibc 2.33 or later, which reports free memory, else None."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    if not all(hasattr(libc, name) for name in ("mallopt", "mallinfo2", "malloc_trim")):
        return None
    libc.mallinfo2.restype = MemoryInfo
    return libc
