"""Keeping telemetry small: periods get wider as they get older, and in the end have no end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from repoint.domain.ids import ProcessId
from repoint.domain.telemetry import ALL_TIME, Period, Tally
from repoint.ports.store import Transaction
from repoint.ports.store.traffic import Measured

#: The width in which everything is counted at first.
FINEST: Final = timedelta(seconds=10)
#: Rows that are added up in one transaction, so that nobody waits long for the store.
_BATCH: Final = 2_000
#: Stands for the processes that were added up.
_ALL: Final = ProcessId("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """How long periods of one width are kept, and the width they are then added up to."""

    width: timedelta
    kept: timedelta
    then: timedelta


#: For one release in one arm at most 360 periods a process, then 144, then 720, then one.
TIERS: Final = (
    Tier(width=FINEST, kept=timedelta(hours=1), then=timedelta(minutes=10)),
    Tier(width=timedelta(minutes=10), kept=timedelta(days=1), then=timedelta(hours=1)),
    Tier(width=timedelta(hours=1), kept=timedelta(days=30), then=ALL_TIME),
)


def widen(tx: Transaction, *, now: datetime) -> int:
    """Add up what is old enough, over all indexes; return how many rows that took in."""
    taken = 0
    for tier in TIERS:
        old = tx.telemetry.ended(width=tier.width, before=now - tier.kept, limit=_BATCH)
        sums: dict[Period, Tally] = {}
        for one in old:
            sums.setdefault(one.period.within(tier.then), Tally()).merge(one.tally)
        for period, tally in sums.items():
            for before in tx.telemetry.at(period):
                tally.merge(before.tally)
        tx.telemetry.put(
            [
                Measured(period=period, process=_ALL, tally=tally)
                for period, tally in sums.items()
            ]
        )
        tx.telemetry.remove(old)
        taken += len(old)
    return taken
