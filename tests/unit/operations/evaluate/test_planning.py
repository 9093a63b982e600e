"""The numbers of queries that a gate in doubt asks for, by hand, and that they are enough."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from repoint.domain.gates import Change, Outcome, not_worse
from repoint.domain.policy import RelevanceGate
from repoint.operations.evaluate import betting, statistics
from repoint.operations.evaluate.planning import FALSE_ALARM, chance_of_failure, plan

Z = NormalDist().inv_cdf
PARTS = 11


def coin(rows: int = 10_000, *, size: float = 0.3) -> statistics.Floats:
    """Return differences of which half are up and half are down: no tail, mean 0."""
    return np.tile([size, -size], rows // 2)


def baseline(mean: float, rows: int = 10_000) -> statistics.Floats:
    return np.full(rows, mean)


def test_the_numbers_are_those_of_the_formula() -> None:
    gate = RelevanceGate(tolerance=0.02, loss=0.05)
    made = plan(coin(), baseline(0.6), gate, parts=PARTS, at_least=0.0)
    # A loss of 0.03 must be beyond the tolerance and surely a loss; the latter takes more.
    # Small steps: a fortune grows by half the square of the signal, all stakes but one lost.
    bar, seen = math.log(PARTS / FALSE_ALARM) + math.log(24), Z(0.9)
    by_hand = ((seen + math.sqrt(seen**2 + 2 * bar)) * 0.3 / 0.03) ** 2
    assert made.catching == pytest.approx(by_hand, rel=0.05)
    passing = ((Z(0.975) + Z(1 - 0.1 / PARTS)) * 0.3 / 0.02) ** 2 + Z(0.975) ** 2 / 2
    assert made.passing == pytest.approx(passing, rel=1e-3)
    assert made.needed == max(made.catching or 0, made.passing or 0)


def test_a_loss_that_is_just_beyond_the_tolerance_takes_many() -> None:
    gate = RelevanceGate(tolerance=0.029, loss=0.05)
    made = plan(coin(), baseline(0.6), gate, parts=PARTS, at_least=0.0)
    assert made.catching == pytest.approx((Z(0.9) * 0.3 / 0.001) ** 2, rel=1e-3)


def test_a_loss_that_is_tolerated_is_caught_by_no_number() -> None:
    made = plan(coin(), baseline(0.4), RelevanceGate(tolerance=0.02), parts=PARTS, at_least=0.0)
    assert made.catching is None
    assert made.needed == made.passing


def test_where_nothing_is_tolerated_no_number_passes_an_equal_release() -> None:
    made = plan(coin(), baseline(0.6), RelevanceGate(tolerance=0.0), parts=PARTS, at_least=0.0)
    assert made.passing is None
    assert made.needed == made.catching


def test_what_is_the_same_everywhere_asks_for_the_least() -> None:
    made = plan(np.zeros(10), baseline(0.6, 10), RelevanceGate(), parts=1, at_least=0.0)
    assert (made.catching, made.passing) == (20, 20)


def test_few_queries_and_heavy_tails_ask_for_more() -> None:
    gate = RelevanceGate()
    many = plan(coin(), baseline(0.6), gate, parts=PARTS, at_least=0.0).catching
    few = plan(coin(40), np.tile([0.2, 1.0], 20), gate, parts=PARTS, at_least=0.0).catching
    tails = np.zeros(40)
    tails[:4] = [0.6, -0.6, 0.6, -0.6]
    heavy = statistics.cautious_spread(tails, sureness=0.8) / tails.std(ddof=1)
    light = statistics.cautious_spread(coin(40), sureness=0.8) / coin(40).std(ddof=1)
    assert many is not None
    assert few is not None
    assert few > 1.15 * many
    assert heavy > 1.15 > light


def test_the_number_catches_the_loss_nine_times_in_ten_when_the_first_look_is_small() -> None:
    random = np.random.default_rng(29)
    gate = RelevanceGate(tolerance=0.01)
    caught = 0
    for _ in range(400):
        pilot = random.normal(-0.03, 0.3, 50)
        before = np.clip(random.normal(0.6, 0.4, 50), 0.0, 1.0)
        wanted = plan(pilot, before, gate, parts=PARTS, at_least=0.0).catching
        assert wanted is not None
        later = random.normal(-0.03, 0.3, wanted)
        high = betting.upper_bound(later, chance=chance_of_failure(PARTS), low=-1.0, high=1.0)
        change = Change(difference=float(later.mean()), low=-1.0, high=1.0, fail_high=high)
        caught += not_worse(change, tolerance=gate.tolerance) is Outcome.FAIL
    assert caught / 400 >= 0.9


def test_drawing_by_count_gives_the_same_interval_as_drawing_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(31)
    values = random.choice([0.0, 0.0, 0.3, -0.4, 1.0], size=(2_000, 1))
    counted = statistics.resampled_means(values, seed=1)
    monkeypatch.setattr(statistics, "_MANY", math.inf)
    drawn = statistics.resampled_means(values, seed=1)
    for share in (0.005, 0.025, 0.5, 0.975):
        ours, theirs = (float(np.quantile(one, share)) for one in (counted, drawn))
        assert ours == pytest.approx(theirs, abs=0.002)


def test_a_group_without_a_difference_needs_as_many_as_all_queries_spread() -> None:
    quiet = plan(np.zeros(22), baseline(0.6, 22), RelevanceGate(), parts=11, at_least=0.2)
    loud = plan(coin(), baseline(0.6), RelevanceGate(), parts=11, at_least=0.2)
    assert quiet.passing is not None
    assert loud.passing is not None
    assert RelevanceGate().minimum_queries < quiet.passing <= loud.passing
