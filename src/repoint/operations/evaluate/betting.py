"""Evidence that stays sound however lopsided the samples are, and however often one looks.

Each figure, of a gate or of a guard, is judged by betting against the claim that all is well:
a gambler stakes a part of a fortune of 1 on every sample, at odds that are fair while the
claim holds. However the samples come, the fortune then exceeds 1/a with a chance of at most a
(Ville). The fortune here is the average over several constant stakes, so the order of the
samples does not matter and no stake has to be chosen beforehand. Nothing is assumed of the
samples but their bounds.

Source: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting",
Journal of the Royal Statistical Society B 86(1), 2024 (constant and diversified bets).

A guard looks again and again at nearly the same figures. The chance of a false alarm is
therefore spent over the looks, the k-th getting a share that falls with k, so that all of them
together, endlessly many, stay within what the policy allows; nothing has to be known of how
one look depends on another. Source: Lan and DeMets, "Discrete sequential boundaries for
clinical trials", Biometrika 70(3), 1983 (spending), with the shares of a log-squared series.

``tests/property/test_guard_errors.py``, ``tests/property/test_gate_errors.py``,
``bench/bench_guard.py`` and ``bench/bench_power.py`` hold both to that.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

import numpy as np

from repoint.operations.evaluate.statistics import Floats

#: Stakes as parts of the largest that a gambler can pay, each half the one before but one.
_STAKES: Final[Floats] = 0.9 * 2.0 ** (-np.arange(24) / 2.0)
#: The sum over all k from 1 of 1 / (k ln²(k+1)), rounded up.
_SERIES: Final = 3.39
#: How close a bound is found.
_CLOSE: Final = 1e-6


def log_bar(look: int, *, parts: int, false_alarm: float) -> float:
    """Return what the logarithm of a fortune must reach at the k-th look to rule chance out.

    ``parts`` is how many figures are judged at each look: any of them may raise an alarm.
    """
    share = 1.0 / (_SERIES * look * math.log(look + 1) ** 2)
    return math.log(max(1, parts)) - math.log(false_alarm * share)


def falls_below(values: Floats, *, mean: float, low: float, high: float) -> float:
    """Return the logarithm of the fortune won against "the mean of these is at least this".

    All values lie between ``low`` and ``high``.
    """
    if values.size == 0 or mean <= low:
        return 0.0
    if mean >= high:
        return math.inf if bool((values < high).any()) else 0.0
    gains = (mean - np.clip(values, low, high)) / (high - mean)
    return _averaged(np.log1p(_STAKES[:, None] * gains[None, :]).sum(axis=1))


def upper_bound(values: Floats, *, chance: float, low: float, high: float) -> float:
    """Return what the true mean lies below, but for this chance.

    The smallest mean against which the fortune reaches the bar; ``high`` where none is.
    """
    bar = -math.log(chance)
    if values.size == 0 or falls_below(values, mean=high, low=low, high=high) < bar:
        return high
    refuted, standing = high, float(np.clip(values, low, high).mean())
    while refuted - standing > _CLOSE * (high - low):
        middle = (refuted + standing) / 2.0
        if falls_below(values, mean=middle, low=low, high=high) >= bar:
            refuted = middle
        else:
            standing = middle
    return refuted


def needed(
    spread: float, *, effect: float, chance: float, power: float, room: float
) -> int | None:
    """Return how many samples make a mean that lies lower by ``effect`` sure, so likely.

    ``spread`` is their standard deviation, ``room`` what lies between the mean that is bet
    against and the upper bound of a sample. The logarithm of a fortune grows nearly as a sum
    of normal steps; the best stake decides, as if all others lost everything. None where no
    number would do.
    """
    if effect <= 0.0:
        return None
    gain, wide = effect / room, spread / room
    growth = np.log1p(_STAKES * gain) - (_STAKES * wide / (1.0 + _STAKES * gain)) ** 2 / 2.0
    swing = _STAKES * wide / (1.0 + _STAKES * gain)
    bar = -math.log(chance) + math.log(_STAKES.size)
    sure = NormalDist().inv_cdf(power)
    wins = growth > 0.0
    if not wins.any():
        return None
    growth, swing = growth[wins], swing[wins]
    root = (sure * swing + np.sqrt((sure * swing) ** 2 + 4.0 * growth * bar)) / (2.0 * growth)
    return math.ceil(float((root**2).min()))


def rises_above(count: int, total: int, *, share: float) -> float:
    """Return the logarithm of the fortune won against "at most this share of them"."""
    if count == 0 or share >= 1.0:
        return 0.0
    if share <= 0.0:
        return math.inf  # what must never happen has happened
    stakes = _STAKES / share
    won = count * np.log1p(stakes * (1.0 - share))
    lost = (total - count) * np.log1p(-stakes * share)
    return _averaged(won + lost)


def _averaged(logs: Floats) -> float:
    largest = float(logs.max())
    return largest + math.log(float(np.exp(logs - largest).mean()))
