"""Telemetry as evidence: what was counted while the pointer stood where, as plain values.

Histograms are told whole, so that whoever reads several bundles can add them up; percentiles
are beside them for people. Nothing of it names a question or a document.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from repoint.domain.document import Json
from repoint.domain.histogram import RELATIVE_ERROR, Histogram
from repoint.domain.ids import Epoch, IndexName, ReleaseName
from repoint.domain.pointer import Move
from repoint.domain.telemetry import UNKNOWN, ArmReading, Stage
from repoint.operations.telemetry.reading import merged
from repoint.ports.store import Transaction

#: How much of the epoch before a story, and of the one after it, is told.
_AROUND: Final = timedelta(days=1)
#: What is measured in milliseconds; everything else has a unit of its own.
_STAGES: Final = tuple(Stage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The time in which the pointer stood at one epoch, or the part of it that counts."""

    epoch: Epoch
    since: datetime
    until: datetime


def stretches(moves: Iterable[Move], *, first: Epoch, last: Epoch) -> Iterator[Stretch]:
    """Yield the epochs from the first to the last, a day of either of these at most."""
    began = {one.after.epoch: one.at for one in moves}
    for number in range(first, last + 1):
        since, until = began.get(Epoch(number)), began.get(Epoch(number + 1))
        if until is not None and number == first:
            since = max(since or until - _AROUND, until - _AROUND)
        if since is not None and number == last:
            until = min(until or since + _AROUND, since + _AROUND)
        if since is not None and until is not None:
            yield Stretch(epoch=Epoch(number), since=since, until=until)


def counted_in(
    view: Transaction,
    index: IndexName,
    epochs: Sequence[Stretch],
    *,
    releases: Collection[ReleaseName],
) -> list[Json]:
    """Return what was counted of these releases in each stretch, by release and arm.

    A period belongs to the stretch in which it begins, and to the first if it begins before
    that: ten seconds at first, an hour after a day. What came without it being known who
    answers is told with an empty release.
    """
    wanted = {*releases, UNKNOWN}
    rows: list[Json] = []
    for stretch in epochs:
        found = [
            one
            for one in view.telemetry.within(index, since=stretch.since, until=stretch.until)
            if (one.period.starts_at >= stretch.since or stretch is epochs[0])
            and one.period.release in wanted
        ]
        widest = max((one.period.width for one in found), default=timedelta(0))
        rows.append(
            {
                "epoch": stretch.epoch,
                "since": stretch.since.isoformat(),
                "until": stretch.until.isoformat(),
                "widest_period_s": widest.total_seconds(),
                "relative_error": RELATIVE_ERROR,
                "arms": [_arm(one) for one in merged(found)],
            }
        )
    return rows


def _arm(reading: ArmReading) -> Json:
    tally = reading.tally
    stages: dict[str, Json] = {}
    measures: dict[str, Json] = {}
    for name, histogram in sorted(tally.histograms.items()):
        into, unit = (stages, "_ms") if name in _STAGES else (measures, "")
        into[name] = _quantiles(histogram, unit=unit)
    return {
        "release": reading.release,
        "arm": reading.arm.value,
        "counts": dict(sorted(tally.counts.items())),
        "errors": dict(sorted(tally.errors.items())),
        "cost": tally.cost,
        "stages": stages,
        "measures": measures,
    }


def _quantiles(histogram: Histogram, *, unit: str) -> Json:
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {
        "count": histogram.count,
        f"mean{unit}": histogram.mean,
        **{f"{name}{unit}": histogram.quantile(share) for name, share in shares.items()},
        "histogram": histogram.as_tree(),
    }
