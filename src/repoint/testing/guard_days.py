"""Days under guard on which nothing is wrong, simulated: what a guard says then is false.

The figures are those of a release that is exactly as good as its fallback, or that stands
exactly at a limit, which is the worst that is still right: questions that answer differently
and no worse on average, the same ones all day, with noise from look to look; failures and
empty answers at the very share that is allowed; latency under a load that wanders; a model that
is never quite the same twice. What looks
see overlaps, so they depend on each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from repoint.domain.gates import Outcome
from repoint.domain.policy import EmptyAnswersGate, Policy
from repoint.domain.triggers import (
    EmptyAnswersTrigger,
    GroundednessTrigger,
    IndexRecallTrigger,
    LatencyTrigger,
    MissingDocumentsTrigger,
    ModelDriftTrigger,
    ProviderErrorsTrigger,
    RelevanceTrigger,
)
from repoint.operations.evaluate.statistics import Floats
from repoint.operations.guard import figures
from repoint.operations.guard.figures import Bar, Judged
from repoint.operations.guard.traffic import Measured, Traffic

#: A look every five minutes.
LOOKS_A_DAY: Final = 288
GROUPS: Final = 10
QUERIES: Final = 300
#: Live questions between two looks; a window is three of these.
SERVED: Final = 150
_WINDOW: Final = 3

RELEVANCE: Final = RelevanceTrigger(groups=True, tolerance=0.02)
RECALL: Final = IndexRecallTrigger(minimum=0.9)
GROUNDED: Final = GroundednessTrigger(minimum=0.8, tolerance=0.02)
#: Answers whose verdicts count at a look.
ANSWERS: Final = 60
LATENCY: Final = LatencyTrigger(p50_ratio=1.3, p95_ratio=1.3)
ERRORS: Final = ProviderErrorsTrigger(share=0.02, rate_limited=0.01)
EMPTY: Final = EmptyAnswersTrigger(share=0.05)
MISSING: Final = MissingDocumentsTrigger(share=0.01)
DRIFT: Final = ModelDriftTrigger()
#: Of a release: ten texts and six questions.
PROBES: Final = 16
POLICY: Final = Policy(
    gates=(EmptyAnswersGate(),),
    triggers=(RELEVANCE, RECALL, GROUNDED, LATENCY, ERRORS, EMPTY, MISSING, DRIFT),
)


@dataclass(slots=True)
class Day:
    """One pair of equal releases, and the benchmark that compares them."""

    random: np.random.Generator
    #: What each question gains or loses for as long as the pair stands.
    lasting: Floats = field(init=False)
    #: The share of exact search's documents that each question finds.
    recall: Floats = field(init=False)
    #: What the passages support of each answer, and of the fallback's on its own day.
    grounded: Floats = field(init=False)
    grounded_before: Floats = field(init=False)
    #: Draws of its own, so that the others stay as they were.
    _judge: np.random.Generator = field(init=False)
    _before: Traffic = field(init=False)
    #: The widest distance of the rounds in which a noise band is measured.
    _band: float = field(init=False)
    _load: float = 0.0
    _served: deque[Floats] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    _failed: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    _empty: deque[int] = field(default_factory=lambda: deque(maxlen=_WINDOW))

    def __post_init__(self) -> None:
        """Draw what lasts."""
        random = self.random
        differs = random.random(QUERIES) < 0.4
        self.lasting = differs * random.normal(0.0, 0.3, QUERIES)
        self.recall = random.beta(9.0, 1.0, QUERIES)
        (self._judge,) = random.spawn(1)
        self.grounded = self._judge.beta(4.0, 1.0, ANSWERS)
        other = (self._judge.random(ANSWERS) < 0.3) * self._judge.normal(0.0, 0.3, ANSWERS)
        self.grounded_before = np.clip(self.grounded + other, 0.0, 1.0)
        self._band = float(random.exponential(1.0, 4 * PROBES).max())
        self._before = _traffic(self._latencies(5_000))

    def look(self, number: int) -> Iterator[Judged]:
        """Yield what a guard says at one look."""
        bar = figures.bar(POLICY, number, groups=GROUPS)
        self._pass_time()
        yield from self._relevance(bar)
        noisy = np.clip(self.recall + self.random.normal(0.0, 0.01, QUERIES), 0.0, 1.0)
        yield figures.index_recall(RECALL, noisy.tolist(), bar=bar)
        yield from self._groundedness(bar)
        now = _traffic(np.concatenate(self._served))
        yield from figures.latency(LATENCY, now, self._before, bar=bar)
        yield from self._rates(bar)
        yield self._drift(bar)

    def differences(self) -> list[Floats]:
        """Return the questions' differences at a look, all of them and group by group."""
        noise = (self.random.random(QUERIES) < 0.1) * self.random.normal(0.0, 0.1, QUERIES)
        now = np.clip(self.lasting + noise, -1.0, 1.0)
        return [now, *now.reshape(GROUPS, -1)]

    def _relevance(self, bar: Bar) -> Iterator[Judged]:
        for number, part in enumerate(self.differences()):
            yield figures.relevance(RELEVANCE, part, part=str(number or ""), bar=bar)

    def _groundedness(self, bar: Bar) -> Iterator[Judged]:
        """A judge that is not quite the same twice, of answers exactly at the floor."""
        noise = self._judge.normal(0.0, 0.05, ANSWERS)
        now = np.clip(self.grounded + noise, 0.0, 1.0)
        yield figures.floor(GROUNDED, now, 0.8, bar=bar)
        yield figures.groundedness(GROUNDED, now - self.grounded_before, 0.02, bar=bar)

    def _rates(self, bar: Bar) -> Iterator[Judged]:
        total = SERVED * len(self._failed)
        failed = sum(one for one, _ in self._failed)
        limited = sum(one for _, one in self._failed)
        for count, share in ((failed, ERRORS.share), (limited, ERRORS.rate_limited or 0.0)):
            yield figures.rate(
                ERRORS, "", count=count, total=total, share=share, minimum=20, bar=bar
            )
        empty = sum(self._empty)
        yield figures.rate(
            EMPTY, "", count=empty, total=total, share=EMPTY.share, minimum=50, bar=bar
        )
        wrong = int(self.random.binomial(MISSING.sample, MISSING.share))
        yield figures.rate(
            MISSING,
            "",
            count=wrong,
            total=MISSING.sample,
            share=MISSING.share,
            minimum=1,
            bar=bar,
        )

    def _drift(self, bar: Bar) -> Judged:
        """A model never quite the same: as far astray as in the rounds of its measuring."""
        distances = self.random.exponential(1.0, PROBES)
        times = distances / self._band
        return figures.drift(
            DRIFT,
            probes=PROBES,
            beyond=int((times > 1.0).sum()),
            times=float(times.max()),
            said="",
            bar=bar,
        )

    def _pass_time(self) -> None:
        random = self.random
        self._load = 0.9 * self._load + random.normal(0.0, 0.02)
        self._served.append(self._latencies(SERVED))
        limited = int(random.binomial(SERVED, ERRORS.rate_limited or 0.0))
        others = int(random.binomial(SERVED, ERRORS.share - (ERRORS.rate_limited or 0.0)))
        self._failed.append((limited + others, limited))
        self._empty.append(int(random.binomial(SERVED, EMPTY.share)))

    def _latencies(self, count: int) -> Floats:
        return np.asarray(self.random.lognormal(3.0 + self._load, 0.5, count), dtype=np.float64)


def alarm_at(day: Day, looks: int) -> int | None:
    """Return the first look at which the guard acts on nothing; None when it never does."""
    for number in range(1, looks + 1):
        if any(one.outcome is Outcome.FAIL for one in day.look(number)):
            return number
    return None


def alarm_days(random: np.random.Generator, *, days: int, looks: int) -> int:
    """Return on how many of so many days the guard acts on nothing."""
    return sum(alarm_at(Day(random), looks) is not None for _ in range(days))


def _traffic(latencies: Floats) -> Traffic:
    values: Sequence[float] = latencies.tolist()
    return Traffic(
        asked=len(values), empty=0, failed=0, rate_limited=0, latencies=Measured(values)
    )
