"""The real clock and the real source of fresh identifiers."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present time, in UTC, with its zone."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.perf_counter()

    def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        time.sleep(seconds)


class RandomIds:
    """Random identifiers of 122 bits."""

    def new(self) -> str:
        """Return a fresh identifier."""
        return uuid.uuid4().hex
