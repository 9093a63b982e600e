"""A guard ends a canary whose candidate is surely worse, or does not answer."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import timedelta

import pytest
from tests.unit.operations.guard.watching import guard, look, outcomes, pointer

from repoint.domain.guarding import DecisionState
from repoint.domain.ids import Epoch, ProcessId, ReleaseName
from repoint.domain.policy import EmptyAnswersGate, Policy
from repoint.domain.telemetry import Arm, Count, Period, Tally
from repoint.domain.triggers import (
    Act,
    CanaryTrigger,
    GuardRules,
    LatencyTrigger,
    NoData,
    Trigger,
)
from repoint.operations import policies
from repoint.operations.guard import acting
from repoint.operations.telemetry.retention import FINEST
from repoint.ports.store.traffic import Measured
from repoint.testing import invariants
from repoint.testing.stage import INDEX, Stage

V2 = ReleaseName("v2")


def tried(stage: Stage, *triggers: Trigger, interleaved: bool = False) -> None:
    """Declare triggers, and let v2 answer half of the keys."""
    rules = GuardRules(rollbacks=0)
    policy = Policy(gates=(EmptyAnswersGate(),), guard=rules, triggers=triggers)
    policies.set_policy(stage.session, INDEX, policy, reason="before the update")
    stage.revive("v2")
    stage.canary("v2", share=0.5, interleaved=interleaved)


def heard(stage: Stage, *given: tuple[Arm, Iterable[float]]) -> None:
    """Store what came of answers, the arms by turns as they come."""
    since = Epoch(2)
    with stage.store.begin() as tx:
        start = len(tx.feedback.outcomes(INDEX, since=since))
        mixed = [(arm, one) for arm, values in given for one in values]
        random.Random(3).shuffle(mixed)  # noqa: S311 - no secret
        for number, (arm, outcome) in enumerate(mixed, start=start):
            tx.feedback.add(
                INDEX,
                since=since,
                unit=f"key {number}",
                arm=arm,
                outcome=outcome,
                at=stage.clock.now(),
            )


def used(share: float, count: int = 1_000) -> list[float]:
    return [float(number < share * count) for number in range(count)]


def answered(stage: Stage, *, asked: int, failed: int) -> None:
    """Store what v2's arm counted just now."""
    tally = Tally()
    tally.counts[Count.QUERIES], tally.counts[Count.FAILED] = asked, failed
    period = Period.around(INDEX, V2, Arm.CANARY, at=stage.clock.now(), width=FINEST)
    with stage.store.begin() as tx:
        tx.telemetry.put([Measured(period=period, process=ProcessId("p"), tally=tally)])


def test_a_candidate_that_is_surely_worse_is_taken_away_and_held(stage: Stage) -> None:
    tried(stage, CanaryTrigger())
    heard(stage, (Arm.CANARY, used(0.2)), (Arm.BASELINE, used(0.5)))
    seen = look(stage)
    assert outcomes(seen) == {"canary": "fail"}
    decision = seen.decision
    assert decision is not None
    # ``rollbacks`` is 0 here: to end a canary is no rollback that a cap counts.
    assert (decision.act, decision.state) == (Act.ROLLBACK, DecisionState.DONE)
    assert decision.outcome["failed"] == "v2"
    assert decision.outcome["verified"] is True
    assert "v2 is worse: difference of use -0.300" in decision.why
    now = pointer(stage)
    assert (now.active, now.canary, now.epoch) == ("v1", None, 3)
    with stage.store.read() as view:
        assert [one.release for one in view.access.holds(INDEX)] == ["v2"]
    assert list(invariants.settled(stage.store, stage.session.spaces, INDEX)) == []
    assert look(stage).decision is None  # the trigger has nothing to say without a canary


def test_an_interleaved_list_in_which_nobody_picks_it_is_enough(stage: Stage) -> None:
    tried(stage, CanaryTrigger(), interleaved=True)
    heard(stage, (Arm.INTERLEAVED, used(0.3)))
    assert look(stage).decision is not None
    assert pointer(stage).canary is None


@pytest.mark.parametrize(
    ("candidate", "outcome"), [(0.5, "inconclusive"), (0.8, "pass"), (0.48, "inconclusive")]
)
def test_a_candidate_that_is_not_surely_worse_stays(
    stage: Stage, candidate: float, outcome: str
) -> None:
    tried(stage, CanaryTrigger())
    heard(stage, (Arm.CANARY, used(candidate)), (Arm.BASELINE, used(0.5)))
    seen = look(stage)
    assert (outcomes(seen), seen.decision) == ({"canary": outcome}, None)
    assert pointer(stage).canary is not None


def test_feedback_that_never_comes_is_no_data_and_fails_where_that_is_declared(
    stage: Stage,
) -> None:
    tried(stage, CanaryTrigger(no_data=NoData.FAIL, in_a_row=2))
    assert look(stage).decision is None
    assert look(stage).decision is not None
    assert pointer(stage).canary is None


def test_a_candidate_that_does_not_answer_is_seen_without_any_feedback(stage: Stage) -> None:
    tried(stage, CanaryTrigger(failed=0.05))
    answered(stage, asked=200, failed=4)
    assert outcomes(look(stage)) == {"canary": "inconclusive", "canary:failed": "pass"}
    stage.clock.advance(timedelta(minutes=20))
    answered(stage, asked=200, failed=120)
    seen = look(stage)
    assert outcomes(seen)["canary:failed"] == "fail"
    assert pointer(stage).canary is None


def test_it_may_freeze_instead_and_then_nobody_more_is_tried(stage: Stage) -> None:
    tried(stage, CanaryTrigger(then=Act.FREEZE))
    heard(stage, (Arm.CANARY, used(0.2)), (Arm.BASELINE, used(0.5)))
    decision = look(stage).decision
    assert decision is not None
    assert (decision.act, decision.state) == (Act.FREEZE, DecisionState.DONE)
    assert pointer(stage).canary is not None
    with stage.store.read() as view:
        assert view.indexes.frozen(INDEX) is not None


def test_what_the_active_release_does_wrong_ends_no_canary(stage: Stage) -> None:
    tried(stage, CanaryTrigger(), LatencyTrigger(p50_ms=1.0, no_data=NoData.FAIL))
    decision = look(stage).decision
    assert decision is not None
    assert decision.act is Act.FREEZE
    assert "no fallback to go back to" in decision.why
    assert pointer(stage).canary is not None


def test_without_a_canary_there_is_nothing_against_it(stage: Stage) -> None:
    tried(stage, CanaryTrigger(no_data=NoData.FAIL, failed=0.0))
    stage.stop_canary()
    assert outcomes(look(stage)) == {"canary": "pass"}


def test_a_guard_that_died_after_deciding_is_finished_by_the_next(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried(stage, CanaryTrigger())
    heard(stage, (Arm.CANARY, used(0.2)), (Arm.BASELINE, used(0.5)))
    dying = guard(stage)
    with monkeypatch.context() as patch:
        patch.setattr(acting, "carry_out", lambda _, decision: decision)
        assert look(stage, dying).decision is not None
    assert pointer(stage).canary is not None
    stage.kill(dying)
    seen = look(stage)
    assert seen.finished is not None
    assert seen.finished.state is DecisionState.DONE
    assert pointer(stage).canary is None
    with stage.store.read() as view:
        (decision,) = view.guarding.decisions(INDEX)
    assert decision.outcome["failed"] == "v2"
