"""What a look leads to, case by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from repoint.domain.drills import Drill, readiness
from repoint.domain.gates import Outcome
from repoint.domain.guarding import (
    Look,
    Ruling,
    Standing,
    TriggerResult,
    in_a_row,
    rule,
)
from repoint.domain.ids import Actor, Epoch, Fingerprint, IndexName, ProcessId, ReleaseName
from repoint.domain.readiness import Status
from repoint.domain.triggers import Act, GuardRules, ModelDriftTrigger

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
RULES = GuardRules(cool_down=timedelta(minutes=30), rollbacks=1)
QUIET = Standing(
    now=NOON, frozen=False, dry_run=False, rollbacks=0, rolled_back_at=None, acted_at=None
)
V1, V2 = ReleaseName("v1"), ReleaseName("v2")


def result(outcome: Outcome = Outcome.FAIL, *, then: Act = Act.ROLLBACK) -> TriggerResult:
    return TriggerResult(
        trigger="drift",
        outcome=outcome,
        summary="off",
        then=then,
        fires=outcome is Outcome.FAIL,
    )


def look(*results: TriggerResult, fallback: ReleaseName | None = V1) -> Look:
    return Look(
        index=IndexName("docs"),
        epoch=Epoch(2),
        number=1,
        at=NOON,
        policy=1,
        active=V2,
        fallback=fallback,
        process=ProcessId("p"),
        seconds=0.1,
        results=results,
    )


def test_nothing_that_fires_is_nothing_to_do() -> None:
    quiet = (result(one) for one in Outcome if one is not Outcome.FAIL)
    assert rule(look(*quiet), RULES, QUIET) is None


def test_a_rollback_goes_before_a_freeze() -> None:
    both = look(result(then=Act.FREEZE), result())
    assert rule(both, RULES, QUIET) == Ruling(act=Act.ROLLBACK, why="drift: off; drift: off")


@pytest.mark.parametrize(
    ("then", "standing", "act", "held_back"),
    [
        (Act.ROLLBACK, QUIET, Act.ROLLBACK, ""),
        (Act.FREEZE, QUIET, Act.FREEZE, ""),
        (Act.ROLLBACK, replace(QUIET, dry_run=True), Act.ROLLBACK, "a dry run"),
        (Act.ROLLBACK, replace(QUIET, frozen=True), Act.ROLLBACK, ""),
        (Act.FREEZE, replace(QUIET, frozen=True), Act.FREEZE, "frozen already"),
        (Act.ROLLBACK, replace(QUIET, rollbacks=1), Act.FREEZE, ""),
        (
            Act.ROLLBACK,
            replace(QUIET, acted_at=NOON - timedelta(minutes=1)),
            Act.ROLLBACK,
            "",  # a freeze delays no rollback
        ),
        (
            Act.ROLLBACK,
            replace(QUIET, rolled_back_at=NOON - timedelta(minutes=29)),
            Act.ROLLBACK,
            "cooling down until 2030-01-01 12:01:00 UTC",
        ),
        (
            Act.FREEZE,
            replace(QUIET, acted_at=NOON - timedelta(minutes=29)),
            Act.FREEZE,
            "cooling down",
        ),
        (
            Act.ROLLBACK,
            replace(QUIET, rolled_back_at=NOON - timedelta(minutes=30)),
            Act.ROLLBACK,
            "",
        ),
    ],
)
def test_what_is_done_depends_on_what_was_done(
    then: Act, standing: Standing, act: Act, held_back: str
) -> None:
    ruling = rule(look(result(then=then)), RULES, standing)
    assert ruling is not None
    assert ruling.act is act
    assert held_back in ruling.held_back
    assert bool(ruling.held_back) == bool(held_back)


def test_without_a_fallback_it_freezes_and_says_why() -> None:
    ruling = rule(look(result(), fallback=None), RULES, QUIET)
    assert ruling is not None
    assert (ruling.act, ruling.held_back) == (Act.FREEZE, "")
    assert "no fallback" in ruling.why


def test_streaks_go_on_over_looks_that_saw_nothing() -> None:
    declared = ModelDriftTrigger(in_a_row=2, error_limit=2)
    before: TriggerResult | None = None
    seen = []
    for outcome in (
        Outcome.FAIL,
        Outcome.ERROR,
        Outcome.INCONCLUSIVE,
        Outcome.FAIL,
        Outcome.PASS,
        Outcome.ERROR,
        Outcome.ERROR,
    ):
        before = in_a_row(result(outcome), declared, before)
        seen.append((before.failed, before.errors, before.fires))
    assert seen == [
        (1, 0, False),
        (1, 1, False),
        (1, 0, False),
        (2, 0, True),
        (0, 0, False),
        (0, 1, False),
        (0, 2, True),
    ]


def test_readiness_is_of_these_very_releases() -> None:
    made = Drill(
        index=IndexName("docs"),
        number=4,
        epoch=Epoch(1),
        at=NOON,
        actor=Actor("ana"),
        ahead=V2,
        ahead_fingerprint=Fingerprint("b"),
        back=V1,
        back_fingerprint=Fingerprint("a"),
        ready=True,
        rollback_seconds=0.5,
        steps=(),
        findings=(),
    )

    def said(newest: Drill | None, *, hours: float = 1.0, of: str = "b") -> tuple[Status, str]:
        found = readiness(
            newest,
            index=IndexName("docs"),
            ahead=(V2, Fingerprint(of)),
            back=(V1, Fingerprint("a")),
            max_age=timedelta(hours=2),
            now=NOON + timedelta(hours=hours),
        )
        return found.status, found.summary

    assert said(made) == (
        Status.OK,
        "drill 4 went back from v2 to v1 in 0.50 s, 1.0 hours ago",
    )
    assert said(None) == (Status.FAILED, "nobody rehearsed the way from v2 back to v1")
    assert said(made, hours=2.5)[1] == "drill 4 is 2.5 hours old, more than 2"
    assert "as they are now" in said(made, of="c")[1]
    assert said(replace(made, ready=False))[1] == "drill 4 found that they are not ready"
