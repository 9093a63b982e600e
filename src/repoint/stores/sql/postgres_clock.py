"""The server's time, told by this machine's clock.

Leases are compared by machines whose clocks differ. They all tell the time of the one
server that they share: each look at the server's clock bounds how far this machine's is
off, and that difference is added. The error is at most the time that the last look took to
travel, plus what this machine's clock drifted since.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from repoint.ports.clock import Clock


class ServerClock:
    """``ports.clock.Clock`` whose ``now`` is the server's. Safe to use from many threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._offset = timedelta()
        #: How long the last look took: no moment it tells is further off than that.
        self.bound = timedelta.max

    @property
    def local(self) -> Clock:
        """This machine's own clock."""
        return self._clock

    @property
    def offset(self) -> timedelta:
        """How much the server's clock is ahead of this machine's."""
        return self._offset

    def now(self) -> datetime:
        """Return the server's present time, in UTC."""
        return self._clock.now() + self._offset

    def monotonic(self) -> float:
        """Return seconds that never run backwards, of this machine."""
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        self._clock.sleep(seconds)

    def saw(self, server: datetime, *, asked: datetime, answered: datetime) -> None:
        """Take note of the server's time, which was told between two of ours.

        The offset is kept where it agrees, so that ``now`` does not jitter.
        """
        least, most = server - answered, server - asked
        with self._lock:
            self._offset = min(max(self._offset, least), most)
            self.bound = answered - asked
