"""Citations and groundedness of two releases: compared, gated, and without a judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import stamina
from tests.unit.operations.guard.watching import ITEMS, prepare

from repoint.domain.errors import (
    BadInputError,
    BadSpecError,
    MissingModelError,
    NotFoundError,
    RefusedError,
)
from repoint.domain.expected import Expected, Span
from repoint.domain.gates import GateResult, Outcome
from repoint.domain.ids import QueryId, ReleaseName
from repoint.domain.policy import CitationsGate, Gate, GroundednessGate, Policy
from repoint.domain.queries import QuerySetKind, Questions
from repoint.domain.spec import PromptSpec
from repoint.operations import query_sets, releases
from repoint.operations.evaluate import Options, Report, evaluate, report, spans_outside
from repoint.operations.evaluate.evaluating import read
from repoint.operations.evaluate.gating import judge
from repoint.operations.evaluate.grounding import GIVE_UP
from repoint.operations.session import Session
from repoint.testing.provider import Provider, Reply
from repoint.testing.stage import INDEX, Stage, spec
from repoint.testing.talk import FREELY
from repoint.wiring.config import ChatConfig
from repoint.wiring.judges import ConfiguredJudges

LEXICAL = Options(judge="lexical", depth=10, passages=5)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Forty documents; v1 answers, v2 is in step; every question knows document and answer."""
    with Stage(folder=tmp_path_factory.mktemp("answers") / "prepared") as stage:
        prepare(stage)
        stage.revive("v2")
        expect(stage)
        yield stage


@pytest.fixture
def stage(prepared: Stage, tmp_path: Path) -> Iterator[Stage]:
    with prepared.twin(tmp_path / "stage") as stage:
        yield stage


def questions(stage: Stage) -> Questions:
    with stage.store.read() as view:
        return view.query_sets.get(INDEX, ITEMS).questions


def expect(stage: Stage, more: Mapping[QueryId, Expected] | None = None) -> None:
    """Add a version that cites each question's document, whose first sentence is the answer."""
    asked = questions(stage)
    known = {
        query.id: Expected(
            citations=dict.fromkeys(asked.qrels[query.id], ()), answer=query.text
        )
        for query in asked.queries
    }
    groups = tuple(
        replace(query, group="odd" if place % 2 else "even")
        for place, query in enumerate(asked.queries)
    )
    changed = replace(asked, queries=groups, expected={**known, **(more or {})})
    query_sets.add(stage.session, INDEX, ITEMS, changed)


def damage(stage: Stage, *, group: str = "") -> None:
    """Take the documents of the questions out of v2's collection."""
    asked = questions(stage)
    gone = [
        document
        for query in asked.queries
        if not group or query.group == group
        for document in asked.qrels[query.id]
    ]
    stage.space("v2").collection.purge(gone)


def measure(
    stage: Stage, options: Options = LEXICAL, *, by: Session | None = None, baseline: str = ""
) -> Report:
    return evaluate(
        by or stage.session,
        INDEX,
        ReleaseName("v2"),
        baseline=baseline or "active",
        queries=ITEMS,
        options=options,
    )


def outcomes(stage: Stage, made: Report, *gates: Gate) -> dict[str, GateResult]:
    """Return what these gates would say of an evaluation."""
    comparison, _ = read(stage.session, made.evaluation)
    return {one.gate: one for one in judge(comparison, Policy(gates=gates), seed=0)}


def test_two_sound_releases_cite_and_support_alike(stage: Stage) -> None:
    made = measure(stage)
    assert made.citations is not None
    assert made.grounding is not None
    f1, precision, recall = made.citations.figures
    assert (f1.measure, precision.measure, recall.measure) == (
        "CitationF1@5",
        "CitationP@5",
        "CitationR@5",
    )
    assert (recall.baseline, recall.candidate, recall.difference) == (1.0, 1.0, 0.0)
    assert precision.candidate == pytest.approx(1 / 5)
    (grounded,) = made.grounding.figures
    assert (grounded.baseline, grounded.candidate, grounded.p) == (1.0, 1.0, 1.0)
    assert made.grounding.judge == "lexical"
    assert [one.group for one in made.grounding.groups] == ["even", "odd"]
    assert made.grounding.candidate.failed == 0


def test_damage_shows_in_citations_and_in_support(stage: Stage) -> None:
    damage(stage)
    made = measure(stage)
    assert made.citations is not None
    assert made.grounding is not None
    assert made.citations.figures[2].candidate == 0.0
    (grounded,) = made.grounding.figures
    assert grounded.candidate < 0.5
    assert grounded.high < 0
    worst = made.grounding.worse[0]
    assert (worst.baseline, worst.candidate) == (1.0, 0.0)
    assert worst.unsupported[0] in worst.text


def test_a_stored_evaluation_says_the_same_of_sources_and_answers(stage: Stage) -> None:
    damage(stage, group="odd")
    made = measure(stage)
    assert report(stage.session, made.evaluation) == made


def test_nothing_is_said_of_what_is_not_expected_or_not_judged(stage: Stage) -> None:
    query_sets.add(stage.session, INDEX, ITEMS, replace(questions(stage), expected={}))
    made = measure(stage, Options(depth=10))
    assert (made.citations, made.grounding) == (None, None)


def test_no_text_of_an_answer_is_in_a_stored_run(stage: Stage) -> None:
    measure(stage)
    with stage.store.read() as view:
        run = view.runs.get(INDEX, view.runs.all(INDEX)[0].id)
    asked = questions(stage)
    assert run.grounding is not None
    assert len(run.grounding.verdicts) == len(asked.queries)
    assert not any(query.text in repr(run.grounding) for query in asked.queries)


def test_a_cited_span_is_held_by_the_chunk_that_has_it(stage: Stage) -> None:
    release = spec(seed=3, chunk=20)
    releases.create(stage.session, INDEX, ReleaseName("v3"), release, stage.drivers)
    stage.revive("v3")
    asked = questions(stage)
    first = asked.queries[0]
    (document,) = asked.qrels[first.id]
    with stage.store.read() as view:
        row = view.log.get(INDEX, [document])[document]
    assert row.document is not None
    text = row.document.text
    whole = Expected(citations={document: (Span(start=0, end=12),)}, answer="x is a thing")
    beyond = Expected(citations={document: (Span(start=0, end=len(text) + 9),)})
    expect(stage, {first.id: whole, asked.queries[1].id: beyond})
    assert spans_outside(stage.session, INDEX, questions(stage)) == 1
    made = evaluate(
        stage.session,
        INDEX,
        ReleaseName("v3"),
        baseline="v1",
        queries=ITEMS,
        options=Options(depth=10),
    )
    with stage.store.read() as view:
        runs = {one.release: view.runs.get(INDEX, one.id) for one in view.runs.all(INDEX)}
    assert first.id not in runs[ReleaseName("v1")].astray  # its whole text is one passage
    assert made.citations is not None
    # What v3 found of the document is the chunk nearest to the question, or it is astray.
    found = document in runs[ReleaseName("v3")].ranked[first.id][:5]
    assert found or first.id not in runs[ReleaseName("v3")].astray


# Gates


def test_gates_pass_what_holds_and_stop_a_group_s_loss(stage: Stage) -> None:
    gates = (
        GroundednessGate(minimum=0.9, groups=True, minimum_queries=10),
        CitationsGate(measure="CitationR@5", groups=True, minimum_queries=10),
    )
    sound = outcomes(stage, measure(stage), *gates)
    assert {one.outcome for one in sound.values()} == {Outcome.PASS}
    damage(stage, group="odd")
    hurt = outcomes(stage, measure(stage), *gates)
    assert {name: one.outcome.value for name, one in hurt.items()} == {
        "groundedness:minimum": "fail",
        "groundedness": "fail",
        "groundedness:even": "pass",
        "groundedness:odd": "fail",
        "citations": "fail",
        "citations:even": "pass",
        "citations:odd": "fail",
    }


def test_a_gate_without_a_judge_or_by_another_one_is_an_error(stage: Stage) -> None:
    made = measure(stage, Options(depth=10))
    gate = outcomes(stage, made, GroundednessGate())["groundedness"]
    assert gate.outcome is Outcome.ERROR
    assert "evaluate with --judge" in gate.summary
    gate = outcomes(stage, measure(stage), GroundednessGate(judge="gpt"))["groundedness"]
    assert gate.outcome is Outcome.ERROR
    assert "lexical judged, not gpt" in gate.summary


def test_a_baseline_that_nobody_judged_leaves_the_floor_alone(stage: Stage) -> None:
    evaluate(
        stage.session,
        INDEX,
        ReleaseName("v1"),
        baseline="v1",
        queries=ITEMS,
        options=Options(depth=10, save_as="june"),
    )
    made = measure(stage, baseline="june")
    found = outcomes(stage, made, GroundednessGate(minimum=0.5))
    assert found["groundedness:minimum"].outcome is Outcome.PASS
    assert found["groundedness"].outcome is Outcome.ERROR
    assert made.grounding is not None
    assert (made.grounding.baseline, list(made.grounding.figures)) == (None, [])


def test_a_gate_on_citations_without_any_is_inconclusive(stage: Stage) -> None:
    query_sets.add(stage.session, INDEX, ITEMS, replace(questions(stage), expected={}))
    made = measure(stage, Options(depth=10))
    gate = outcomes(stage, made, CitationsGate())["citations"]
    assert gate.outcome is Outcome.INCONCLUSIVE
    assert "expected citations" in gate.summary


# What cannot be judged


def test_a_set_without_answers_is_refused_before_anything_is_asked(stage: Stage) -> None:
    query_sets.add(stage.session, INDEX, ITEMS, replace(questions(stage), expected={}))
    before = len(stage.model("v2").embedded)
    with pytest.raises(BadInputError, match="no answers to judge"):
        measure(stage)
    with pytest.raises(BadInputError, match="judged by nobody"):
        measure(stage, Options(answer_with="gpt"))
    with pytest.raises(BadInputError, match="passages"):
        measure(stage, Options(depth=10, passages=11))
    expect(stage)
    with pytest.raises(NotFoundError, match="gpt"):
        measure(stage, Options(judge="gpt"))
    assert len(stage.model("v2").embedded) == before


def test_answers_without_a_verdict_are_left_out_and_too_many_are_an_error(
    stage: Stage,
) -> None:
    asked = questions(stage)
    expect(stage, {asked.queries[0].id: Expected(answer="—")})
    made = measure(stage)
    assert made.grounding is not None
    assert made.grounding.candidate.failed == 1
    assert made.grounding.figures[0].queries == 39
    assert "no sentence" in made.grounding.candidate.why
    assert outcomes(stage, made, GroundednessGate())["groundedness"].outcome is Outcome.PASS

    expect(stage, {query.id: Expected(answer="—") for query in asked.queries[::2]})
    half = outcomes(stage, measure(stage), GroundednessGate(minimum=0.1))
    assert {one.outcome for one in half.values()} == {Outcome.ERROR}
    assert "20 of 40 answers have no verdict, at most 10%" in half["groundedness"].summary


# A model as judge


@pytest.fixture
def provider() -> Iterator[Provider]:
    with stamina.set_testing(True, attempts=1), Provider() as provider:
        yield provider


@pytest.fixture
def model(stage: Stage, provider: Provider) -> Iterator[Session]:
    """A session whose workspace configures the provider's model as ``gpt``."""
    config = ChatConfig(url=provider.url, model="judge-1", attempts=1)
    one = config.model_copy(update={"parallel": 1})
    judges = ConfiguredJudges({"gpt": config, "slow": one}, clock=stage.clock)
    yield replace(stage.session, judges=judges)
    judges.close()


def test_a_model_judges_what_words_judge(
    stage: Stage, provider: Provider, model: Session
) -> None:
    damage(stage, group="odd")
    made = measure(stage, replace(LEXICAL, judge="gpt"), by=model)
    words = measure(stage)
    assert made.grounding is not None
    assert words.grounding is not None
    assert made.grounding.figures == words.grounding.figures
    assert "model judge-1, prompt groundedness/1" in made.grounding.identity
    assert made.grounding.candidate.tokens == 7 * 40
    assert len(provider.received) == 80


def test_a_judge_that_always_fails_is_given_up_and_is_no_zero(
    stage: Stage, provider: Provider, model: Session
) -> None:
    provider.reply(*[Reply(status=500, body=b"out of order")] * 20)
    made = measure(stage, replace(LEXICAL, judge="slow"), by=model)
    assert made.grounding is not None
    assert made.grounding.candidate.mean is None
    assert made.grounding.candidate.failed == 40
    assert "not asked after 5 failures in a row: unavailable" in made.grounding.candidate.why
    assert list(made.grounding.figures) == []
    found = outcomes(stage, made, GroundednessGate(minimum=0.1))
    assert {one.outcome for one in found.values()} == {Outcome.ERROR}
    assert "out of order" in found["groundedness:minimum"].summary
    assert len(provider.received) == GIVE_UP


def test_a_wrong_key_ends_the_evaluation_and_stores_nothing(
    stage: Stage, provider: Provider, model: Session
) -> None:
    provider.reply(*[Reply(status=401)] * 20)
    with pytest.raises(MissingModelError):
        measure(stage, replace(LEXICAL, judge="gpt"), by=model)
    with stage.store.read() as view:
        assert view.runs.all(INDEX) == []


# Answers made with the release's prompt


def prompted(stage: Stage, name: str, template: str) -> None:
    made = replace(spec(seed=1, chunk=None), prompt=PromptSpec(template=template, version=name))
    releases.create(stage.session, INDEX, ReleaseName(name), made, stage.drivers)
    stage.revive(name)


def test_a_changed_prompt_shows_in_what_its_answers_rest_on(
    stage: Stage, model: Session
) -> None:
    prompted(stage, "strict", "Use only these:\n\n{passages}\n\nQuestion: {question}")
    prompted(stage, "loose", f"{FREELY}: {{question}} ({{passages}})")
    query_sets.add(
        stage.session,
        INDEX,
        ITEMS,
        replace(questions(stage), expected={}, kind=QuerySetKind.JUDGED),
    )
    made = evaluate(
        model,
        INDEX,
        ReleaseName("loose"),
        baseline="strict",
        queries=ITEMS,
        options=replace(LEXICAL, answer_with="gpt"),
    )
    assert made.grounding is not None
    (figure,) = made.grounding.figures
    assert (figure.baseline, figure.candidate) == (1.0, 0.0)
    assert figure.high < 0
    assert made.grounding.candidate.answered_by == "model judge-1, prompt 'loose' of loose"
    assert made.grounding.worse[0].unsupported == []
    assert made.figures[0].difference == 0.0  # retrieval alone sees nothing


def test_a_release_without_a_usable_prompt_makes_no_answers(
    stage: Stage, provider: Provider, model: Session
) -> None:
    with pytest.raises(RefusedError, match="has no prompt"):
        measure(stage, replace(LEXICAL, answer_with="gpt"), by=model)
    prompted(stage, "blind", "Answer this: {question}")
    with pytest.raises(BadSpecError, match="passages"):
        evaluate(
            model,
            INDEX,
            ReleaseName("blind"),
            baseline="blind",
            queries=ITEMS,
            options=replace(LEXICAL, answer_with="gpt"),
        )
    assert provider.received == []
