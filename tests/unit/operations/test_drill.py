"""A drill rehearses everything and changes nothing; a promotion may ask for a fresh one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.operations.guard.watching import ITEMS, prepare

from repoint.domain.errors import NotReadyError, RefusedError
from repoint.domain.ids import DocumentId, ReleaseName
from repoint.domain.policy import EmptyAnswersGate, Policy
from repoint.domain.readiness import Status
from repoint.operations import policies
from repoint.operations.drill import drill
from repoint.operations.evaluate import Options, evaluate
from repoint.testing.stage import INDEX, Stage

DAY = timedelta(days=1)
POLICY = Policy(gates=(EmptyAnswersGate(),), readiness=DAY)
V2 = ReleaseName("v2")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """v1 answers; v2 is in step, under a policy that asks for a drill."""
    with Stage(folder=tmp_path_factory.mktemp("drill") / "prepared") as stage:
        prepare(stage, documents=12)
        policies.set_policy(stage.session, INDEX, POLICY, reason="")
        stage.revive("v2")
        yield stage


@pytest.fixture
def stage(prepared: Stage, tmp_path: Path) -> Iterator[Stage]:
    """A copy of it."""
    with prepared.twin(tmp_path / "stage") as stage:
        yield stage


def rows(stage: Stage) -> dict[str, object]:
    """Return everything that a drill must not change."""
    with stage.store.read() as view:
        return {
            "pointer": view.pointers.pointer(INDEX),
            "moves": view.pointers.moves(INDEX),
            "rollout": view.pointers.rollout(INDEX),
            "operation": view.operations.unfinished(INDEX),
            "frozen": view.indexes.frozen(INDEX),
            "releases": view.releases.all(INDEX),
            "watermarks": [view.catchup.watermark(INDEX, ReleaseName(n)) for n in ("v1", "v2")],
            "head": view.log.head(INDEX),
        }


def test_a_drill_before_a_promotion_rehearses_both_ways_and_changes_nothing(
    stage: Stage,
) -> None:
    stage.write({"late": "one more document. it is late", "d3": None})
    before = rows(stage)

    made = drill(stage.session, INDEX, V2)

    assert rows(stage) == before
    assert made.ready, made.findings
    assert (made.ahead, made.back, made.number) == ("v2", "v1", 1)
    assert [one.step for one in made.steps] == [
        "open",
        "probes",
        "replay",
        "estimate",
        "move",
        "commit",
        "processes",
        "verify",
        "ahead",
    ]
    said = {one.step: one.said for one in made.steps}
    assert said["move"] == "to epoch 3 and v1, and undone"
    assert said["replay"] == "1 deletes and 1 writes are pending"
    with stage.store.read() as view:
        assert view.drills.all(INDEX) == [made]
        assert [one.action for one in view.audit.records()].count("drill") == 1


def test_a_drill_in_a_soak_rehearses_the_way_back(stage: Stage) -> None:
    drill(stage.session, INDEX)
    stage.promote("v2")
    before = rows(stage)
    made = drill(stage.session, INDEX)
    assert rows(stage) == before
    assert (made.ahead, made.back, made.ready) == ("v2", "v1", True)
    checks = {one.check: one.status for one in made.findings}
    assert checks["back:golden"] is Status.OK  # against the baseline of the promotion


def test_what_would_fail_is_found_and_told(stage: Stage) -> None:
    stage.model("v1").changed = True
    made = drill(stage.session, INDEX, V2)
    assert not made.ready
    assert {one.check for one in made.findings if one.status is Status.FAILED} >= {
        "back:query-model"
    }
    stage.model("v1").changed = False
    stage.backend.drop(stage.release("v1").collection)
    made = drill(stage.session, INDEX, V2)
    assert not made.ready
    assert {one.check for one in made.findings if one.status is Status.FAILED} == {"open:v1"}


def test_nothing_to_go_back_to_is_refused(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="nothing to go back to"):
        drill(stage.session, INDEX, ReleaseName("v1"))
    with (
        Stage(folder=tmp_path / "empty") as empty,
        pytest.raises(RefusedError, match="nothing answers"),
    ):
        drill(empty.session, INDEX)


def test_a_promotion_without_a_drill_is_refused_with_the_command_that_mends_it(
    stage: Stage,
) -> None:
    with pytest.raises(NotReadyError) as caught:
        stage.promote("v2")
    assert "nobody rehearsed the way from v2 back to v1" in caught.value.message
    assert "repoint drill docs v2" in caught.value.message
    drill(stage.session, INDEX, V2)
    stage.clock.advance(DAY + timedelta(minutes=1))
    with pytest.raises(NotReadyError, match=r"24\.0 hours old, more than 24"):
        stage.promote("v2")
    drill(stage.session, INDEX, V2)
    report = stage.promote("v2")
    assert [one.summary for one in report.findings if one.check == "readiness"] == [
        "drill 2 went back from v2 to v1 in 0.00 s, 0.0 hours ago"
    ]


def test_a_drill_that_found_something_gives_no_readiness(stage: Stage) -> None:
    stage.model("v1").changed = True
    drill(stage.session, INDEX, V2)
    stage.model("v1").changed = False
    with pytest.raises(NotReadyError, match="drill 1 found that they are not ready"):
        stage.promote("v2")


def test_a_drill_of_other_releases_counts_for_nothing(stage: Stage) -> None:
    drill(stage.session, INDEX, V2)
    stage.create("v3", seed=3, chunk=None)
    with stage.store.read() as view:
        rollout = view.pointers.rollout(INDEX)
        assert rollout is not None
    stage.promote("v2")
    stage.accept("v2")
    stage.revive("v3")
    with pytest.raises(NotReadyError, match="nobody rehearsed the way from v3 back to v2"):
        stage.promote("v3")


def test_a_rollback_is_verified_by_the_stored_run_that_the_policy_names(stage: Stage) -> None:
    policies.set_policy(
        stage.session, INDEX, replace(POLICY, queries="items", readiness=None), reason=""
    )
    evaluate(
        stage.session, INDEX, V2, baseline="active", queries=ITEMS, options=Options(depth=10)
    )
    drill(stage.session, INDEX, V2)
    stage.promote("v2")
    stage.clock.advance(timedelta(seconds=1))
    report = stage.rollback()
    found = {one.check: one for one in report.findings}
    assert found["benchmark"].status is Status.OK
    assert "questions of its stored run" in found["benchmark"].summary


def test_a_fallback_that_answers_its_stored_run_otherwise_is_not_verified(
    stage: Stage,
) -> None:
    policies.set_policy(
        stage.session, INDEX, replace(POLICY, queries="items", readiness=None), reason=""
    )
    evaluate(
        stage.session, INDEX, V2, baseline="active", queries=ITEMS, options=Options(depth=10)
    )
    drill(stage.session, INDEX, V2)
    stage.promote("v2")
    gone = [DocumentId(f"d{n}") for n in range(6)]
    stage.space("v1").collection.purge(gone)
    report = stage.rollback()
    found = {one.check: one for one in report.findings}
    assert found["benchmark"].status is Status.FAILED
    assert not report.verified
