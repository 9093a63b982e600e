"""Statistics of paired differences: how sure a mean is, and what it would take to be surer.

Pure: the same differences and the same seed give the same figures. All columns of a matrix
are resampled together, query by query, so measures of one query stay together.
``tests/property/test_statistics.py`` holds them to scipy's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Resamples: enough that a bound at a tenth of a percent rests on ten of them.
RESAMPLES: Final = 10_000
#: The chance to see a loss that is there, in what is called detectable or needed.
POWER: Final = 0.9
LEVEL: Final = 0.95
#: Resampled values held at once, whatever the number of queries.
_AT_ONCE: Final = 2_000_000
#: From so many rows on, with so many equal ones to each that differs, rows are drawn by count.
_MANY: Final = 1_000
_ALIKE: Final = 8
_NORMAL: Final = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where a mean may lie, at a two-sided level."""

    low: float
    high: float
    level: float


def resampled_means(differences: Floats, *, seed: int, resamples: int = RESAMPLES) -> Floats:
    """Return the means of that many samples of the rows, drawn with replacement.

    Source: Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics
    7(1), 1979; for retrieval, Sakai, SIGIR 2006. One row a resample, one column a measure.
    """
    rows, columns = differences.shape
    random = np.random.default_rng(seed)
    if rows >= _MANY:
        distinct, counts = np.unique(differences, axis=0, return_counts=True)
        if len(distinct) * _ALIKE <= rows:
            # How often each value is drawn, rather than which rows: the same chances, sooner.
            drawn = random.multinomial(rows, counts / rows, size=resamples)
            return np.asarray(drawn @ distinct / rows, dtype=np.float64)
    means = np.empty((resamples, columns))
    step = max(1, _AT_ONCE // max(1, rows * columns))
    for start in range(0, resamples, step):
        end = min(start + step, resamples)
        drawn = random.integers(0, rows, size=(end - start, rows))
        means[start:end] = differences[drawn].mean(axis=1)
    return means


def interval(means: Floats, *, level: float = LEVEL) -> Interval:
    """Return the middle part of resampled means that holds this share of them."""
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return Interval(low=float(low), high=float(high), level=level)


def sign_flip(differences: Floats, *, seed: int, resamples: int = RESAMPLES) -> Floats:
    """Return a two-sided p-value a column: how often chance alone would differ as much.

    The paired randomisation test: under the null hypothesis a difference has either sign.
    Every way of choosing signs is counted where there are no more than ``resamples``, else
    so many are drawn and the one observed is counted too, so that no p-value is 0. Source:
    Fisher, "The Design of Experiments", 1935; for retrieval, Smucker, Allan and Carterette,
    CIKM 2007.
    """
    rows, columns = differences.shape
    observed = np.abs(differences.sum(axis=0))
    # Sums in another order differ in the last digits; equal ones must count as equal.
    threshold = observed * (1.0 - 1e-12) - 1e-15
    if 2**rows <= resamples:
        bits = (np.arange(2**rows)[:, None] >> np.arange(rows)) & 1
        sums = (2.0 * bits - 1.0) @ differences
        return np.asarray((np.abs(sums) >= threshold).mean(axis=0), dtype=np.float64)
    random = np.random.default_rng(seed)
    count = np.zeros(columns)
    step = max(1, _AT_ONCE // rows)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        signs = random.integers(0, 2, size=(size, rows), dtype=np.int8) * 2.0 - 1.0
        count += (np.abs(signs @ differences) >= threshold).sum(axis=0)
    return np.asarray((count + 1.0) / (resamples + 1.0), dtype=np.float64)


def detectable(differences: Floats, *, level: float = LEVEL, power: float = POWER) -> Floats:
    """Return a column's smallest true mean that so many queries would show with this power."""
    rows = differences.shape[0]
    if rows < 2:  # noqa: PLR2004 - one value has no spread
        return np.full(differences.shape[1], math.inf)
    spread = differences.std(axis=0, ddof=1)
    return np.asarray(_sureness(level, power) * spread / math.sqrt(rows), dtype=np.float64)


def needed(
    spread: float, *, effect: float, level: float = LEVEL, power: float = POWER
) -> int | None:
    """Return how many queries would show an effect of this size with this power.

    ``spread`` is the standard deviation of the differences. None where no number would:
    the effect is 0. The spread of those queries is estimated too, which takes a few more.
    Source: Guenther, "Sample size formulas for normal theory t tests", The American
    Statistician 35(4), 1981.
    """
    if effect == 0.0:
        return None
    wanted = (_sureness(level, power) * spread / abs(effect)) ** 2
    return max(2, math.ceil(wanted + _NORMAL.inv_cdf(1.0 - (1.0 - level) / 2.0) ** 2 / 2))


def cautious_spread(values: Floats, *, sureness: float) -> float:
    """Return what the true standard deviation of one column lies below, so surely.

    Of the logarithm of a deviation the error is known from the fourth moment; heavy tails,
    a few large differences among many zeros, make it large.
    """
    rows = values.shape[0]
    centred = values - values.mean()
    variance = float((centred**2).mean())
    if rows < 2 or variance <= 0.0:  # noqa: PLR2004 - one value has no spread
        return 0.0
    fourth = float((centred**4).mean()) / variance**2
    error = math.sqrt(max(0.0, fourth - 1.0) / (4 * rows))
    spread = math.sqrt(variance * rows / (rows - 1))
    return spread * math.exp(_NORMAL.inv_cdf(sureness) * error)


def cautious_mean(values: Floats, *, sureness: float) -> float:
    """Return what the true mean of one column lies above, so surely."""
    rows = values.shape[0]
    if rows < 2:  # noqa: PLR2004 - one value has no spread
        return 0.0
    error = float(values.std(ddof=1)) / math.sqrt(rows)
    return float(values.mean()) - _NORMAL.inv_cdf(sureness) * error


def _sureness(level: float, power: float) -> float:
    return _NORMAL.inv_cdf(1.0 - (1.0 - level) / 2.0) + _NORMAL.inv_cdf(power)
