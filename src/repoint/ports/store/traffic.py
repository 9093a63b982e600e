"""What live queries leave behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from repoint.domain.ids import Epoch, IndexName, ProcessId
from repoint.domain.shadow import Shadow
from repoint.domain.telemetry import Arm, Period, Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one process counted in one period; an empty process is several, added up."""

    period: Period
    process: ProcessId
    tally: Tally


class Telemetry(Protocol):
    """Tallies by period and process."""

    def put(self, measured: Sequence[Measured]) -> None:
        """Store tallies, each in place of the one of its period and process [put-replaces].

        Raises:
            NotFoundError: no such index; nothing was stored.
        """
        ...

    def within(self, index: IndexName, *, since: datetime, until: datetime) -> list[Measured]:
        """Return what lies in periods that overlap the stretch, in the order of their starts.

        The period without an end is left out.
        """
        ...

    def of_all_time(self, index: IndexName) -> list[Measured]:
        """Return what lies in the periods without an end."""
        ...

    def ended(self, *, width: timedelta, before: datetime, limit: int) -> list[Measured]:
        """Return the oldest periods of a width that ended by then, over all indexes."""
        ...

    def at(self, period: Period) -> list[Measured]:
        """Return what the processes counted in one period."""
        ...

    def remove(self, measured: Sequence[Measured]) -> None:
        """Forget these tallies; one that is not there is no error."""
        ...


class Shadows(Protocol):
    """Which releases get live queries as well; at most one an index."""

    def get(self, index: IndexName) -> Shadow | None:
        """Return the index's shadow, None when it has none."""
        ...

    def put(self, shadow: Shadow) -> None:
        """Let it be the index's shadow, in place of any other.

        Raises:
            NotFoundError: no such release.
        """
        ...

    def remove(self, index: IndexName) -> None:
        """Let the index have none; twice is no error."""
        ...


class Feedback(Protocol):
    """What came back of answers that were given while a canary was on."""

    def keep_secret(self, index: IndexName, secret: str) -> None:
        """Let answers of the index be signed with it; the first one stays [secret-stays]."""
        ...

    def secret(self, index: IndexName) -> bytes | None:
        """Return what answers are signed with, None before the first canary."""
        ...

    def add(
        self,
        index: IndexName,
        *,
        since: Epoch,
        unit: str,
        arm: Arm,
        outcome: float,
        at: datetime,
    ) -> bool:
        """Record an outcome; False when the unit has one already, which stays [once]."""
        ...

    def outcomes(self, index: IndexName, *, since: Epoch) -> list[tuple[Arm, float]]:
        """Return the outcomes of one canary, in the order in which they came."""
        ...
