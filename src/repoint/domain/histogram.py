"""A histogram of logarithmic buckets: mergeable, and true to one part in a hundred.

Every bucket spans values that differ by at most two per cent, so whatever is read back is
within ``RELATIVE_ERROR`` of what was put in (the idea is that of DDSketch, Masson, Rim and
Lee, VLDB 2019). Two histograms are merged by adding up their buckets: which process saw what
in which order makes no difference.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Final, cast

from repoint.domain.document import Json

#: What is read back is at most this share away from what was put in.
RELATIVE_ERROR: Final = 0.01
#: Values nearer to zero than this are zero.
SMALLEST: Final = 1e-6

_BASE: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_SCALE: Final = 1 / math.log(_BASE)
_MIDDLE: Final = 2 / (1 + _BASE)
#: Zero, between the buckets of either sign, in the order of values.
_ZERO: Final = 0
#: Added to every bucket's number, so that those of positive values are above zero.
_SHIFT: Final = math.ceil(-math.log(SMALLEST) * _SCALE) + 1


class Histogram:
    """Counts of values by bucket; of the values themselves it keeps sum and extremes."""

    __slots__ = ("_buckets", "count", "greatest", "least", "total")

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0
        self.total = 0.0
        self.least = math.inf
        self.greatest = -math.inf

    def add(self, value: float) -> None:
        """Count one finite value.

        Raises:
            ValueError: it is infinite or no number.
        """
        if not math.isfinite(value):
            raise ValueError(f"{value} has no place in a histogram")
        self._buckets[_bucket(value)] += 1
        self.count += 1
        self.total += value
        self.least = min(self.least, value)
        self.greatest = max(self.greatest, value)

    def merge(self, other: Histogram) -> None:
        """Count everything that the other has counted."""
        self._buckets.update(other._buckets)
        self.count += other.count
        self.total += other.total
        self.least = min(self.least, other.least)
        self.greatest = max(self.greatest, other.greatest)

    @property
    def mean(self) -> float:
        """The exact mean; 0 when nothing was counted."""
        return self.total / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """Return the value that this share of all lie at or below; 0 when there is none."""
        if not self.count:
            return 0.0
        wanted = max(1, math.ceil(share * self.count))
        seen = 0
        for bucket, count in self._ordered():
            seen += count
            if seen >= wanted:
                return min(max(_value(bucket), self.least), self.greatest)
        return self.greatest

    def at_most(self, value: float) -> int:
        """Return how many values lie at or below this one, up to the width of its bucket."""
        last = _bucket(value)
        return sum(count for bucket, count in self._buckets.items() if bucket <= last)

    def as_tree(self) -> Json:
        """Return what ``from_tree`` makes the same histogram of."""
        if not self.count:
            return {"buckets": []}
        buckets: list[Json] = []
        for bucket, count in self._ordered():
            buckets += [bucket, count]
        return {
            "buckets": buckets,
            "total": self.total,
            "least": self.least,
            "greatest": self.greatest,
        }

    @staticmethod
    def from_tree(tree: Json) -> Histogram:
        """Return the histogram that ``as_tree`` described."""
        made = Histogram()
        given = cast("dict[str, object]", tree)
        flat = cast("list[int]", given["buckets"])
        if flat:
            made._buckets = Counter(dict(zip(flat[::2], flat[1::2], strict=True)))
            made.count = made._buckets.total()
            made.total = float(cast("float", given["total"]))
            made.least = float(cast("float", given["least"]))
            made.greatest = float(cast("float", given["greatest"]))
        return made

    def _ordered(self) -> Iterator[tuple[int, int]]:
        yield from sorted(self._buckets.items())


def _bucket(value: float) -> int:
    """Return the number of a value's bucket; greater values have greater numbers."""
    if -SMALLEST < value < SMALLEST:
        return _ZERO
    number = math.ceil(math.log(abs(value)) * _SCALE) + _SHIFT
    return number if value > 0 else -number


def _value(bucket: int) -> float:
    """Return the value that is within the error of all in the bucket."""
    if bucket == _ZERO:
        return 0.0
    size = math.exp((abs(bucket) - _SHIFT) / _SCALE) * _MIDDLE
    return size if bucket > 0 else -size
