"""The statistics against second implementations: scipy's, and trec_eval by itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from repoint.domain.ids import DocumentId, QueryId
from repoint.domain.measures import Measure
from repoint.domain.queries import Query, QuerySetKind, Questions
from repoint.operations.evaluate import statistics
from repoint.operations.evaluate.scoring import score

VALUES = st.lists(
    st.floats(-1, 1, allow_nan=False).map(lambda value: round(value, 3)), min_size=2, max_size=9
)
DOCUMENTS = [DocumentId(f"d{n}") for n in range(12)]


def column(values: list[float]) -> statistics.Floats:
    return np.array(values, dtype=np.float64)[:, None]


@given(VALUES)
def test_a_small_sign_flip_test_is_scipy_s_exact_one(values: list[float]) -> None:
    theirs = stats.permutation_test(
        (np.array(values),),
        lambda sample, axis: np.abs(np.sum(sample, axis=axis)),
        permutation_type="samples",
        alternative="greater",
        vectorized=True,
        n_resamples=np.inf,
    )
    ours = statistics.sign_flip(column(values), seed=1)[0]
    assert ours == pytest.approx(float(theirs.pvalue), abs=1e-9)


def test_a_large_sign_flip_test_agrees_with_the_t_test_where_that_holds() -> None:
    values = np.random.default_rng(5).normal(0.03, 0.2, size=400)
    theirs = stats.ttest_1samp(values, 0.0).pvalue
    ours = statistics.sign_flip(values[:, None], seed=2, resamples=40_000)[0]
    assert ours == pytest.approx(float(theirs), abs=0.005)


def test_the_interval_is_scipy_s_percentile_bootstrap() -> None:
    values = np.random.default_rng(7).normal(0.05, 0.3, size=150)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=40_000, method="percentile", rng=3
    ).confidence_interval
    means = statistics.resampled_means(values[:, None], seed=4, resamples=40_000)
    ours = statistics.interval(means[:, 0])
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.002)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(11)
    held = 0
    for trial in range(300):
        values = random.normal(0.1, 0.4, size=60)
        means = statistics.resampled_means(values[:, None], seed=trial, resamples=1_000)
        bounds = statistics.interval(means[:, 0])
        held += bounds.low <= 0.1 <= bounds.high
    assert held / 300 == pytest.approx(0.95, abs=0.035)


def test_a_detectable_difference_is_detected_nine_times_in_ten() -> None:
    random = np.random.default_rng(13)
    rows, spread = 80, 0.3
    effect = float(statistics.detectable(random.normal(0, spread, size=(rows, 1)))[0])
    seen = sum(
        stats.ttest_1samp(random.normal(effect, spread, size=rows), 0.0).pvalue < 0.05
        for _ in range(1_000)
    )
    assert seen / 1_000 == pytest.approx(0.9, abs=0.06)
    assert statistics.needed(spread, effect=effect) == pytest.approx(rows, rel=0.25)


def test_no_number_of_queries_shows_what_is_not_there() -> None:
    assert statistics.needed(0.3, effect=0.0) is None
    assert math.isinf(statistics.detectable(column([0.5]))[0])


@given(VALUES, st.integers(0, 5))
def test_the_same_seed_gives_the_same_figures(values: list[float], seed: int) -> None:
    rows = column(values)
    first = statistics.resampled_means(rows, seed=seed, resamples=50)
    assert np.array_equal(first, statistics.resampled_means(rows, seed=seed, resamples=50))


@given(st.data())
def test_scores_are_trec_evals_and_a_query_without_an_answer_counts_0(
    data: st.DataObject,
) -> None:
    names = [QueryId(f"q{n}") for n in range(data.draw(st.integers(1, 4)))]
    qrels = {
        name: {
            document: data.draw(st.integers(0, 3))
            for document in data.draw(
                st.lists(st.sampled_from(DOCUMENTS), unique=True, min_size=1)
            )
        }
        | {DOCUMENTS[0]: 1}
        for name in names
    }
    ranked = {
        name: tuple(data.draw(st.lists(st.sampled_from(DOCUMENTS), unique=True)))
        for name in names
    }
    questions = Questions(
        queries=tuple(Query(id=name, text=name) for name in names),
        qrels=qrels,
        kind=QuerySetKind.JUDGED,
        source="drawn",
    )
    wanted = {
        "nDCG@10": "ndcg_cut_10",
        "R@5": "recall_5",
        "RR": "recip_rank",
        "AP": "map",
        "Success@5": "success_5",
        "P@5": "P_5",
    }
    theirs = pytrec_eval.RelevanceEvaluator(
        {q: {str(d): grade for d, grade in judged.items()} for q, judged in qrels.items()},
        {"ndcg_cut.10", "recall.5", "recip_rank", "map", "success.5", "P.5"},
    ).evaluate(
        {
            query: {document: 100.0 - rank for rank, document in enumerate(found)}
            for query, found in ranked.items()
            if found
        }
    )
    ours = score(questions, ranked, [Measure.parse(text) for text in wanted])
    for text, name in wanted.items():
        for query in names:
            expected = theirs.get(query, {}).get(name, 0.0)
            found = ours[Measure.parse(text)][query]
            assert found == pytest.approx(expected, abs=1e-9), (text, query)
