"""How often a group gate is wrong, by simulation: false alarms, and losses that it misses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from repoint.domain.gates import Change, Outcome, not_worse
from repoint.operations.evaluate import betting, statistics
from repoint.operations.evaluate.planning import chance_of_failure

GROUPS, QUERIES, SPREAD = 10, 50, 0.3
PARTS = GROUPS + 1
CHANCE = chance_of_failure(PARTS)


def fails(differences: statistics.Floats, *, tolerance: float) -> bool:
    bound = betting.upper_bound(differences[:, 0], chance=CHANCE, low=-1.0, high=1.0)
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
    for _ in range(1_000):
        before = random.random((GROUPS, QUERIES)) < 0.6
        now = random.random((GROUPS, QUERIES)) < 0.6
        groups = now.astype(np.float64) - before
        parts = [*groups, groups.ravel()]
        alarms += any(fails(part[:, None], tolerance=0.02) for part in parts)
    assert alarms <= 10


def test_lopsided_differences_raise_no_more_alarms() -> None:
    """Few gain much and many lose a little, on average nothing: Student's bound fails here."""
    random = np.random.default_rng(29)
    alarms = 0
    for _ in range(1_000):
        groups = np.where(random.random((GROUPS, QUERIES)) < 0.06, 0.94, -0.06)
        alarms += any(fails(part[:, None], tolerance=0.005) for part in groups)
    assert alarms <= 10


def test_a_true_loss_is_caught_nine_times_in_ten_with_the_queries_it_asks_for() -> None:
    random = np.random.default_rng(23)
    loss = 0.05 * 0.6  # five percent of a measure that stands at 0.6
    wanted = betting.needed(SPREAD, effect=loss, chance=CHANCE, power=0.9, room=1.0)
    assert wanted is not None
    caught = sum(
        fails(random.normal(-loss, SPREAD, size=(wanted, 1)), tolerance=0.0) for _ in range(500)
    )
    assert 0.88 <= caught / 500 <= 0.98  # 0.9 but for the simulation's own error


@pytest.mark.parametrize("loss", [0.05, 0.2, 0.5])
def test_large_losses_take_about_as_many_as_are_asked_for(loss: float) -> None:
    random = np.random.default_rng(31)
    wanted = betting.needed(SPREAD, effect=loss, chance=CHANCE, power=0.9, room=1.0)
    assert wanted is not None
    caught = sum(
        fails(random.normal(-loss, SPREAD, size=(wanted, 1)), tolerance=0.0) for _ in range(400)
    )
    assert caught / 400 >= 0.83


def test_the_bound_is_where_the_bet_is_won() -> None:
    random = np.random.default_rng(37)
    values = random.choice([-1.0, 0.0, 0.5], size=80)
    bound = betting.upper_bound(values, chance=CHANCE, low=-1.0, high=1.0)
    bar = -math.log(CHANCE)
    assert values.mean() < bound < 1.0
    for mean, won in ((bound - 1e-4, False), (bound + 1e-4, True)):
        assert (betting.falls_below(values, mean=mean, low=-1.0, high=1.0) >= bar) is won
    assert betting.upper_bound(values[:0], chance=CHANCE, low=-1.0, high=1.0) == 1.0


def test_one_query_proves_nothing() -> None:
    assert not fails(np.array([[-1.0]]), tolerance=0.0)
