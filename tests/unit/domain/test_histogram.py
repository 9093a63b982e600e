"""Histograms: true to a hundredth, and the same in whatever order they are merged."""

import json
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoint.domain.histogram import RELATIVE_ERROR, SMALLEST, Histogram

NUMBERS = st.floats(min_value=-1e9, max_value=1e9)


def of(values: Sequence[float]) -> Histogram:
    made = Histogram()
    for value in values:
        made.add(value)
    return made


def exact(values: Sequence[float], share: float) -> float:
    return sorted(values)[max(1, math.ceil(share * len(values))) - 1]


@given(st.lists(NUMBERS, min_size=1), st.sampled_from([0.0, 0.25, 0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_is_true_to_a_hundredth(values: list[float], share: float) -> None:
    wanted = exact(values, share)

    found = of(values).quantile(share)

    assert abs(found - wanted) <= RELATIVE_ERROR * 1.000_001 * abs(wanted) + SMALLEST
    assert min(values) <= found <= max(values)


@given(st.lists(NUMBERS), st.lists(NUMBERS))
def test_merging_is_counting_everything_at_once(a: list[float], b: list[float]) -> None:
    merged = of(a)
    merged.merge(of(b))

    whole, one_by_one = merged.as_tree(), of([*a, *b]).as_tree()

    assert isinstance(whole, dict)
    assert isinstance(one_by_one, dict)
    assert whole["buckets"] == one_by_one["buckets"]
    assert whole.get("least") == one_by_one.get("least")
    assert whole.get("greatest") == one_by_one.get("greatest")
    assert merged.count == len(a) + len(b)
    assert merged.total == pytest.approx(math.fsum([*a, *b]), abs=1e-3)


@given(st.lists(NUMBERS))
def test_what_was_written_as_json_is_the_same_again(values: list[float]) -> None:
    made = of(values)
    again = Histogram.from_tree(json.loads(json.dumps(made.as_tree())))
    assert again.as_tree() == made.as_tree()
    assert (again.count, again.mean) == (made.count, made.mean)


def test_nothing_counted_is_zero_everywhere() -> None:
    empty = Histogram()
    assert (empty.count, empty.mean, empty.quantile(0.5), empty.at_most(1e9)) == (0, 0, 0, 0)


def test_how_many_lie_below_a_bound_is_true_to_the_bucket_s_width() -> None:
    made = of([-5.0, 0.0, 1.0, 10.0, 10.0, 100.0])
    assert [made.at_most(bound) for bound in (-6, -4.9, 0, 0.5, 11, 1000)] == [0, 1, 2, 2, 5, 6]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_no_number_is_not_counted(value: float) -> None:
    made = Histogram()
    with pytest.raises(ValueError, match="histogram"):
        made.add(value)
    assert made.count == 0


def test_a_day_of_every_latency_takes_few_buckets() -> None:
    made = of([1.001**n for n in range(-5_000, 12_000)])
    tree = made.as_tree()
    assert isinstance(tree, dict)
    assert isinstance(tree["buckets"], list)
    assert len(tree["buckets"]) < 2 * 900
