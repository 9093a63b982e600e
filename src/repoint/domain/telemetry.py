"""What is measured of live queries: for each release and arm, in periods of time.

A ``Tally`` is everything counted in one period; tallies are merged by adding up, so processes
count each for themselves and nobody needs to know how many there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, cast

from repoint.domain.document import Json
from repoint.domain.histogram import Histogram
from repoint.domain.ids import IndexName, ReleaseName


class Arm(StrEnum):
    """Why a release was asked a live query."""

    #: It answers for the index.
    ACTIVE = "active"
    #: It answers a canary's share of the keys.
    CANARY = "canary"
    #: It answers as many keys in place of what is active, from caches as new as a canary's.
    BASELINE = "baseline"
    #: It answers keys of a canary for which there is no baseline of equal size.
    PINNED = "pinned"
    #: Its answers and the candidate's are in one list.
    INTERLEAVED = "interleaved"
    #: It was asked as well, and nobody was given its answer.
    SHADOW = "shadow"


class Stage(StrEnum):
    """A part of answering one query; its histogram is in milliseconds."""

    EMBED = "embed"
    SEARCH = "search"
    RERANK = "rerank"
    #: From the question to the stamped answer, the route included.
    TOTAL = "total"


class Measure(StrEnum):
    """What is measured of a shadow's answer beside the served one."""

    #: The share of documents that both have, down to the depth that was asked for.
    OVERLAP = "overlap"
    #: Rank-biased overlap: 1 where the rankings are equal.
    RBO = "rbo"
    #: The best hit's score less that of the served answer; spaces have scales of their own.
    SCORE_DIFFERENCE = "score_difference"
    #: Milliseconds longer than the served answer took.
    LATENCY_DIFFERENCE = "latency_difference"


class Count(StrEnum):
    """What is counted."""

    #: Questions that were asked, whatever came of them.
    QUERIES = "queries"
    #: Answers without a single hit.
    EMPTY = "empty"
    #: Questions without an answer, through no fault of who asked.
    FAILED = "failed"
    #: Questions that were refused: a filter on no field, no text, and the like.
    REFUSED = "refused"
    #: Failures in which a provider asked to slow down.
    RATE_LIMITED = "rate_limited"
    #: Questions that went to the model, because no cache had their vector.
    EMBEDDED = "embedded"
    #: Tokens of those, where the spec names a price.
    TOKENS = "tokens"
    #: Questions that a shadow was not asked: its queue was full, or it was never quiet.
    DROPPED = "dropped"
    #: Questions that are in no other figure: a process could not keep up, or not flush.
    LOST = "lost"


#: Stands for the release where an error came before it was known who answers.
UNKNOWN: Final = ReleaseName("")

#: All time: the period that the oldest ones are added to in the end.
ALL_TIME: Final = timedelta(0)
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """One release in one arm for a stretch of time."""

    index: IndexName
    release: ReleaseName
    arm: Arm
    starts_at: datetime
    #: ``ALL_TIME`` is the period without an end.
    width: timedelta

    @staticmethod
    def around(
        index: IndexName, release: ReleaseName, arm: Arm, *, at: datetime, width: timedelta
    ) -> Period:
        """Return the period of that width in which the moment lies."""
        starts_at = _BEGINNING
        if width != ALL_TIME:
            starts_at = at - (at - _BEGINNING) % width
        return Period(index=index, release=release, arm=arm, starts_at=starts_at, width=width)

    def within(self, width: timedelta) -> Period:
        """Return the wider period that this one is a part of."""
        return Period.around(self.index, self.release, self.arm, at=self.starts_at, width=width)

    @property
    def ends_at(self) -> datetime:
        """The first moment after it."""
        return self.starts_at + self.width


@dataclass(slots=True, kw_only=True)
class Tally:
    """Everything counted in one period."""

    counts: Counter[str] = field(default_factory=Counter)
    #: Errors by their code, refusals included.
    errors: Counter[str] = field(default_factory=Counter)
    #: What the tokens cost, in the currency of the specs' prices.
    cost: float = 0.0
    #: By stage in milliseconds, and by the name of any other measure.
    histograms: dict[str, Histogram] = field(default_factory=dict)

    def count(self, what: Count) -> int:
        """Return how often something happened."""
        return self.counts[what]

    def share(self, what: Count) -> float:
        """Return in which share of all queries it happened; 0 without any query."""
        asked = self.counts[Count.QUERIES]
        return self.counts[what] / asked if asked else 0.0

    def histogram(self, name: str) -> Histogram:
        """Return a stage's or measure's histogram; an empty one when it was never measured."""
        return self.histograms.get(name) or Histogram()

    def measure(self, name: str, value: float) -> None:
        """Put a value into the histogram of that name."""
        found = self.histograms.get(name)
        if found is None:
            found = self.histograms[name] = Histogram()
        found.add(value)

    def merge(self, other: Tally) -> None:
        """Count everything that the other has counted."""
        self.counts.update(other.counts)
        self.errors.update(other.errors)
        self.cost += other.cost
        for name, histogram in other.histograms.items():
            self.histograms.setdefault(name, Histogram()).merge(histogram)

    def as_tree(self) -> dict[str, Json]:
        """Return what ``from_tree`` makes the same tally of."""
        return {
            "counts": dict(self.counts),
            "errors": dict(self.errors),
            "cost": self.cost,
            "histograms": {name: one.as_tree() for name, one in self.histograms.items()},
        }

    @staticmethod
    def from_tree(tree: Mapping[str, Json]) -> Tally:
        """Return the tally that ``as_tree`` described."""
        return Tally(
            counts=Counter(cast("dict[str, int]", tree["counts"])),
            errors=Counter(cast("dict[str, int]", tree["errors"])),
            cost=float(cast("float", tree["cost"])),
            histograms={
                name: Histogram.from_tree(one)
                for name, one in cast("dict[str, Json]", tree["histograms"]).items()
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmReading:
    """What a stretch of time has of one release in one arm, over all processes."""

    release: ReleaseName
    arm: Arm
    tally: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What was measured of an index between two moments."""

    index: IndexName
    #: Whole periods are counted, so this may lie a little before what was asked for.
    since: datetime
    until: datetime
    #: Releases by name, arms in the order of their enumeration.
    arms: tuple[ArmReading, ...]

    def of(self, release: ReleaseName, arm: Arm) -> Tally:
        """Return one release's tally in one arm; an empty one when it was never asked."""
        for reading in self.arms:
            if (reading.release, reading.arm) == (release, arm):
                return reading.tally
        return Tally()

    def release(self, release: ReleaseName) -> Tally:
        """Return one release's tally over all arms."""
        merged = Tally()
        for reading in self.arms:
            if reading.release == release:
                merged.merge(reading.tally)
        return merged
