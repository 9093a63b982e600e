"""Live questions, as repoint's own telemetry counted them over all processes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from repoint.domain.canary import Canary
from repoint.domain.ids import IndexName
from repoint.domain.release import Release
from repoint.domain.telemetry import Arm, Count, Stage, Tally
from repoint.operations import telemetry
from repoint.operations.guard.traffic import Traffic
from repoint.operations.session import Session

#: How far back the fallback's own time is looked at.
_BEFORE: Final = timedelta(days=1)


def of_active(session: Session, release: Release, *, since: datetime) -> Traffic:
    """Return what came of the questions that a release was asked since then, as the active."""
    window = telemetry.read(session, release.index, since=since)
    return _traffic(window.of(release.name, Arm.ACTIVE))


def of_canary(
    session: Session, canary: Canary, index: IndexName, *, since: datetime
) -> Traffic:
    """Return what came of the questions that a canary's candidate answered since then."""
    arms = (Arm.INTERLEAVED,) if canary.interleaved else (Arm.CANARY, Arm.PINNED)
    window = telemetry.read(session, index, since=since)
    asked = Tally()
    for arm in arms:
        asked.merge(window.of(canary.release, arm))
    return _traffic(asked)


def before(session: Session, release: Release, *, until: datetime) -> Traffic | None:
    """Return what came of its questions on the last day that it was active."""
    window = telemetry.read(session, release.index, since=until - _BEFORE, until=until)
    found = _traffic(window.of(release.name, Arm.ACTIVE))
    return found if found.asked else None


def _traffic(tally: Tally) -> Traffic:
    return Traffic(
        # What was refused is the fault of whoever asked, and says nothing of the release.
        asked=tally.count(Count.QUERIES) - tally.count(Count.REFUSED),
        empty=tally.count(Count.EMPTY),
        failed=tally.count(Count.FAILED),
        rate_limited=tally.count(Count.RATE_LIMITED),
        latencies=tally.histogram(Stage.TOTAL.value),
        cost=tally.cost if tally.count(Count.TOKENS) else None,
    )
