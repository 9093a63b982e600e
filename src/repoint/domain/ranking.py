"""Fusion: two rankings of the same things become one.

Equal scores keep the order of first appearance, then of the key, so that the same rankings
always give the same result.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def reciprocal_rank(
    rankings: Sequence[Sequence[K]], *, weights: Sequence[float], k: int
) -> list[tuple[K, float]]:
    """Fuse by ranks alone: each ranking gives ``weight / (k + rank)``, ranks from 1.

    Source: Cormack, Clarke and Buettcher, "Reciprocal Rank Fusion outperforms Condorcet and
    individual Rank Learning Methods", SIGIR 2009.
    """
    scores: dict[K, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for rank, key in enumerate(ranking, start=1):
            scores[key] = scores.get(key, 0.0) + weight / (k + rank)
    return _sorted(scores)


def weighted_sum(
    rankings: Sequence[Sequence[tuple[K, float]]], *, weights: Sequence[float]
) -> list[tuple[K, float]]:
    """Fuse by scores, each ranking first scaled to 0 to 1; what a ranking lacks gets 0.

    A ranking in which all scores are equal gives each of its keys the full weight.
    """
    scores: dict[K, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        if not ranking:
            continue
        values = [score for _, score in ranking]
        low, spread = min(values), max(values) - min(values)
        for key, score in ranking:
            share = (score - low) / spread if spread else 1.0
            scores[key] = scores.get(key, 0.0) + weight * share
    return _sorted(scores)


def _sorted(scores: dict[K, float]) -> list[tuple[K, float]]:
    # Python's sort is stable and dicts keep the order of first appearance.
    return sorted(scores.items(), key=lambda pair: -pair[1])
