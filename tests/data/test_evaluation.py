"""Evaluations and gates on real models and judged data: what is known of them comes out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ir_measures
import pytest
from tests.data.test_quality import KNOWN, MODELS

from repoint import Repoint
from repoint.client import Index
from repoint.domain.errors import NotReadyError
from repoint.domain.gates import GateResult, Outcome
from repoint.domain.measures import STANDARD
from repoint.domain.policy import LostDocumentsGate, Policy, RelevanceGate
from repoint.domain.queries import relevant
from repoint.domain.spec import ReleaseSpec
from repoint.operations.evaluate import Report
from repoint.operations.evaluate.evaluating import read
from repoint.operations.evaluate.gating import judge
from repoint.sources.files.opening import open_source

pytestmark = [pytest.mark.data, pytest.mark.models, pytest.mark.slow]

GROUP = "genetic changes"
BY_GROUP = Policy(queries="judged", gates=(RelevanceGate(groups=True),))
ON_AVERAGE = Policy(gates=(RelevanceGate(), LostDocumentsGate(share=0.3)))


@pytest.fixture(scope="module", params=["scifact", "medquad-small"])
def data_set(
    request: pytest.FixtureRequest, judged_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Index]]:
    """All three models on one corpus; wordllama answers, and groups count from the start."""
    name = str(request.param)
    folder = judged_data / name
    with Repoint.init(tmp_path_factory.mktemp(name) / "home") as repoint:
        index = repoint.create_index("docs")
        with open_source(folder / "corpus.jsonl") as source:
            for _ in index.ingest(document for _, document in source):
                pass
        index.judging.add_queries("judged", folder)
        index.judging.set_policy(BY_GROUP, reason="averages hide groups")
        for model in ("wordllama", "l6", "l3"):
            index.create_release(model, ReleaseSpec(model=MODELS[model]))
            index.sync(model)
            if model == "wordllama":
                index.promote(model)
        yield name, index


def value(report: Report, measure: str) -> tuple[float, float, float]:
    (figure,) = [one for one in report.figures if one.measure == measure]
    return figure.baseline, figure.candidate, figure.difference


def gate(results: list[GateResult] | tuple[GateResult, ...], name: str) -> GateResult:
    (found,) = [one for one in results if one.gate == name]
    return found


@pytest.mark.parametrize("candidate", ["l3", "l6"])
def test_an_evaluation_reproduces_what_is_known_of_each_model(
    data_set: tuple[str, Index], candidate: str
) -> None:
    name, index = data_set
    report = index.judging.evaluate(candidate, queries="judged")
    baseline, found, _ = value(report, "nDCG@10")
    assert baseline == pytest.approx(KNOWN[name, "wordllama"], abs=0.005)
    assert found == pytest.approx(KNOWN[name, candidate], abs=0.005)
    assert report.candidate.exact["nDCG@10"] == pytest.approx(found, abs=0.005)
    assert report.candidate.index_recall == pytest.approx(1.0, abs=0.01)
    assert report.candidate.latency is not None
    assert report.candidate.latency.embed.p50 > 0


def test_the_measures_are_pytrec_evals_to_nine_digits(data_set: tuple[str, Index]) -> None:
    _, index = data_set
    report = index.judging.evaluate("l3", queries="judged")
    run = index.judging.run(report.candidate.run)
    questions = index.judging.query_set("judged").questions
    qrels = {
        str(q): {str(d): g for d, g in rest.items()} for q, rest in questions.qrels.items()
    }
    ranked = {
        str(query): {str(d): -float(rank) for rank, d in enumerate(found)}
        for query, found in run.ranked.items()
    }
    theirs = ir_measures.calc_aggregate(
        [ir_measures.parse_measure(str(one)) for one in STANDARD], qrels, ranked
    )
    ours = {one.measure: one.candidate for one in report.figures}
    assert {str(name): figure for name, figure in theirs.items()} == pytest.approx(
        ours, abs=1e-9
    )


def test_the_gain_of_the_larger_model_has_its_known_interval(
    data_set: tuple[str, Index],
) -> None:
    name, index = data_set
    if name != "scifact":
        pytest.skip("the interval is known on scifact")
    report = index.judging.evaluate("l6", queries="judged", baseline="l3")
    figure = report.figures[0]
    assert figure.difference == pytest.approx(0.134, abs=0.005)
    assert (figure.low, figure.high) == pytest.approx((0.094, 0.174), abs=0.01)
    assert figure.p < 0.001


def test_a_group_s_gate_stops_what_the_average_would_pass(data_set: tuple[str, Index]) -> None:
    name, index = data_set
    if name != "medquad-small":
        pytest.skip("the group is medquad's")
    report = index.judging.evaluate("l6", queries="judged")
    (group,) = [one for one in report.groups if one.group == GROUP]
    assert group.figures[0].baseline == pytest.approx(0.393, abs=0.005)
    assert group.figures[0].candidate == pytest.approx(0.378, abs=0.005)
    assert value(report, "nDCG@10")[2] > 0.1

    stopped = gate(list(report.gates), f"relevance:{GROUP}")
    assert stopped.outcome is Outcome.INCONCLUSIVE
    needed = stopped.figures["queries_needed"]
    assert isinstance(needed, int)
    assert needed > group.queries
    with pytest.raises(NotReadyError, match=f"inconclusive: nDCG@10 of '{GROUP}'"):
        index.promote("l6", reason="better on average")

    comparison, _ = read(index.judging._session, report.evaluation)  # noqa: SLF001 - as it judges
    averages = judge(comparison, ON_AVERAGE, seed=0)
    assert {one.outcome for one in averages} == {Outcome.PASS}


def test_a_group_s_real_loss_fails_though_the_average_rises(
    data_set: tuple[str, Index],
) -> None:
    name, index = data_set
    if name != "medquad-small":
        pytest.skip("the group is medquad's")
    questions = index.judging.query_set("judged").questions
    answers = {
        document
        for query in questions.queries
        if query.group == GROUP
        for document in relevant(questions.qrels, query.id)
    }
    session = index.judging._session  # noqa: SLF001 - the damage is done past repoint
    session.spaces.open(index.release("l3")).collection.purge(sorted(answers))
    report = index.judging.evaluate("l3", queries="judged")
    index.repair("l3")
    assert value(report, "nDCG@10")[2] > 0
    failed = gate(list(report.gates), f"relevance:{GROUP}")
    assert failed.outcome is Outcome.FAIL
    comparison, _ = read(session, report.evaluation)
    (average,) = judge(comparison, Policy(gates=(RelevanceGate(),)), seed=0)
    assert average.outcome is Outcome.PASS
