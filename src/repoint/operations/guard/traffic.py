"""Questions counted: how many were answered, with nothing, not at all, and how fast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from repoint.domain.evaluation import Run


class Latencies(Protocol):
    """How long answers took, in milliseconds."""

    @property
    def count(self) -> int:
        """How many there are."""
        ...

    def at_most(self, value: float) -> int:
        """Return how many took no longer than this."""
        ...

    def quantile(self, share: float) -> float:
        """Return what this share of them took at most; 0 when there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What came of a number of questions."""

    #: All that were asked, whatever came of them.
    asked: int
    #: Answered, without a single document.
    empty: int
    #: Not answered, through no fault of whoever asked.
    failed: int
    #: Of those, the ones where a provider asked to slow down.
    rate_limited: int
    latencies: Latencies
    #: What all of them cost by the spec's price; None where it names none.
    cost: float | None = None

    @property
    def per_thousand(self) -> float | None:
        """What a thousand questions cost; None without a price or a question."""
        if self.cost is None or not self.asked:
            return None
        return self.cost / self.asked * 1_000

    @property
    def answered(self) -> int:
        """Questions that got an answer, if an empty one."""
        return self.asked - self.failed


class Measured:
    """Latencies that are known one by one."""

    def __init__(self, values: Sequence[float]) -> None:
        self._values = sorted(values)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._values)

    def at_most(self, value: float) -> int:
        """Return how many took no longer than this."""
        return sum(one <= value for one in self._values)

    def quantile(self, share: float) -> float:
        """Return the nearest rank's; 0 when there is none."""
        if not self._values:
            return 0.0
        return self._values[max(0, math.ceil(share * len(self._values)) - 1)]


def of_run(run: Run, *, asked: int, failed: int, rate_limited: int) -> Traffic:
    """Return the questions of a benchmark as traffic."""
    return Traffic(
        asked=asked,
        empty=sum(not run.ranked[query] for query in run.stages),
        failed=failed,
        rate_limited=rate_limited,
        latencies=Measured([one.total_ms for one in run.stages.values()]),
        cost=_cost(run),
    )


def of_baseline(run: Run) -> Traffic:
    """Return the questions of a stored run as traffic."""
    return of_run(run, asked=len(run.stages), failed=0, rate_limited=0)


def _cost(run: Run) -> float | None:
    each = run.cost.per_thousand(len(run.stages))
    return None if each is None else each * len(run.stages) / 1_000
