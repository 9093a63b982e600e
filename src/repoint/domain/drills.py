"""Drills: a promotion and its rollback rehearsed, with the time of each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from repoint.domain.ids import Actor, Epoch, Fingerprint, IndexName, ReleaseName
from repoint.domain.readiness import Finding, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillStep:
    """One step of what a rollback does, and how long it took in the rehearsal."""

    step: str
    seconds: float
    #: What was done, with its figure.
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A rehearsal: which release was left for which, how long it took, what was found."""

    index: IndexName
    #: Counts the drills of an index, from 1.
    number: int
    epoch: Epoch
    at: datetime
    actor: Actor
    #: What would answer and be left again: the candidate before a promotion, else the active.
    ahead: ReleaseName
    ahead_fingerprint: Fingerprint
    #: What the rollback would bring back.
    back: ReleaseName
    back_fingerprint: Fingerprint
    ready: bool
    #: What a rollback would take by these figures, its replay included.
    rollback_seconds: float
    steps: Sequence[DrillStep]
    findings: Sequence[Finding]


def readiness(
    newest: Drill | None,
    *,
    index: IndexName,
    ahead: tuple[ReleaseName, Fingerprint],
    back: tuple[ReleaseName, Fingerprint],
    max_age: timedelta,
    now: datetime,
) -> Finding:
    """Return whether a fresh drill of exactly these two releases found them ready."""
    remedy = f"rehearse it: repoint drill {index} {ahead[0]}"
    if newest is None:
        return _not(f"nobody rehearsed the way from {ahead[0]} back to {back[0]}", remedy)
    drilled = (
        (newest.ahead, newest.ahead_fingerprint),
        (newest.back, newest.back_fingerprint),
    )
    if drilled != (ahead, back):
        return _not(
            f"drill {newest.number} rehearsed {newest.ahead} and {newest.back}, not "
            f"{ahead[0]} and {back[0]} as they are now",
            remedy,
        )
    hours = (now - newest.at).total_seconds() / 3600
    if not newest.ready:
        return _not(f"drill {newest.number} found that they are not ready", remedy)
    if now - newest.at > max_age:
        allowed = max_age.total_seconds() / 3600
        return _not(
            f"drill {newest.number} is {hours:.1f} hours old, more than {allowed:g}", remedy
        )
    return Finding(
        check="readiness",
        status=Status.OK,
        summary=f"drill {newest.number} went back from {ahead[0]} to {back[0]} in "
        f"{newest.rollback_seconds:.2f} s, {hours:.1f} hours ago",
        figures={"drill": newest.number, "hours": round(hours, 3)},
    )


def _not(why: str, remedy: str) -> Finding:
    return Finding(check="readiness", status=Status.FAILED, summary=why, remedy=remedy)
