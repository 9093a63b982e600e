"""How often a guard that looks all day is wrong, by simulation, and what it does not miss."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from repoint.domain.gates import Outcome
from repoint.operations.evaluate import betting
from repoint.operations.guard import figures
from repoint.testing.guard_days import (
    DRIFT,
    LOOKS_A_DAY,
    POLICY,
    QUERIES,
    RELEVANCE,
    Day,
    alarm_at,
    alarm_days,
)


@pytest.mark.slow
def test_of_two_hundred_days_on_which_nothing_is_wrong_two_at_most_raise_an_alarm() -> None:
    random = np.random.default_rng(20_260_101)
    assert alarm_days(random, days=200, looks=24) <= 2


@pytest.mark.slow
def test_one_watch_of_many_days_raises_none() -> None:
    assert alarm_at(Day(np.random.default_rng(7)), 20 * LOOKS_A_DAY) is None


def test_the_same_days_raise_many_by_a_test_that_is_repeated() -> None:
    random = np.random.default_rng(3)
    alarms = 0
    for _ in range(50):
        day = Day(random)
        alarms += any(
            stats.ttest_1samp(part, 0.0, alternative="less").pvalue < 0.01
            for _ in range(24)
            for part in day.differences()
        )
    assert alarms >= 5  # a tenth of the days, where one in a hundred was meant


def test_the_chances_of_all_looks_add_up_to_what_was_allowed() -> None:
    spent = math.fsum(
        math.exp(-betting.log_bar(look, parts=1, false_alarm=0.01))
        for look in range(1, 200_000)
    )
    assert 0.009 < spent < 0.01


@pytest.mark.parametrize("mean", [0.0, 0.3])
def test_a_fortune_is_won_against_the_truth_no_more_often_than_it_may(mean: float) -> None:
    random = np.random.default_rng(11)
    won = 0
    for _ in range(4_000):
        values = np.clip(random.choice([-1.0, -0.1, 0.1, 1.0], 40) * 0.7 + mean, -1.0, 1.0)
        truth = float(np.mean(np.clip(np.array([-0.7, -0.07, 0.07, 0.7]) + mean, -1.0, 1.0)))
        fortune = betting.falls_below(values, mean=truth, low=-1.0, high=1.0)
        won += fortune >= math.log(20)
    assert won / 4_000 <= 0.05


@pytest.mark.parametrize("share", [0.001, 0.05, 0.5])
def test_a_rate_at_its_limit_wins_no_more_often_than_it_may(share: float) -> None:
    counts = np.random.default_rng(13).binomial(500, share, 4_000)
    won = sum(
        betting.rises_above(int(count), 500, share=share) >= math.log(20) for count in counts
    )
    assert won / 4_000 <= 0.05


def test_what_must_never_happen_is_certain_at_once() -> None:
    assert betting.rises_above(1, 50, share=0.0) == math.inf
    assert betting.rises_above(0, 50, share=0.0) == 0.0
    assert betting.rises_above(50, 50, share=1.0) == 0.0
    ones = np.array([1.0, 0.9])
    assert betting.falls_below(ones, mean=1.0, low=0.0, high=1.0) == math.inf
    assert betting.falls_below(ones[:1], mean=1.0, low=0.0, high=1.0) == 0.0
    assert betting.falls_below(np.array([]), mean=0.5, low=0.0, high=1.0) == 0.0


def test_the_order_of_samples_makes_no_difference() -> None:
    values = np.random.default_rng(5).uniform(-1.0, 1.0, 100)
    there = betting.falls_below(values, mean=0.2, low=-1.0, high=1.0)
    back = betting.falls_below(values[::-1], mean=0.2, low=-1.0, high=1.0)
    assert there == pytest.approx(back, abs=1e-9)


@pytest.mark.parametrize("look", [1, 10_000])
@pytest.mark.parametrize(
    ("beyond", "times", "outcome"),
    [
        (0, 0.9, Outcome.PASS),
        (1, 1.4, Outcome.INCONCLUSIVE),  # noise beyond a band of few rounds
        (16, 2.0, Outcome.FAIL),  # another model that is close
        (1, 40.0, Outcome.FAIL),  # one text is cut elsewhere
    ],
)
def test_a_model_s_noise_is_told_from_its_change(
    look: int, beyond: int, times: float, outcome: Outcome
) -> None:
    bar = figures.bar(POLICY, look, groups=10)
    judged = figures.drift(DRIFT, probes=16, beyond=beyond, times=times, said="", bar=bar)
    assert judged.outcome is outcome


@pytest.mark.parametrize("look", [1, LOOKS_A_DAY, 100 * LOOKS_A_DAY])
def test_a_broken_release_is_caught_at_the_first_look_whenever_it_breaks(look: int) -> None:
    random = np.random.default_rng(look)
    bar = figures.bar(POLICY, look, groups=10)
    for _ in range(50):
        broken = np.clip(random.normal(-0.25, 0.35, QUERIES), -1.0, 1.0)
        judged = figures.relevance(RELEVANCE, broken, part="", bar=bar)
        assert judged.outcome is Outcome.FAIL
