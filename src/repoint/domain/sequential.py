"""What one may say at any time, however often one has looked before.

A confidence sequence is an interval for every number of observations at once: with
probability ``1 - alpha`` *all* of them hold the mean. So it may be looked at after every
observation, and one may stop whenever it is clear, which a repeated t-test does not allow.
This one is the predictable plug-in empirical-Bernstein sequence: Waudby-Smith and Ramdas,
"Estimating means of bounded random variables by betting", JRSS B 86(1), 2024, theorem 2. It
asks only that values are between 0 and 1 and that each one's mean, given those before it,
is what is estimated; nothing of their distribution.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: How often, over a whole experiment, a difference is announced where there is none.
ALPHA: Final = 0.01
#: No bet is larger than this: the paper's ``c``.
_LARGEST_BET: Final = 0.5


class Verdict(StrEnum):
    """What is known of the candidate."""

    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "no difference yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What may be said after all observations so far."""

    verdict: Verdict
    #: After so many observations it was clear; None while it is not.
    decided_at: int | None
    #: What is estimated, and the confidence sequence's present interval for it.
    estimate: float
    low: float
    high: float
    #: What it would be without any difference.
    null: float
    observations: int
    alpha: float


class ConfidenceSequence:
    """The running interval of one mean; each value is added once, in order."""

    __slots__ = ("_bets", "_bonus", "_log", "_spread", "_sum", "_weighted", "count")

    def __init__(self, alpha: float) -> None:
        self._log = math.log(2 / alpha)
        self.count = 0
        self._sum = 0.0
        self._spread = 0.25
        self._bets = 0.0
        self._weighted = 0.0
        self._bonus = 0.0

    def add(self, value: float) -> None:
        """Take in one value between 0 and 1.

        Raises:
            ValueError: it is not between them.
        """
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{value} is not between 0 and 1")
        before = (0.5 + self._sum) / (self.count + 1)
        variance = self._spread / (self.count + 1)
        self.count += 1
        bet = min(
            _LARGEST_BET,
            math.sqrt(2 * self._log / (variance * self.count * math.log1p(self.count))),
        )
        self._bets += bet
        self._weighted += bet * value
        self._bonus += (value - before) ** 2 * (-math.log1p(-bet) - bet)
        self._sum += value
        now = (0.5 + self._sum) / (self.count + 1)
        self._spread += (value - now) ** 2

    @property
    def mean(self) -> float:
        """The plain mean; one half before the first value."""
        return self._sum / self.count if self.count else 0.5

    @property
    def interval(self) -> tuple[float, float]:
        """The present interval; everything before the first value."""
        if not self.count:
            return 0.0, 1.0
        centre = self._weighted / self._bets
        width = (self._log + self._bonus) / self._bets
        return max(0.0, centre - width), min(1.0, centre + width)


def of_preferences(outcomes: Iterable[float], *, alpha: float = ALPHA) -> Decision:
    """Decide from answers in which both took part: 1 where the candidate was preferred."""
    sequence = ConfidenceSequence(alpha)
    verdict, decided_at = Verdict.UNDECIDED, None
    for outcome in outcomes:
        sequence.add(outcome)
        if decided_at is None:
            verdict = _beside(sequence.interval, 0.5)
            decided_at = None if verdict is Verdict.UNDECIDED else sequence.count
    low, high = sequence.interval
    return Decision(
        verdict=verdict,
        decided_at=decided_at,
        estimate=sequence.mean,
        low=low,
        high=high,
        null=0.5,
        observations=sequence.count,
        alpha=alpha,
    )


def of_arms(outcomes: Iterable[tuple[bool, float]], *, alpha: float = ALPHA) -> Decision:
    """Decide from answers of two arms, True for the candidate's: which mean is higher.

    Each arm has a sequence with half of ``alpha``; the difference lies between their ends.
    """
    arms = {True: ConfidenceSequence(alpha / 2), False: ConfidenceSequence(alpha / 2)}
    verdict, decided_at, count = Verdict.UNDECIDED, None, 0
    for is_candidate, outcome in outcomes:
        arms[is_candidate].add(outcome)
        count += 1
        if decided_at is None:
            verdict = _beside(_difference(arms), 0.0)
            decided_at = None if verdict is Verdict.UNDECIDED else count
    low, high = _difference(arms)
    return Decision(
        verdict=verdict,
        decided_at=decided_at,
        estimate=arms[True].mean - arms[False].mean,
        low=low,
        high=high,
        null=0.0,
        observations=count,
        alpha=alpha,
    )


def _difference(arms: dict[bool, ConfidenceSequence]) -> tuple[float, float]:
    (low, high), (base_low, base_high) = arms[True].interval, arms[False].interval
    return low - base_high, high - base_low


def _beside(interval: tuple[float, float], null: float) -> Verdict:
    low, high = interval
    if low > null:
        return Verdict.BETTER
    return Verdict.WORSE if high < null else Verdict.UNDECIDED
