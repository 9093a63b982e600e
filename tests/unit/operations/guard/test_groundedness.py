"""A release under guard whose answers rest less on what it retrieves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import stamina
from tests.unit.operations.guard.watching import (
    ITEMS,
    guard,
    look,
    outcomes,
    pointer,
    prepare,
    watch,
)

from repoint.domain.expected import Expected
from repoint.domain.gates import Outcome
from repoint.domain.guarding import DecisionState
from repoint.domain.ids import Actor, ReleaseName
from repoint.domain.triggers import CitationsTrigger, GroundednessTrigger, NoData
from repoint.operations import query_sets
from repoint.operations.evaluate import Options, evaluate
from repoint.operations.guard.looking import Seen
from repoint.operations.session import Session
from repoint.testing.provider import Provider, Reply
from repoint.testing.stage import INDEX, Stage
from repoint.wiring.config import ChatConfig
from repoint.wiring.judges import ConfiguredJudges


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """As ``prepared``, and each question knows its answer and the document to cite."""
    with Stage(folder=tmp_path_factory.mktemp("grounded") / "prepared") as stage:
        prepare(stage)
        with stage.store.read() as view:
            asked = view.query_sets.get(INDEX, ITEMS).questions
        known = {
            one.id: Expected(answer=one.text, citations=dict.fromkeys(asked.qrels[one.id], ()))
            for one in asked.queries
        }
        query_sets.add(stage.session, INDEX, ITEMS, replace(asked, expected=known))
        yield stage


@pytest.fixture
def stage(answering: Stage, tmp_path: Path) -> Iterator[Stage]:
    with answering.twin(tmp_path / "stage") as stage:
        yield stage


def damage(stage: Stage) -> None:
    """Take every document that a question asks for out of v2's collection."""
    with stage.store.read() as view:
        qrels = view.query_sets.get(INDEX, ITEMS).questions.qrels
    stage.space("v2").collection.purge([doc for judged in qrels.values() for doc in judged])


def judge_v1(stage: Stage) -> None:
    """Store a run of v1 that the offline judge judged, as an evaluation does."""
    evaluate(
        stage.session,
        INDEX,
        ReleaseName("v1"),
        baseline="v1",
        queries=ITEMS,
        options=Options(judge="lexical", depth=10),
    )


def result(seen: Seen, trigger: str) -> tuple[Outcome, str]:
    assert seen.look is not None
    (found,) = [one for one in seen.look.results if one.trigger == trigger]
    return found.outcome, found.summary


FLOOR = GroundednessTrigger(minimum=0.8, tolerance=None, sample=40, minimum_samples=20)


def test_a_sound_release_passes_and_a_damaged_one_is_rolled_back(stage: Stage) -> None:
    judge_v1(stage)
    watch(stage, replace(FLOOR, tolerance=0.05), CitationsTrigger(measure="CitationR@5"))
    by = guard(stage)
    assert outcomes(look(stage, by)) == {
        "groundedness:minimum": "pass",
        "groundedness": "pass",
        "citations": "pass",
    }
    damage(stage)
    seen = look(stage, by)
    assert set(outcomes(seen).values()) == {"fail"}
    assert seen.decision is not None
    assert seen.decision.state is DecisionState.DONE
    assert "supported, at least 80.0%" in seen.decision.why
    assert pointer(stage).active == "v1"


def test_verdicts_of_earlier_looks_count_while_they_are_within_the_window(
    stage: Stage,
) -> None:
    watch(stage, replace(FLOOR, sample=8, minimum_samples=24, window=timedelta(minutes=16)))
    by = guard(stage)
    seen = [look(stage, by) for _ in range(6)]
    said = [result(one, "groundedness:minimum") for one in seen]
    assert [one.value for one, _ in said] == ["inconclusive"] * 2 + ["pass"] * 4
    assert "8 judged answers: no data" in said[0][1]
    assert "32 answers" in said[3][1]
    assert "32 answers" in said[4][1]  # the first look's are too old by now
    judged = [set(one.look.results[0].figures["judged"]) for one in seen if one.look]  # type: ignore[arg-type]  # names
    assert all(not one & other for one, other in pairwise(judged[:5]))
    assert len(set().union(*judged[:5])) == 40


def test_too_few_answers_are_no_data_and_may_be_a_failure(stage: Stage) -> None:
    watch(stage, replace(FLOOR, sample=5, no_data=NoData.FAIL))
    outcome, summary = result(look(stage), "groundedness:minimum")
    assert outcome is Outcome.FAIL
    assert "no data, which is declared a failure" in summary


def test_without_a_judged_run_of_the_fallback_nothing_is_compared(stage: Stage) -> None:
    watch(stage, GroundednessTrigger())
    outcome, summary = result(look(stage), "groundedness")
    assert outcome is Outcome.INCONCLUSIVE
    assert "evaluate with the same --judge" in summary


def test_a_set_without_answers_or_an_unknown_judge_is_an_error(stage: Stage) -> None:
    watch(stage, replace(FLOOR, judge="gpt"))
    outcome, summary = result(look(stage), "groundedness")
    assert outcome is Outcome.ERROR
    assert "gpt" in summary
    with stage.store.read() as view:
        asked = view.query_sets.get(INDEX, ITEMS).questions
    query_sets.add(stage.session, INDEX, ITEMS, replace(asked, expected={}))
    outcome, summary = result(look(stage), "groundedness")
    assert outcome is Outcome.ERROR


def test_answers_whose_documents_changed_are_not_held_against_the_fallback_s_day(
    stage: Stage,
) -> None:
    judge_v1(stage)
    watch(stage, GroundednessTrigger(sample=40, minimum_samples=10))
    stage.clock.advance(timedelta(seconds=1))
    with stage.store.read() as view:
        qrels = view.query_sets.get(INDEX, ITEMS).questions.qrels
    cited = sorted(doc for judged in qrels.values() for doc in judged)[:25]
    stage.write(dict.fromkeys(cited, "written anew, about something else"))
    stage.revive("v2")
    outcome, summary = result(look(stage), "groundedness")
    assert outcome is Outcome.PASS
    assert "on 15 answers" in summary


@pytest.fixture
def provider() -> Iterator[Provider]:
    with stamina.set_testing(True, attempts=1), Provider() as provider:
        yield provider


def with_model(stage: Stage, provider: Provider) -> tuple[Session, ConfiguredJudges]:
    config = ChatConfig(url=provider.url, model="judge-1", parallel=1)
    judges = ConfiguredJudges({"gpt": config}, clock=stage.clock)
    return replace(stage.open(Actor("guard")), judges=judges), judges


def test_a_judge_that_is_down_is_an_error_and_counts_when_the_policy_says_so(
    stage: Stage, provider: Provider
) -> None:
    watch(stage, replace(FLOOR, judge="gpt", error_limit=2))
    by, judges = with_model(stage, provider)
    assert outcomes(look(stage, by)) == {"groundedness:minimum": "pass"}
    provider.reply(*[Reply(status=503, body=b"overloaded")] * 10)
    first = look(stage, by)
    outcome, summary = result(first, "groundedness")
    assert outcome is Outcome.ERROR
    assert "40 of 40 answers have no verdict" in summary
    assert "overloaded" in summary
    assert first.decision is None
    second = look(stage, by)
    judges.close()
    assert second.decision is not None
    assert pointer(stage).active == "v1"


def test_a_few_answers_without_a_verdict_do_not_hide_the_rest(
    stage: Stage, provider: Provider
) -> None:
    watch(stage, replace(FLOOR, judge="gpt"))
    by, judges = with_model(stage, provider)
    provider.reply(*[Reply(status=400, body=b"too long")] * 4)
    outcome, summary = result(look(stage, by), "groundedness:minimum")
    judges.close()
    assert outcome is Outcome.PASS
    assert "36 answers" in summary
