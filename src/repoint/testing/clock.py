"""A clock that only moves when it is told to, or when somebody sleeps on it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Final

#: When every frozen clock begins.
NOON: Final = datetime(2030, 1, 1, 12, tzinfo=UTC)


class FrozenClock:
    """``ports.clock.Clock`` without time of its own: sleeping takes none and moves it on."""

    def __init__(self, at: datetime = NOON) -> None:
        self._lock = threading.Lock()
        self._at = at
        self._began = at

    def now(self) -> datetime:
        """Return the moment at which it stands."""
        with self._lock:
            return self._at

    def monotonic(self) -> float:
        """Return the seconds since it was made."""
        with self._lock:
            return (self._at - self._began).total_seconds()

    def sleep(self, seconds: float) -> None:
        """Move on at once, by a microsecond at least: a shorter rest of a wait ends too."""
        self.advance(max(timedelta(seconds=seconds), timedelta.resolution))

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        with self._lock:
            self._at += by
