"""Time and chance, so that nothing in repoint reads them on its own."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time and lets it pass."""

    def now(self) -> datetime:
        """Return the present time, in UTC, with its zone."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards, comparable within one process only."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        ...


class Ids(Protocol):
    """Makes names that nobody else makes."""

    def new(self) -> str:
        """Return a fresh identifier of 32 hexadecimal digits."""
        ...
