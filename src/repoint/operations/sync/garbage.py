"""Look for garbage less often while a sync makes many objects that live for a moment.

Rows, chunks and entries are no cycles and go by themselves, but each few hundred of them make
the interpreter look, and now and then go through everything that the process holds. That was
half of the time that reading the log took.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

#: New objects between two looks at them; the interpreter's default is some hundreds.
_SELDOM: Final = 50_000


class _Looks:
    """How often the interpreter looks, which is one setting for the whole process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._wanted = 0
        self._before = (0, 0, 0)

    def fewer(self) -> None:
        """Look seldom from now on, unless somebody has it look more seldom or never."""
        with self._lock:
            self._wanted += 1
            if self._wanted == 1:
                self._before = gc.get_threshold()
                if 0 < self._before[0] < _SELDOM:
                    gc.set_threshold(_SELDOM, *self._before[1:])

    def usual(self) -> None:
        """Look as before, once nobody wants it otherwise; what others set meanwhile stays."""
        with self._lock:
            self._wanted -= 1
            if not self._wanted and gc.get_threshold() == (_SELDOM, *self._before[1:]):
                gc.set_threshold(*self._before)


_LOOKS: Final = _Looks()


@contextmanager
def seldom() -> Iterator[None]:
    """Have the interpreter look for garbage less often while the block runs."""
    _LOOKS.fewer()
    try:
        yield
    finally:
        _LOOKS.usual()
