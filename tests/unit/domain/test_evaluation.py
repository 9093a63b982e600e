import pytest

from repoint.domain.evaluation import Percentiles, RunCost, index_recall, latency, lost
from repoint.domain.ids import DocumentId
from repoint.domain.queries import QuerySetKind, judged, relevant
from repoint.testing.store_judging import query_set, run


def docs(text: str) -> tuple[DocumentId, ...]:
    return tuple(DocumentId(one) for one in text)


def test_lost_is_what_was_near_the_top_and_is_nowhere() -> None:
    assert lost(docs("abcde"), docs("ea"), k=3) == ["b", "c"]
    assert lost(docs("ab"), docs("ba"), k=3) == []


def test_percentiles_are_values_that_occurred() -> None:
    found = Percentiles.of([float(n) for n in range(1, 101)])
    assert found == Percentiles(p50=50.0, p95=95.0, p99=99.0)
    assert Percentiles.of([3.0]) == Percentiles(p50=3.0, p95=3.0, p99=3.0)
    assert Percentiles.of([]) is None


def test_index_recall_compares_with_exact_search() -> None:
    assert index_recall(run(), k=1) == 0.0  # exact search has the other one first
    assert index_recall(run(), k=2) == 1.0


def test_latency_is_by_stage_and_in_all() -> None:
    found = latency(run())
    assert found is not None
    assert (found.embed.p50, found.search.p50, found.total.p99) == (1.5, 2.25, 3.75)
    assert run().empty == 1


@pytest.mark.parametrize(
    ("price", "queries", "cost"), [(2.0, 10, 0.4), (None, 10, None), (2.0, 0, None)]
)
def test_a_thousand_questions_cost_tokens_times_price(
    price: float | None, queries: int, cost: float | None
) -> None:
    of_run = RunCost(
        tokens=2_000,
        price_per_million_tokens=price,
        chunks=1,
        vector_bytes=4,
        bytes_on_disk=None,
    )
    assert of_run.per_thousand(queries) == (None if cost is None else pytest.approx(cost))


def test_a_newer_judgement_stands_and_the_older_set_is_kept() -> None:
    questions = query_set().questions
    (one, two) = (query.id for query in questions.queries)
    more = judged(
        questions, {one: {DocumentId("d2"): 3}, two: {DocumentId("d9"): 1}}, source="x"
    )
    assert more.qrels[one] == {"d1": 2, "d2": 3}
    assert relevant(more.qrels, two) == {"d9"}
    assert relevant(questions.qrels, one) == {"d1"}
    assert more.digest() != questions.digest()
    assert [query.id for query in questions.scored()] == [one]
    assert more.kind is QuerySetKind.JUDGED
