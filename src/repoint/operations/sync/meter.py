"""Counts what a sync does and tells how far it is."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from repoint.domain.release import Release
from repoint.operations.sync.values import Progress
from repoint.operations.sync.vectors import Vectors
from repoint.ports.clock import Clock

#: Seconds after which a change of speed counts for two thirds.
_MEMORY: Final = 10.0
#: Seconds between two calls of the callback.
_EVERY: Final = 0.2


class Meter:
    """Adds up one sync, from many threads; tells the callback in one at a time."""

    def __init__(
        self,
        release: Release,
        *,
        clock: Clock,
        total: int,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._release = release
        self._clock = clock
        self._progress = progress
        self._lock = threading.Lock()
        self._total = total
        self.began = clock.monotonic()
        self._seen = self._told = self.began
        self._speed = 0.0
        self.rows = self.tombstones = self.puts = 0
        self.embedded = self.reused = self.tokens = self.letters = 0

    def add(self, vectors: Vectors, *, tombstones: int, letters: int) -> None:
        """Count one slab that was written."""
        with self._lock:
            self.rows += vectors.rows
            self.tombstones += tombstones
            self.puts += 1
            self.embedded += vectors.embedded
            self.reused += vectors.reused
            self.tokens += vectors.tokens
            self.letters += letters
            now = self._clock.monotonic()
            self._measure(vectors.rows, now)
            if self._progress is not None and now - self._told >= _EVERY:
                self._told = now
                self._progress(self.progress())

    def finish(self) -> None:
        """Tell the callback how it ended."""
        with self._lock:
            if self._progress is not None and self.rows:
                self._progress(self.progress())

    def progress(self) -> Progress:
        """Return how far it is."""
        left = max(self._total - self.rows, 0)
        return Progress(
            index=self._release.index,
            release=self._release.name,
            done=self.rows,
            total=max(self._total, self.rows),
            rows_per_second=self._speed,
            remaining=timedelta(seconds=left / self._speed) if self._speed else None,
            tokens=self.tokens,
        )

    @property
    def seconds(self) -> float:
        """How long it has been going."""
        return self._clock.monotonic() - self.began

    def _measure(self, rows: int, now: float) -> None:
        passed = now - self._seen
        if passed <= 0:
            return
        self._seen = now
        # While it is young, the mean since the beginning says more than the last slab.
        mean = self.rows / (now - self.began)
        weight = 1 - math.exp(-passed / _MEMORY)
        recent = self._speed + weight * (rows / passed - self._speed)
        self._speed = mean if now - self.began < _MEMORY else recent
