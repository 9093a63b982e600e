"""What was noticed between two commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from repoint.domain.alarm import Alarm
    from repoint.domain.ids import IndexName, ReleaseName


class Alarms(Protocol):
    """Alarms that are not over; one a release, check and machine."""

    def sound(self, alarm: Alarm) -> bool:
        """Record it, or that it was seen again; return whether it is new [first-seen-stays]."""
        ...

    def end(self, index: IndexName, release: ReleaseName, *, check: str, host: str) -> bool:
        """Forget an alarm that is over; False when there was none."""
        ...

    def all(self, index: IndexName, *, now: datetime) -> list[Alarm]:
        """Return those that were seen within ``FORGOTTEN_AFTER``, the oldest first."""
        ...
