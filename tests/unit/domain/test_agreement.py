import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoint.domain.agreement import PERSISTENCE, overlap, rank_biased_overlap

RANKINGS = st.lists(st.integers(0, 12), max_size=10, unique=True)


def by_definition(a: list[int], b: list[int], p: float) -> float:
    """Equation 32 of the paper, sum by sum, from the agreement at every depth."""
    short, long = sorted((a, b), key=len)
    s, l = len(short), len(long)  # noqa: E741 - the paper's letters

    def x(depth: int) -> int:
        return len(set(short[:depth]) & set(long[:depth]))

    first = sum(x(d) / d * p**d for d in range(1, l + 1))
    second = sum(x(s) * (d - s) / (s * d) * p**d for d in range(s + 1, l + 1))
    return (1 - p) / p * (first + second) + ((x(l) - x(s)) / l + x(s) / s) * p**l


@given(RANKINGS.filter(bool), RANKINGS.filter(bool), st.floats(0.1, 0.99))
def test_it_is_the_paper_s_sum(a: list[int], b: list[int], p: float) -> None:
    assert rank_biased_overlap(a, b, p=p) == pytest.approx(by_definition(a, b, p), abs=1e-12)


@given(RANKINGS, RANKINGS)
def test_it_lies_between_0_and_1_and_does_not_mind_the_order_of_its_arguments(
    a: list[int], b: list[int]
) -> None:
    found = rank_biased_overlap(a, b)
    assert -1e-12 <= found <= 1 + 1e-12
    if len(a) != len(b):  # of equal length, either is the shorter one
        assert found == pytest.approx(rank_biased_overlap(b, a), abs=1e-12)


@given(RANKINGS)
def test_a_ranking_agrees_with_itself_and_not_with_a_stranger(a: list[int]) -> None:
    assert rank_biased_overlap(a, a) == pytest.approx(1.0)
    strangers = [item + 100 for item in a]
    assert rank_biased_overlap(a, strangers) == pytest.approx(0.0 if a else 1.0)


def test_early_ranks_weigh_more() -> None:
    early = rank_biased_overlap("abcdefghij", "bacdefghij")
    late = rank_biased_overlap("abcdefghij", "abcdefghji")
    assert early < late < 1.0
    assert 0 < PERSISTENCE < 1


def test_an_empty_answer_agrees_only_with_an_empty_one() -> None:
    assert rank_biased_overlap("", "") == overlap("", "", k=3) == 1.0
    assert rank_biased_overlap("", "ab") == overlap("", "ab", k=3) == 0.0


def test_overlap_looks_at_the_first_k_alone() -> None:
    assert overlap("abcd", "badc", k=2) == 1.0
    assert overlap("abcd", "acbd", k=2) == 0.5
    assert overlap("ab", "abcd", k=4) == 0.5
