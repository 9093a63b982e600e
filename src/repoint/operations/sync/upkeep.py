"""When a collection's indexes are brought up to date and its fragments put together."""

from __future__ import annotations

import threading
from typing import Final

from repoint.domain.errors import UnavailableError
from repoint.operations.sync.values import Limits
from repoint.ports.backend import Collection

#: Writes after which it is worth asking how much the approximate index lacks.
_ASK: Final = 32
#: Chunks without an index that slow searches down.
_UNINDEXED: Final = 20_000
#: In the middle of a backfill: what one more round of putting together is worth, as a part of
#: all writes so far, since a round reads again what earlier rounds wrote; and the most times
#: the least number of writes, since a write goes through all that was not put together.
_PART: Final = 0.5
_MOST: Final = 4


class Upkeep:
    """Counts what was written since one collection was last optimised.

    Kept over many small syncs by a follower, so that none of them pays for it alone.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Writes since anything was put together, and rows since the searches' indexes were.
        self._puts = self._rows = self._asked = 0
        #: Writes since the searches' indexes were brought up to date.
        self._all = 0

    def wrote(self, rows: int) -> None:
        """Count one write."""
        with self._lock:
            self._puts += 1
            self._all += 1
            self._rows += rows

    def under_way(self, collection: Collection, limits: Limits) -> None:
        """Put fragments together where too many piled up, in the middle of a backfill."""
        least = limits.optimise_puts
        if self._puts >= max(least, min(self._all * _PART, least * _MOST)):
            self._optimise(collection, for_search=False)

    def at_the_head(self, collection: Collection, limits: Limits) -> None:
        """Bring everything up to date, where that is worth its time."""
        if self._rows >= limits.optimise_rows or self._puts >= limits.optimise_puts:
            self._optimise(collection)
        elif self._puts - self._asked >= _ASK:
            self._asked = self._puts
            if (collection.counts().unindexed or 0) >= _UNINDEXED:
                self._optimise(collection)

    def _optimise(self, collection: Collection, *, for_search: bool = True) -> None:
        try:
            collection.optimise(for_search=for_search)
        except UnavailableError:
            # Other writers were in its way, or the database is gone: searches are right
            # without it, only slower. The counts stand, so the next occasion tries again.
            return
        with self._lock:
            self._puts = self._asked = 0
            if for_search:
                self._rows = self._all = 0
