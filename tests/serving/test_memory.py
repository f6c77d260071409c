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


@pytest.mark.skipif(sys.platform != "linux", reason="the setting is one of glibc")
class TestReturnFreedMemory:
    def test_keeps_no_large_block(self) -> None:
        assert growth("set") < 4_000_000
        assert growth("unset") > 16_000_000


def growth(mode: str) -> int:
    output = subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, check=True, text=True).stdout
    return int(output)
