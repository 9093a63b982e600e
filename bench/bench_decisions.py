"""How often a canary's decision is wrong when one looks after every answer, and how soon right.

Without any difference the share of experiments in which an alarm is ever raised must stay
within the stated one per cent. With one, the figure is the median number of answers after
which it is announced.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator

from repoint.domain.sequential import of_arms, of_preferences


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return false alarms in per cent, and answers until a real difference is announced."""
    trials, answers = (50, 200) if smoke else (1_000, 1_000)
    alarms = {"interleaved": 0, "apart": 0}
    for trial in range(trials):
        rng = _dice(seed + trial)
        same = (rng.choice((0.0, 0.5, 1.0)) for _ in range(answers))
        alarms["interleaved"] += of_preferences(same).decided_at is not None
        alarms["apart"] += of_arms(_arms(rng, answers, 0.3, 0.3)).decided_at is not None
    figures = {
        f"{name}_false_alarms_percent": 100 * count / trials for name, count in alarms.items()
    }
    runs, longest = (3, 3_000) if smoke else (40, 20_000)
    for preferred in (0.55, 0.6, 0.65):
        decided = []
        for run in range(runs):
            rng = _dice(seed + run)
            found = of_preferences(float(rng.random() < preferred) for _ in range(longest))
            decided.append(found.decided_at or longest)
        figures[f"interleaved_{preferred:g}_answers"] = statistics.median(decided)
    for active, candidate in ((0.3, 0.4), (0.3, 0.5)):
        decided = []
        for run in range(runs):
            pairs = _arms(_dice(seed + run), longest, active, candidate)
            decided.append(of_arms(pairs).decided_at or longest)
        figures[f"apart_{active:g}_{candidate:g}_keys"] = statistics.median(decided)
    return figures


def _dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - no secret depends on it


def _arms(
    rng: random.Random, count: int, active: float, candidate: float
) -> Iterator[tuple[bool, float]]:
    for _ in range(count):
        arm = rng.random() < 0.5  # noqa: PLR2004 - a coin
        yield arm, float(rng.random() < (candidate if arm else active))
