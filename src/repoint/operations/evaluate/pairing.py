"""Paired figures: two releases' values query by query, and what the difference is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence

from repoint.operations.evaluate import statistics
from repoint.operations.evaluate.statistics import Floats
from repoint.operations.evaluate.values import Figure


def figures_of(names: Sequence[str], before: Floats, now: Floats, *, seed: int) -> list[Figure]:
    """Return one figure a column; both matrices have a row a query. None of no query."""
    count = before.shape[0]
    if not count:
        return []
    differences = now - before
    means = statistics.resampled_means(differences, seed=seed)
    chances = statistics.sign_flip(differences, seed=seed)
    detectable = statistics.detectable(differences)
    found = []
    for place, name in enumerate(names):
        bounds = statistics.interval(means[:, place])
        least = float(detectable[place])
        baseline = math.fsum(before[:, place]) / count
        candidate = math.fsum(now[:, place]) / count
        found.append(
            Figure(
                measure=name,
                queries=count,
                baseline=baseline,
                candidate=candidate,
                difference=candidate - baseline,
                low=bounds.low,
                high=bounds.high,
                p=float(chances[place]),
                detectable=least if math.isfinite(least) else None,
            )
        )
    return found
