"""Releases that somebody brings into step by hand, in this process and at this moment.

A worker of the same process would share the work, and gain nothing: the model and the
database are as busy with one as with both, each waits for ranges that the other holds, and
what the caller limits (a budget, a pace) would not hold. So it steps back until the caller has
ended. Between processes leases alone decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Final

from repoint.domain.ids import IndexName, ReleaseName

#: Seconds between two looks whether whoever waits is still wanted.
_LOOK_S: Final = 0.2


class ByHand:
    """Who is at work by hand. Safe to use from many threads."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._at_work: Counter[tuple[IndexName, ReleaseName]] = Counter()

    @contextmanager
    def on(self, index: IndexName, release: ReleaseName) -> Iterator[None]:
        """Let workers stay away from a release while the block runs; blocks may overlap."""
        with self._changed:
            self._at_work[index, release] += 1
        try:
            yield
        finally:
            with self._changed:
                self._at_work[index, release] -= 1
                self._changed.notify_all()

    def at(self, index: IndexName, release: ReleaseName) -> bool:
        """Return whether somebody is at work on a release."""
        return self._at_work[index, release] > 0

    def wait(
        self, index: IndexName, release: ReleaseName, *, unless: Callable[[], bool]
    ) -> None:
        """Return when nobody is at work on a release, or once ``unless`` holds."""
        with self._changed:
            while self._at_work[index, release] > 0 and not unless():
                self._changed.wait(_LOOK_S)
