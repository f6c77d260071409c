"""A server gives memory back after a peak."""

import subprocess
import sys

import pytest

# Prints how much more is resident after a thread has freed blocks of 16 MiB: the second of them is kept by default.
PROGRAM = """
import ctypes, sys, threading
from gqlapi.serving.memory import return_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

def use(libc, size=16 * 1_048_576):
    for _ in range(3):
        block = libc.malloc(size)
        ctypes.memset(block, 1, size)
        libc.free(ctypes.c_void_p(block))

if sys.argv[1] == "set":
    return_freed_memory()
before = resident()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
thread = threading.Thread(target=use, args=(libc,))
thread.start()
thread.join()
print(resident() - before)
"""


# Prints how much of 64 MiB stays resident that lies, freed, between blocks that are in use; then after a trim.
SPREAD = """
import ctypes
from gqlapi.serving import memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

memory.return_freed_memory()
libc = memory._glibc()
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
before, size = resident(), 262_144
freed = []
for _ in range(256):
    block = libc.malloc(size)
    ctypes.memset(block, 1, size)
    freed.append(block)
    libc.malloc(64)
for block in freed:
    libc.free(ctypes.c_void_p(block))
print(resident() - before)
memory.trim_if_much_is_free(libc)
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the setting is one of glibc")
class TestReturnFreedMemory:
    def test_keeps_no_large_block(self) -> None:
        assert growth("set") < 4_000_000
        assert growth("unset") > 16_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="the heap is one of glibc")
class TestTrim:
    def test_returns_what_is_free_between_blocks_in_use(self) -> None:
        kept, left = map(int, run(SPREAD).split())
        assert kept > 48 * 1_048_576
        assert left < 8 * 1_048_576


def growth(mode: str) -> int:
    return int(run(PROGRAM, mode))


def run(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout
