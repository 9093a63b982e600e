"""What may be said at any time: false alarms stay rare however often one looks."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoint.domain.interleaving import coins, preference, team_draft
from repoint.domain.sequential import (
    ALPHA,
    ConfidenceSequence,
    Verdict,
    of_arms,
    of_preferences,
)


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - no secret depends on it


@pytest.mark.slow
def test_an_a_a_interleaving_raises_at_most_one_false_alarm_in_a_hundred() -> None:
    """Two equal releases, looked at after every one of 300 answers, a thousand times over."""
    alarms = 0
    for trial in range(1_000):
        rng = dice(trial)
        outcomes = []
        for answer in range(300):
            # Rankings of one quality: the same relevant documents, in another order.
            a, b = rng.sample(range(12), 6), rng.sample(range(12), 6)
            picks = team_draft(a, b, limit=6, coin=coins(f"{trial}.{answer}".encode()))
            teams = {pick.document: pick.team for pick in picks}
            # A reader who looks at upper ranks more, and clicks what is relevant.
            clicks = {
                pick.document: 1.0
                for rank, pick in enumerate(picks)
                if pick.document % 3 == 0 and rng.random() < 0.7**rank
            }
            outcomes.append(preference(teams, clicks))
        alarms += of_preferences(outcomes).decided_at is not None
    assert alarms <= 1_000 * ALPHA


@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_an_a_a_canary_raises_at_most_one_false_alarm_in_a_hundred(rate: float) -> None:
    """As above, with the two arms of a canary, whose keys differ from one another."""
    alarms = 0
    for trial in range(1_000):
        rng = dice(trial)
        outcomes = [
            (rng.random() < 0.5, float(rng.random() < min(1.0, rate * rng.expovariate(1))))
            for _ in range(300)
        ]
        alarms += of_arms(outcomes).decided_at is not None
    assert alarms <= 1_000 * ALPHA


def test_a_repeated_test_at_fixed_sizes_would_raise_many() -> None:
    """What this is not: a z-test at the same level, looked at after every answer."""
    alarms = 0
    for trial in range(300):
        rng = dice(trial)
        total = 0.0
        for count in range(1, 301):
            total += rng.choice((0.0, 1.0))
            wide = 2.576 * (0.25 / count) ** 0.5
            if count >= 10 and abs(total / count - 0.5) > wide:
                alarms += 1
                break
    assert alarms / 300 > 5 * ALPHA


@pytest.mark.parametrize(
    ("preferred", "verdict"), [(0.65, Verdict.BETTER), (0.35, Verdict.WORSE)]
)
def test_a_real_difference_is_found(preferred: float, verdict: Verdict) -> None:
    for trial in range(20):
        rng = dice(trial)
        found = of_preferences(float(rng.random() < preferred) for _ in range(1_500))
        assert found.verdict is verdict
        assert found.decided_at is not None
        assert found.low <= preferred <= found.high


def test_a_real_difference_of_arms_is_found() -> None:
    rng = dice(3)
    found = of_arms(
        (arm, float(rng.random() < (0.3 if arm else 0.5)))
        for arm in (rng.random() < 0.5 for _ in range(4_000))
    )
    assert found.verdict is Verdict.WORSE
    assert found.estimate == pytest.approx(-0.2, abs=0.05)
    assert found.low <= -0.2 <= found.high < 0


def test_once_it_was_clear_it_stays_decided() -> None:
    clear = [1.0] * 200
    found = of_preferences([*clear, *[0.0] * 400])
    assert found.verdict is Verdict.BETTER
    assert found.decided_at is not None
    assert found.decided_at < 200


@given(st.lists(st.floats(0, 1), max_size=60))
def test_an_interval_lies_between_0_and_1_and_holds_its_centre(values: list[float]) -> None:
    sequence = ConfidenceSequence(0.01)
    for value in values:
        sequence.add(value)
        low, high = sequence.interval
        assert 0 <= low <= high <= 1


def test_nothing_is_known_before_the_first_value() -> None:
    assert ConfidenceSequence(0.01).interval == (0, 1)
    for found in (of_preferences([]), of_arms([])):
        assert found.verdict is Verdict.UNDECIDED
        assert found.low < found.null < found.high


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_value_out_of_bounds_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="between"):
        ConfidenceSequence(0.01).add(value)
