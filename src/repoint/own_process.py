"""Whether this process runs a command of repoint's and no program of anybody else's.

There a driver may leave out what only other code would use; in a process that merely
imports repoint nothing may be missing.
"""

from __future__ import annotations

import threading

_DECLARED = threading.Event()


def declare() -> None:
    """Say, once and for good, that this process is repoint's own."""
    _DECLARED.set()


def declared() -> bool:
    """Return whether somebody said so."""
    return _DECLARED.is_set()
