"""Turns of the writers of one process, for a database that compares nothing by itself.

Between looking at what stands and writing over it nobody else may write the same documents.
This keeps out the writers of this process, whichever handle they have; those of others are
not kept out, which such a backend declares (``Capabilities.conditional_writes``).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from threading import Condition, Lock
from typing import Final

from repoint.domain.ids import DocumentId


class Turns:
    """Documents that are being written. Safe to use from many threads."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._busy: set[DocumentId] = set()

    @contextmanager
    def of(self, documents: Iterable[DocumentId]) -> Iterator[None]:
        """Wait until nobody writes any of these, and keep others away meanwhile."""
        mine = frozenset(documents)
        with self._changed:
            self._changed.wait_for(lambda: self._busy.isdisjoint(mine))
            self._busy |= mine
        try:
            yield
        finally:
            with self._changed:
                self._busy -= mine
                self._changed.notify_all()


# A lock works only for those who share it: this is one for the process, as its writers are.
_KNOWN: Final[dict[Hashable, Turns]] = {}
_KNOWING: Final = Lock()


def turns_at(place: Hashable) -> Turns:
    """Return the turns of everybody in this process who writes to the same place."""
    with _KNOWING:
        return _KNOWN.setdefault(place, Turns())
