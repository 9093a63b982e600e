from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.operations.evaluate.conftest import ITEMS, Judged

from repoint.domain.errors import (
    BadInputError,
    ConflictError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from repoint.domain.ids import IndexName, QueryId, ReleaseName
from repoint.domain.queries import Query, QuerySetKind, Questions
from repoint.operations import query_sets
from repoint.operations.evaluate import Asked, Options, evaluate, report
from repoint.testing.stage import INDEX


def test_both_runs_and_what_was_compared_are_kept(judged: Judged) -> None:
    made = judged.evaluate()
    with judged.stage.store.read() as view:
        (stored,) = view.runs.evaluations(INDEX)
        runs = {run.id: run for run in view.runs.all(INDEX)}
    assert stored == made.evaluation
    assert {runs[stored.candidate_run].release, runs[stored.baseline_run].release} == {
        "v1",
        "v2",
    }
    assert runs[stored.candidate_run].lsn == 8
    assert (stored.query_set, stored.version) == ("items", 1)


def test_a_stored_evaluation_says_the_same_again(judged: Judged) -> None:
    made = judged.evaluate()
    assert report(judged.stage.session, made.evaluation) == made


def test_a_release_beside_itself_changes_nothing_and_passes(judged: Judged) -> None:
    made = judged.evaluate("v1")
    assert [one.difference for one in made.figures] == [0.0] * len(made.figures)
    assert {one.p for one in made.figures} == {1.0}
    assert made.agreement.overlap == pytest.approx(1.0)
    assert made.agreement.rank_biased_overlap == pytest.approx(1.0)
    assert made.lost.lost == made.worse_count == made.better_count == 0


def test_what_was_found_before_and_is_nowhere_now_is_lost(judged: Judged) -> None:
    before = judged.evaluate("v2", baseline="v1").lost
    judged.lose("v2", ["d3"])
    made = judged.evaluate("v2", baseline="v1")
    assert before.lost == 0
    assert [one.document for one in made.lost.examples] == ["d3"]
    assert made.lost.relevant_only
    worst = made.worse[0]
    assert (worst.query, worst.candidate, list(worst.relevant)) == ("q3", 0.0, ["d3"])
    assert "d3" in worst.baseline_found


def test_queries_alone_compare_answers_without_scoring_them(judged: Judged) -> None:
    judged.add(replace(judged.questions(), qrels={}, kind=QuerySetKind.LOG))
    judged.lose("v2", ["d3"])
    made = judged.evaluate()
    assert (made.scored, list(made.figures), made.kind) == (0, [], QuerySetKind.LOG)
    assert made.lost.lost > 0
    assert not made.lost.relevant_only
    assert made.agreement.overlap < 1.0


def test_a_question_that_leaves_nothing_to_ask_counts_0(judged: Judged) -> None:
    questions = judged.questions()
    blank = Query(id=QueryId("q0"), text=" \t", group="all")
    judged.add(replace(questions, queries=(blank, *questions.queries[1:])))
    made = judged.evaluate()
    assert made.candidate.empty == made.candidate.refused == 1
    assert made.scored == 8


def test_exact_search_stands_beside_the_index_unless_it_is_declined(judged: Judged) -> None:
    made = judged.evaluate()
    assert made.candidate.index_recall == 1.0
    assert made.candidate.exact["nDCG@10"] == made.figures[0].candidate
    without = judged.evaluate(options=Options(exact=False))
    assert without.candidate.index_recall is None
    outcomes = {gate.gate: gate.outcome for gate in without.gates}
    assert outcomes["index-recall"] == "error"


def test_questions_are_embedded_anew_each_time(judged: Judged) -> None:
    model = judged.stage.model("v2")
    judged.evaluate()
    first = len(model.embedded)
    judged.evaluate()
    assert len(model.embedded) - first == 9  # eight questions, and one to warm up


def test_tokens_and_vectors_are_counted(judged: Judged) -> None:
    made = judged.evaluate()
    assert made.candidate.tokens == 16
    assert made.candidate.cost_per_thousand is None
    assert made.candidate.vector_bytes == made.candidate.chunks * 16 * 4


def test_a_run_kept_under_a_name_is_a_baseline_later(judged: Judged) -> None:
    judged.evaluate("v1", baseline="v1", options=Options(save_as="june"))
    judged.lose("v1", ["d1", "d2"])
    made = judged.evaluate("v2", baseline="june")
    assert made.evaluation.baseline == "v1"
    assert made.figures[0].baseline > judged.evaluate("v1").figures[0].candidate
    with pytest.raises(ConflictError, match="june"):
        judged.evaluate("v2", options=Options(save_as="june"))
    with pytest.raises(ConflictError, match="holds 100 documents"):
        judged.evaluate("v2", baseline="june", options=Options(depth=200))
    judged.add(judged.questions(5))
    with pytest.raises(ConflictError, match="items@1"):
        judged.evaluate("v2", baseline="june")


def test_progress_is_told_question_by_question(judged: Judged) -> None:
    told: list[Asked] = []
    evaluate(
        judged.stage.session,
        INDEX,
        judged.stage.release("v2").name,
        baseline="active",
        queries=ITEMS,
        options=Options(),
        progress=told.append,
    )
    assert [one.questions for one in told] == list(range(1, 9))


def test_a_model_that_goes_down_leaves_nothing_stored(judged: Judged) -> None:
    judged.stage.model("v2").survives = 4
    with pytest.raises(UnavailableError):
        judged.evaluate()
    with judged.stage.store.read() as view:
        assert view.runs.all(INDEX) == []


def test_what_cannot_be_asked_is_refused_with_what_can(judged: Judged) -> None:
    with pytest.raises(NotFoundError) as caught:
        judged.evaluate(baseline="nosuch")
    assert caught.value.known == ["active", "v1", "v2"]
    judged.stage.create("v3", seed=3)
    with pytest.raises(RefusedError, match="cannot be asked"):
        judged.evaluate("v3")
    with pytest.raises(BadInputError, match="fit together"):
        judged.evaluate(options=Options(k=20, depth=10))


def test_before_the_first_promotion_there_is_nothing_to_compare_with(
    judged: Judged,
) -> None:
    stage, other = judged.stage, IndexName("other")
    with stage.store.begin() as tx:
        tx.indexes.create(other, at=stage.clock.now())
        release = replace(tx.releases.get(INDEX, ReleaseName("v2")), index=other)
        tx.releases.add(release)
    query_sets.add(stage.session, other, ITEMS, judged.questions())
    with pytest.raises(RefusedError, match="nothing answers"):
        evaluate(
            stage.session,
            other,
            release.name,
            baseline="active",
            queries=ITEMS,
            options=Options(),
        )


def test_the_same_questions_again_make_no_version(judged: Judged) -> None:
    assert judged.add() == 1
    assert judged.add(judged.questions(7)) == 2
    assert judged.add() == 3
    with pytest.raises(BadInputError, match="no query"):
        judged.add(replace(judged.questions(), queries=()))


def test_known_items_are_the_same_for_the_same_corpus_and_seed(judged: Judged) -> None:
    session = judged.stage.session

    def texts(seed: int) -> Questions:
        made, _ = query_sets.known_items(session, INDEX, ITEMS, count=5, seed=seed)
        return made.questions

    assert texts(1).digest() == texts(1).digest()
    assert texts(1).digest() != texts(2).digest()
    assert texts(3).kind is QuerySetKind.KNOWN_ITEM
    assert texts(3).judgements == 5


def test_a_sentence_that_begins_two_documents_asks_for_neither(judged: Judged) -> None:
    judged.stage.write(
        {"a": "The same beginning here. One.", "b": "The same beginning here. Two."}
    )
    made, _ = query_sets.known_items(judged.stage.session, INDEX, ITEMS, count=50, seed=0)
    assert "The same beginning here" not in {q.text for q in made.questions.queries}
    assert len(made.questions.queries) == 8


def test_judging_makes_the_next_version_and_names_what_is_unknown(judged: Judged) -> None:
    session = judged.stage.session
    d1 = next(iter(judged.questions().qrels[QueryId("q1")]))
    made, new = query_sets.judge(session, INDEX, ITEMS, {QueryId("q2"): {d1: 2}})
    assert (made.version, new) == (2, True)
    assert made.questions.qrels[QueryId("q2")] == {"d1": 2, "d2": 1}
    with pytest.raises(NotFoundError, match="q99"):
        query_sets.judge(session, INDEX, ITEMS, {QueryId("q99"): {d1: 1}})
