"""Bringing a release into step as part of a move: no pace is heeded, nobody is waited for."""

from __future__ import annotations

from datetime import timedelta

from repoint.operations import acknowledge
from repoint.operations.session import Session
from repoint.operations.spaces import Space
from repoint.operations.sync import Limits, PendingDeletes, sync
from repoint.operations.sync import apply_deletes_first as deletes_first


def catch_up(session: Session, space: Space, *, within: timedelta | None = None) -> int:
    """Bring a release to the head as of now, and return the log rows applied.

    ``within`` ends it after that time, between two batches; what was applied stays.

    Raises:
        UnavailableError: the model or the database did not answer; what was applied stays.
    """
    acknowledge.sweep(session)
    clock = session.clock
    deadline = clock.monotonic() + (within.total_seconds() if within else 0.0)
    release = space.release
    with session.spaces.by_hand.on(release.index, release.name):
        report = sync(
            session.store,
            # What goes into the collection never goes over a bridge.
            session.spaces.own(release),
            owner=session.process.id,
            clock=session.clock,
            limits=Limits(heed_pace=False),
            stop=None if within is None else lambda: clock.monotonic() >= deadline,
        )
    return report.rows


def apply_deletes_first(session: Session, space: Space) -> PendingDeletes:
    """Apply every pending delete, before any pending edit (INV-6)."""
    return deletes_first(session.store, space)
