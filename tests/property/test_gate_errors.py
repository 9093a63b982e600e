"""How often a group gate is wrong, by simulation: false alarms, and losses that it misses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from repoint.domain.gates import Change, Outcome, not_worse
from repoint.operations.evaluate import statistics
from repoint.operations.evaluate.planning import FALSE_ALARM

GROUPS, QUERIES, SPREAD = 10, 50, 0.3
PARTS = GROUPS + 1


def fails(differences: statistics.Floats, *, tolerance: float) -> bool:
    bound = statistics.upper_bound(differences, chance=FALSE_ALARM / PARTS)
    mean = float(differences.mean())
    change = Change(difference=mean, low=-1.0, high=1.0, fail_high=bound)
    return not_worse(change, tolerance=tolerance) is Outcome.FAIL


def test_two_equal_releases_in_ten_groups_fail_once_in_a_hundred_at_most() -> None:
    random = np.random.default_rng(17)
    alarms = 0
    for _ in range(1_000):
        groups = random.normal(0.0, SPREAD, size=(GROUPS, QUERIES))
        parts = [*groups, groups.ravel()]
        alarms += any(fails(part[:, None], tolerance=0.02) for part in parts)
    assert alarms <= 10


def test_scores_that_are_mostly_zero_or_one_raise_no_more_alarms() -> None:
    random = np.random.default_rng(19)
    alarms = 0
    for _ in range(5_000):
        before = random.random((GROUPS, QUERIES)) < 0.6
        now = random.random((GROUPS, QUERIES)) < 0.6
        groups = now.astype(np.float64) - before
        parts = [*groups, groups.ravel()]
        alarms += any(fails(part[:, None], tolerance=0.02) for part in parts)
    assert alarms <= 50


def test_a_true_loss_is_caught_nine_times_in_ten_with_the_queries_it_asks_for() -> None:
    random = np.random.default_rng(23)
    loss = 0.05 * 0.6  # five percent of a measure that stands at 0.6
    level = 1.0 - 2.0 * FALSE_ALARM / PARTS
    wanted = statistics.needed(SPREAD, effect=loss, level=level)
    assert wanted is not None
    caught = sum(
        fails(random.normal(-loss, SPREAD, size=(wanted, 1)), tolerance=0.0)
        for _ in range(1_000)
    )
    assert caught / 1_000 >= 0.88  # 0.9 but for the simulation's own error


@pytest.mark.parametrize("freedom", [10, 19, 49, 499])
@pytest.mark.parametrize("share", [0.9, 0.975, 0.995, 0.99955])
def test_student_s_quantile_is_scipy_s(share: float, freedom: int) -> None:
    ours = statistics.student_quantile(share, freedom)
    assert ours == pytest.approx(float(stats.t.ppf(share, freedom)), rel=2e-3)


def test_one_query_proves_nothing() -> None:
    assert not fails(np.array([[-1.0]]), tolerance=0.0)
