"""How a canary stands: what its arms measured, and what may be said of the candidate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from repoint.domain.access import Action
from repoint.domain.canary import Canary
from repoint.domain.ids import Epoch, IndexName, ReleaseName
from repoint.domain.sequential import ALPHA, Decision, of_arms, of_preferences
from repoint.domain.telemetry import Arm, ArmReading, Window
from repoint.operations import telemetry
from repoint.operations.session import Session, authorise

_APART: Final = frozenset({Arm.CANARY, Arm.BASELINE, Arm.PINNED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One canary as it stands."""

    index: IndexName
    active: ReleaseName
    canary: Canary
    epoch: Epoch
    began: datetime
    #: What was measured since it began.
    window: Window
    decision: Decision

    def arms(self) -> list[ArmReading]:
        """Return what was measured of the arms that take part."""
        arms = {Arm.INTERLEAVED} if self.canary.interleaved else _APART
        return [one for one in self.window.arms if one.arm in arms]


def show(session: Session, index: IndexName, *, alpha: float = ALPHA) -> Trial | None:
    """Return how the canary stands, None when there is none.

    The decision may be looked at as often as one likes: see ``domain.sequential``. ``alpha``
    is how often, over a whole canary, a difference is announced where there is none.
    """
    authorise(session, Action.READ, index)
    with session.store.read() as view:
        moves = view.pointers.moves(index)
        pointer = view.pointers.pointer(index)
        canary = pointer.canary
        if canary is None or pointer.active is None:
            return None
        began = next(move.at for move in moves if move.after.epoch == canary.since)
        outcomes = view.feedback.outcomes(index, since=canary.since)
    if canary.interleaved:
        decision = of_preferences((outcome for _, outcome in outcomes), alpha=alpha)
    else:
        pairs = ((arm is Arm.CANARY, outcome) for arm, outcome in outcomes)
        decision = of_arms(pairs, alpha=alpha)
    # Whole periods count, and one that began before the canary has nothing of its arms.
    window = telemetry.read(session, index, since=began - timedelta(seconds=1))
    return Trial(
        index=index,
        active=pointer.active,
        canary=canary,
        epoch=pointer.epoch,
        began=began,
        window=window,
        decision=decision,
    )
