"""Fusion of rankings."""

from __future__ import annotations

import pytest

from repoint.domain.ranking import reciprocal_rank, weighted_sum


def test_reciprocal_ranks_add_up_over_the_rankings() -> None:
    fused = dict(reciprocal_rank([["a", "b"], ["b", "c"]], weights=[1.0, 1.0], k=60))
    assert fused["b"] == pytest.approx(1 / 62 + 1 / 61)
    assert fused["a"] == pytest.approx(1 / 61)
    assert list(fused) == ["b", "a", "c"]


def test_a_ranking_without_weight_decides_nothing_but_the_tail() -> None:
    fused = reciprocal_rank([["a", "b"], ["c", "b"]], weights=[1.0, 0.0], k=60)
    assert [key for key, _ in fused] == ["a", "b", "c"]


def test_scores_are_scaled_before_they_are_added() -> None:
    fused = dict(
        weighted_sum([[("a", 100.0), ("b", 0.0)], [("b", 0.9), ("a", 0.1)]], weights=[1, 2])
    )
    assert fused == {"b": pytest.approx(2.0), "a": pytest.approx(1.0)}


def test_equal_scores_count_in_full() -> None:
    assert weighted_sum([[("a", 5.0), ("b", 5.0)]], weights=[1]) == [("a", 1.0), ("b", 1.0)]


def test_nothing_fused_is_nothing() -> None:
    assert reciprocal_rank([[], []], weights=[1, 1], k=60) == []
    assert weighted_sum([[], []], weights=[1, 1]) == []
