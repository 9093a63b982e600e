"""Memory that was freed goes back to the system, in the commands that run for long.

A backfill's threads take and free buffers of all sizes. The C library of most Linux systems
keeps what they free in a pool for each thread, and takes larger blocks into the pools the
more of them it sees: after 200,000 documents two thirds of what such a process held was free.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

#: Numbers from ``malloc.h`` of the GNU C library.
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8

#: Blocks from here on are taken from the system one by one, and given back when freed.
_LARGE_BYTES: Final = 128 * 1024
_POOLS: Final = 2
_OWN_SETTINGS: Final = ("MALLOC_", "GLIBC_TUNABLES")


def give_back_freed_memory() -> None:
    """Ask the C library for few pools, and for large blocks to go back at once.

    Whoever set the library's own environment variables knows better, and another library
    is left alone.
    """
    if any(name.startswith(_OWN_SETTINGS) for name in os.environ):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
        ctypes.CDLL(None).gnu_get_libc_version  # noqa: B018 - there only in that library
    except (AttributeError, OSError):
        return
    mallopt(_ARENA_MAX, _POOLS)
    mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
    mallopt(_TRIM_THRESHOLD, _LARGE_BYTES)
