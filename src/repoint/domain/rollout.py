"""The rollout's state machine, as one table.

A rollout is one release's way towards the pointer and, if need be, back. The table knows
no data: whether an event may happen is judged by ``domain.readiness`` beforehand. Freezing
is no phase: it is a flag of the index that forbids the events in ``FORWARD``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from repoint.domain.errors import TransitionRefusedError


class Phase(StrEnum):
    """Where a rollout stands."""

    #: The candidate is brought into step and judged, also by a canary's share of queries.
    PREPARING = "preparing"
    #: The candidate answers; the fallback is still written and ready.
    SOAKING = "soaking"
    #: The soak ended well, or there was nothing to fall back to.
    ACCEPTED = "accepted"
    #: The pointer went back to the fallback.
    ROLLED_BACK = "rolled_back"
    #: It ended before any move.
    ABORTED = "aborted"


class Event(StrEnum):
    """What happens to a rollout."""

    #: The first release of an index is promoted: there is no fallback, hence no soak.
    ACTIVATE = "activate"
    PROMOTE = "promote"
    ROLL_BACK = "roll_back"
    ACCEPT = "accept"
    ABORT = "abort"
    #: The candidate answers a share of live queries, or a larger one.
    CANARY = "canary"
    #: It answers a smaller share, or none any more.
    END_CANARY = "end_canary"


TRANSITIONS: Final[Mapping[tuple[Phase, Event], Phase]] = MappingProxyType(
    {
        (Phase.PREPARING, Event.ACTIVATE): Phase.ACCEPTED,
        (Phase.PREPARING, Event.PROMOTE): Phase.SOAKING,
        (Phase.PREPARING, Event.ABORT): Phase.ABORTED,
        (Phase.PREPARING, Event.CANARY): Phase.PREPARING,
        (Phase.PREPARING, Event.END_CANARY): Phase.PREPARING,
        (Phase.PREPARING, Event.ROLL_BACK): Phase.ROLLED_BACK,
        (Phase.SOAKING, Event.ROLL_BACK): Phase.ROLLED_BACK,
        (Phase.SOAKING, Event.ACCEPT): Phase.ACCEPTED,
    }
)

#: Events that a freeze forbids.
FORWARD: Final = frozenset({Event.ACTIVATE, Event.PROMOTE, Event.ACCEPT, Event.CANARY})

#: Phases in which a rollout is over; a new one may be opened.
FINAL: Final = frozenset({Phase.ACCEPTED, Phase.ROLLED_BACK, Phase.ABORTED})


def after(phase: Phase, event: Event) -> Phase:
    """Return the phase that the event leads to.

    Raises:
        TransitionRefusedError: the table has no such row.
    """
    try:
        return TRANSITIONS[phase, event]
    except KeyError:
        raise TransitionRefusedError(phase=phase, event=event) from None
