"""What a promotion hears: only a fresh evaluation of exactly these two, judged as declared."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.operations.evaluate.conftest import Judged

from repoint.domain.errors import BadInputError, NotReadyError
from repoint.domain.ids import ReleaseName
from repoint.domain.policy import (
    CostGate,
    EmptyAnswersGate,
    Gate,
    LatencyGate,
    LostDocumentsGate,
    Policy,
    RecallGate,
    RelevanceGate,
)
from repoint.domain.readiness import Status
from repoint.operations import ending, policies
from repoint.operations.evaluate import StoredEvaluations
from repoint.testing.stage import INDEX

PASSING = EmptyAnswersGate()


def policy(*gates: Gate, **limits: float) -> Policy:
    return Policy(
        gates=gates or (PASSING,),
        expires_hours=limits.get("hours", 24.0),
        max_lag=int(limits.get("lag", 10)),
    )


def reopen(judged: Judged, made: Policy, *, name: str = "v2") -> None:
    """End the open rollout, so that the next one begins with this policy."""
    session = judged.stage.session
    ending.abort(session, INDEX, reason="another policy")
    policies.set_policy(session, INDEX, made, reason="a test")
    with judged.stage.store.begin() as tx:
        tx.pointers.open_rollout(INDEX, ReleaseName(name), at=judged.stage.clock.now())


def refused(judged: Judged, *, why: str | None = None) -> str:
    with pytest.raises(NotReadyError) as caught:
        judged.promote(why=why)
    with judged.stage.store.read() as view:
        assert view.pointers.pointer(INDEX).active == "v1"
    return caught.value.message


def outcomes(judged: Judged) -> dict[str, str]:
    found = StoredEvaluations(judged.stage.session).verdict(
        INDEX, ReleaseName("v2"), against=ReleaseName("v1")
    )
    return {one.check: one.summary.split(":")[0] for one in found}


def test_what_passes_is_promoted_without_a_word_of_override(judged: Judged) -> None:
    reopen(judged, policy())
    made = judged.evaluate()
    report = judged.promote()
    assert report.epoch == 2
    told = {one.check: one for one in report.findings}
    assert told["evaluation"].figures["evaluation"] == made.evaluation.id
    assert told["evaluation"].figures["policy"] == 1
    assert told["gate:empty-answers"].status is Status.OK
    with judged.stage.store.read() as view:
        (move, *_) = view.pointers.moves(INDEX)
    assert "gate:empty-answers" in move.checked


def test_nobody_measured_these_two(judged: Judged) -> None:
    judged.evaluate("v1")  # another pair
    judged.evaluate("v2", baseline="v2")
    assert "nobody measured v2 against v1" in refused(judged)


def test_an_old_evaluation_counts_for_nothing(judged: Judged) -> None:
    reopen(judged, policy(hours=2.0))
    judged.evaluate()
    judged.stage.clock.advance(timedelta(hours=2))
    assert outcomes(judged)["gate:empty-answers"] == "pass"
    judged.stage.clock.advance(timedelta(minutes=1))
    assert "hours old, more than 2" in refused(judged)


def test_an_evaluation_of_another_corpus_counts_for_nothing(judged: Judged) -> None:
    reopen(judged, policy(lag=3))
    judged.evaluate()
    judged.stage.write({f"n{n}": f"new {n}" for n in range(3)})
    assert outcomes(judged)["gate:empty-answers"] == "pass"
    judged.stage.write({"n9": "one more"})
    assert "4 log rows behind, more than 3" in refused(judged)


def test_an_evaluation_on_an_older_version_of_the_set_counts_for_nothing(
    judged: Judged,
) -> None:
    judged.evaluate()
    judged.add(judged.questions(6))
    assert "used items@1, and version 2 is the newest" in refused(judged)


def test_a_policy_may_name_the_query_set(judged: Judged) -> None:
    reopen(judged, Policy(queries="clinic", gates=(PASSING,)))
    judged.evaluate()
    assert "nobody measured" in refused(judged)


def test_an_open_rollout_is_judged_by_the_policy_it_began_with(judged: Judged) -> None:
    reopen(judged, policy())
    impossible = policy(RecallGate(measure="P@1", minimum=1.0), CostGate(ratio=0.1))
    _, kept_by = policies.set_policy(judged.stage.session, INDEX, impossible, reason="stricter")
    assert kept_by == "v2"
    judged.evaluate()
    assert judged.promote().epoch == 2


def test_a_loss_is_refused_and_no_reason_talks_it_away(judged: Judged) -> None:
    reopen(judged, policy(RelevanceGate(), LostDocumentsGate(share=0.1)))
    judged.stage.write({f"d{n}": f"document {n}." for n in range(8, 20)})
    judged.stage.revive("v1")
    judged.stage.revive("v2")
    judged.add(judged.questions(20))
    judged.lose("v2", [f"d{n}" for n in range(20)])
    judged.evaluate()
    assert outcomes(judged)["gate:relevance"] == "fail"
    message = refused(judged, why="I want it")
    assert "fail: nDCG@10 changes by -" in message
    assert "relevant documents that the baseline finds" in message


def test_a_doubt_is_refused_with_what_it_would_take_and_may_be_overridden(
    judged: Judged,
) -> None:
    reopen(judged, policy(RelevanceGate()))
    judged.evaluate()
    message = refused(judged)
    assert "inconclusive: nDCG@10" in message
    assert "queries would catch a loss of 5" in message
    report = judged.promote(why="eight questions will have to do")
    told = {one.check: one for one in report.findings}
    assert told["gate:relevance"].status is Status.WARNING
    assert "eight questions will have to do" in told["gate:relevance"].summary


def test_a_policy_may_let_a_doubt_pass_with_a_warning(judged: Judged) -> None:
    reopen(judged, Policy(gates=(RelevanceGate(),), inconclusive_refuses=False))
    judged.evaluate()
    told = {one.check: one.status for one in judged.promote().findings}
    assert told["gate:relevance"] is Status.WARNING


@pytest.mark.parametrize(
    ("gate", "name", "outcome"),
    [
        (RelevanceGate(groups=True), "relevance:all", "inconclusive"),
        (RecallGate(minimum=0.0), "recall", "pass"),
        (RecallGate(measure="P@10", minimum=0.9), "recall", "fail"),
        (LatencyGate(p95_ms=0.1), "latency:p95", "pass"),  # the clock stands still
        (LatencyGate(p95_ratio=2.0), "latency:p95-ratio", "error"),
        (CostGate(per_thousand_queries=1.0), "cost:per-thousand-queries", "error"),
        (CostGate(ratio=1.0), "cost:ratio", "error"),
        (CostGate(storage_ratio=1.0), "cost:storage-ratio", "pass"),
        (CostGate(storage_ratio=0.5), "cost:storage-ratio", "fail"),
        (LostDocumentsGate(share=0.0), "lost-documents", "pass"),
        (EmptyAnswersGate(), "empty-answers", "pass"),
    ],
)
def test_each_gate_says_its_outcome(
    judged: Judged, gate: Gate, name: str, outcome: str
) -> None:
    reopen(judged, policy(gate))
    judged.evaluate()
    assert outcomes(judged)[f"gate:{name}"] == outcome


def test_groups_that_are_not_there_fail(judged: Judged) -> None:
    reopen(judged, policy(RelevanceGate(groups=True)))
    judged.add(judged.questions(group=""))
    judged.evaluate()
    assert outcomes(judged)["gate:relevance"] == "fail"


def test_a_measured_loss_stands_when_its_evaluation_is_outdated(judged: Judged) -> None:
    reopen(judged, policy(RecallGate(measure="P@1", minimum=2.0), hours=2.0, lag=3))
    judged.evaluate()
    assert "fail: " in refused(judged, why="we like it")
    outdated = (
        lambda: judged.add(judged.questions(6)),
        lambda: judged.stage.write({f"n{n}": f"new {n}" for n in range(4)}),
        lambda: judged.stage.clock.advance(timedelta(hours=3)),
    )
    for happens in outdated:
        happens()
        assert "fail: " in refused(judged, why="we like it")


def test_of_an_outdated_evaluation_that_passed_only_its_age_is_told(judged: Judged) -> None:
    reopen(judged, policy(lag=3))
    judged.evaluate()
    judged.stage.write({f"n{n}": f"new {n}" for n in range(4)})
    assert list(outcomes(judged)) == ["evaluation"]
    assert judged.promote(why="it is known to be good").epoch == 2


def test_an_override_says_why(judged: Judged) -> None:
    with pytest.raises(BadInputError, match="needs a reason"):
        judged.promote(why="  ")
