"""How far two rankings of one question agree, without knowing which is right."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final, TypeVar

K = TypeVar("K", bound=Hashable)

#: How likely a reader goes on from one rank to the next: at 0.9, the first ten ranks carry
#: 86 % of the weight.
PERSISTENCE: Final = 0.9


def overlap(a: Sequence[K], b: Sequence[K], *, k: int) -> float:
    """Return the share of the first k that both have; two empty rankings agree."""
    top_a, top_b = set(a[:k]), set(b[:k])
    longest = max(len(top_a), len(top_b))
    return len(top_a & top_b) / longest if longest else 1.0


def rank_biased_overlap(a: Sequence[K], b: Sequence[K], *, p: float = PERSISTENCE) -> float:
    """Return rank-biased overlap, extrapolated from what is seen (RBO_EXT).

    1 where the rankings are equal, 0 where they share nothing. Source: Webber, Moffat and
    Zobel, "A similarity measure for indefinite rankings", ACM TOIS 28(4), 2010, equation 32.
    Each ranking holds an item once.
    """
    short, long = sorted((a, b), key=len)
    s, l = len(short), len(long)  # noqa: E741 - the paper's letters
    if l == 0:
        return 1.0
    if s == 0:
        return 0.0
    seen_short: set[K] = set()
    seen_long: set[K] = set()
    shared = shared_at_s = 0
    total = 0.0
    for depth in range(1, l + 1):
        item = long[depth - 1]
        shared += item in seen_short
        seen_long.add(item)
        if depth <= s:
            other = short[depth - 1]
            shared += other in seen_long
            seen_short.add(other)
            shared_at_s = shared
        total += shared / depth * p**depth
        if depth > s:
            total += shared_at_s * (depth - s) / (s * depth) * p**depth
    end = (shared - shared_at_s) / l + shared_at_s / s
    return (1 - p) / p * total + end * p**l
