"""Who is writing which documents, within this process.

The database compares no LSNs, so nothing may come between reading what stands and writing:
two writers of one document take turns, those of different documents go on side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Condition, Lock
from typing import Final
from weakref import WeakValueDictionary

from repoint.domain.ids import DocumentId


class Writers:
    """The writers of one class, or of one tenant's share of it."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._busy: set[DocumentId] = set()
        #: Who writes, or waits to write, while nobody else does.
        self._alone = 0

    @contextmanager
    def of(self, documents: Iterable[DocumentId]) -> Iterator[None]:
        """Be the only writer of these documents while the block runs."""
        names = set(documents)
        with self._changed:
            self._changed.wait_for(lambda: not self._alone and self._busy.isdisjoint(names))
            self._busy |= names
        try:
            yield
        finally:
            with self._changed:
                self._busy -= names
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only writer at all while the block runs; nobody new begins meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._alone += 1
            self._changed.wait_for(lambda: not self._busy)
        try:
            yield
        finally:
            with self._changed:
                self._alone -= 1
                self._changed.notify_all()


_WRITERS: Final[WeakValueDictionary[str, Writers]] = WeakValueDictionary()
_LOCK: Final = Lock()


def writers_of(name: str) -> Writers:
    """Return the writers of a class, whoever opened it; they live as long as somebody does."""
    with _LOCK:
        return _WRITERS.setdefault(name, Writers())
