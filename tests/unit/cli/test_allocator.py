"""Commands that run for long give freed memory back, unless somebody set that himself."""

import os
import platform
import subprocess
import sys

import pytest

#: Takes a block, frees it, and takes it again: told how much then stands outside the pools.
SECOND_BLOCK = """
import ctypes
from repoint.cli.allocator import give_back_freed_memory

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in
                ("arena", "ordblks", "smblks", "hblks", "hblkhd", "rest1", "rest2",
                 "used", "free", "top")]

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.mallinfo2.restype = Info
give_back_freed_memory()
libc.free(libc.malloc(8 << 20))
before = libc.mallinfo2().hblkhd
block = libc.malloc(8 << 20)
print(libc.mallinfo2().hblkhd - before)
"""

glibc_only = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="the C library here is not the one it asks"
)


def outside_the_pools(**environment: str) -> int:
    own = {name: value for name, value in os.environ.items() if "MALLOC" not in name}
    done = subprocess.run(
        [sys.executable, "-c", SECOND_BLOCK],
        env=own | environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout)


@glibc_only
def test_a_large_block_goes_back_to_the_system_every_time() -> None:
    assert outside_the_pools() >= 8 << 20


@glibc_only
def test_the_librarys_own_settings_are_left_alone() -> None:
    assert outside_the_pools(MALLOC_PERTURB_="0") == 0
