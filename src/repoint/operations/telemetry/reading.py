"""Reading telemetry back: merged over processes, for a stretch of time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from repoint.domain.access import Action
from repoint.domain.ids import IndexName, ReleaseName
from repoint.domain.telemetry import Arm, ArmReading, Tally, Window
from repoint.operations.session import Session, authorise
from repoint.ports.store.traffic import Measured

_ORDER: Final = tuple(Arm)
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


def read(
    session: Session, index: IndexName, *, since: datetime, until: datetime | None = None
) -> Window:
    """Return what was measured since then, by release and arm.

    Periods are counted whole: the newest are ten seconds wide, older ones wider, and the
    window says from when on it counts.

    Raises:
        NotFoundError: no such index.
    """
    authorise(session, Action.READ, index)
    upto = until or session.clock.now()
    with session.store.read() as view:
        view.indexes.require(index)
        found = view.telemetry.within(index, since=since, until=upto)
    first = min([since, *(one.period.starts_at for one in found)])
    return Window(index=index, since=first, until=upto, arms=merged(found))


def totals(session: Session, index: IndexName) -> Window:
    """Return everything that was ever measured: figures that only rise.

    Raises:
        NotFoundError: no such index.
    """
    authorise(session, Action.READ, index)
    now = session.clock.now()
    with session.store.read() as view:
        view.indexes.require(index)
        found = view.telemetry.within(index, since=_BEGINNING, until=now)
        found += view.telemetry.of_all_time(index)
    return Window(index=index, since=_BEGINNING, until=now, arms=merged(found))


def merged(found: Iterable[Measured]) -> tuple[ArmReading, ...]:
    """Return what was counted by release and arm, over all periods and processes."""
    tallies: dict[tuple[ReleaseName, Arm], Tally] = {}
    for one in found:
        key = (one.period.release, one.period.arm)
        tallies.setdefault(key, Tally()).merge(one.tally)
    return tuple(
        ArmReading(release=release, arm=arm, tally=tally)
        for (release, arm), tally in sorted(
            tallies.items(), key=lambda item: (item[0][0], _ORDER.index(item[0][1]))
        )
    )
