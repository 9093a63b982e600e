"""A canary is a move: fenced, recorded, refused where it must not be, and ended at once."""

from datetime import timedelta

import pytest

from repoint.domain.access import Role
from repoint.domain.errors import (
    BadInputError,
    ConflictError,
    FrozenError,
    HeldError,
    NotPermittedError,
    NotReadyError,
    RefusedMoveError,
    StaleEpochError,
)
from repoint.domain.ids import Actor, ReleaseName
from repoint.domain.pointer import Move, MoveKind, Pointer
from repoint.domain.rollout import Phase
from repoint.operations import canary, ending, freeze, rollback
from repoint.operations.rollback import RollbackOptions
from repoint.testing import invariants
from repoint.testing.stage import INDEX, Stage

V2 = ReleaseName("v2")


def pointer(stage: Stage) -> Pointer:
    with stage.store.read() as view:
        return view.pointers.pointer(INDEX)


def moves(stage: Stage) -> list[Move]:
    with stage.store.read() as view:
        return view.pointers.moves(INDEX)


def phase(stage: Stage) -> Phase | None:
    with stage.store.read() as view:
        rollout = view.pointers.rollout(INDEX)
    return None if rollout is None else rollout.phase


def test_each_change_is_one_move_with_one_record(stage: Stage) -> None:
    stage.canary("v2", share=0.05)
    stage.canary("v2", share=0.2, tenants={"acme": 1.0})
    stage.stop_canary()

    newest, grown, began, _ = moves(stage)

    assert [move.after.epoch for move in (newest, grown, began)] == [4, 3, 2]
    assert [move.kind for move in (newest, grown, began)] == ["end-canary", "canary", "canary"]
    assert began.after.canary is not None
    assert grown.after.canary is not None
    assert began.after.canary.since == grown.after.canary.since == 2  # it is the same canary
    assert newest.after.canary is None
    assert {move.after.active for move in moves(stage)} == {"v1"}
    assert phase(stage) is Phase.PREPARING
    with stage.store.read() as view:
        records = [one for one in view.audit.records() if "canary" in one.action]
    assert [one.details["epoch"] for one in records] == [2, 3, 4]
    assert records[1].details["canary"] == {
        "release": "v2",
        "share": 0.2,
        "tenants": {"acme": 1.0},
        "interleaved": False,
    }
    assert list(invariants.settled(stage.store, stage.session.spaces, INDEX)) == []


def test_another_way_of_trying_is_another_canary(stage: Stage) -> None:
    stage.canary("v2", share=0.2)
    stage.canary("v2", share=0.2, interleaved=True)
    now = pointer(stage).canary
    assert now is not None
    assert (now.since, now.interleaved) == (3, True)


def test_what_could_not_answer_is_not_tried(stage: Stage) -> None:
    stage.create("v3", seed=3)
    with pytest.raises(NotReadyError, match="created"):
        stage.canary("v3", share=0.1)
    stage.model("v2").changed = True
    with pytest.raises(NotReadyError, match="the model changed"):
        stage.canary("v2", share=0.1)
    assert pointer(stage).epoch == 1


def test_a_candidate_that_is_a_little_behind_is_brought_into_step(stage: Stage) -> None:
    stage.write({"new": "a new document"})
    report = stage.canary("v2", share=0.1)
    assert {finding.check: finding.status for finding in report.findings}["lag"] == "ok"


@pytest.mark.parametrize(("name", "why"), [("v1", "already active")])
def test_who_answers_is_not_tried(stage: Stage, name: str, why: str) -> None:
    with pytest.raises(RefusedMoveError, match=why):
        stage.canary(name, share=0.1)


def test_nobody_is_tried_in_a_soak(promoted: Stage) -> None:
    with pytest.raises(RefusedMoveError, match="in soak"):
        promoted.canary("v1", share=0.1)
    with pytest.raises(RefusedMoveError, match="no canary"):
        promoted.stop_canary()


def test_a_share_of_nobody_is_refused(stage: Stage) -> None:
    with pytest.raises(BadInputError, match="nobody"):
        stage.canary("v2", share=0.0)


def test_another_rollout_goes_first(stage: Stage) -> None:
    stage.create("v3", seed=3)
    ending.abort(stage.session, INDEX, reason="v3 first")
    stage.revive("v3")
    with pytest.raises(ConflictError, match="rollout of v3"):
        stage.canary("v2", share=0.1)


def test_a_freeze_lets_no_share_grow_and_lets_it_fall(stage: Stage) -> None:
    stage.canary("v2", share=0.2)
    freeze.freeze(stage.session, INDEX, reason="incident")
    for share, tenants in ((0.3, {}), (0.1, {"acme": 0.5})):
        with pytest.raises(FrozenError):
            stage.canary("v2", share=share, tenants=tenants)
    stage.canary("v2", share=0.1)
    stage.stop_canary()
    assert pointer(stage).canary is None
    with pytest.raises(FrozenError):
        stage.canary("v2", share=0.1)


def test_who_may_not_moves_nothing_and_is_on_record(stage: Stage) -> None:
    stage.canary("v2", share=0.2)
    with stage.store.begin() as tx:
        tx.access.grant(Actor("ana"), Role.ADMIN, None)
        tx.access.grant(Actor("wim"), Role.WRITER, None)
    writer = stage.open(Actor("wim"), is_owner=False)
    before = moves(stage)
    with pytest.raises(NotPermittedError):
        stage.canary("v2", share=0.5, by=writer)
    with pytest.raises(NotPermittedError):
        stage.stop_canary(by=writer)
    assert moves(stage) == before
    with stage.store.read() as view:
        denied = [one.action for one in view.audit.records() if one.outcome == "denied"]
    assert denied == ["canary", "canary"]


def test_a_stale_mover_changes_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    late = stage.open()
    ready = canary._ready  # noqa: SLF001 - the moment between the look and the move

    def meanwhile(*_: object, **__: object) -> object:
        monkeypatch.setattr(canary, "_ready", ready)
        stage.canary("v2", share=0.05)
        return []

    monkeypatch.setattr(canary, "_ready", meanwhile)
    with pytest.raises(StaleEpochError):
        stage.canary("v2", share=0.9, by=late)
    now = pointer(stage)
    assert now.epoch == 2
    assert now.canary is not None
    assert now.canary.share == 0.05


def test_an_abort_ends_it_with_the_rollout(stage: Stage) -> None:
    stage.canary("v2", share=0.2)
    ending.abort(stage.session, INDEX, reason="not now")
    assert pointer(stage).canary is None
    assert phase(stage) is None
    assert moves(stage)[0].kind is MoveKind.END_CANARY


def test_a_rollback_ends_it_verifies_and_holds_the_candidate(stage: Stage) -> None:
    stage.canary("v2", share=0.2)
    report = rollback.rollback(
        stage.session,
        INDEX,
        reason="errors",
        options=RollbackOptions(ack_timeout=timedelta(seconds=1)),
    )
    assert (report.active, report.failed, report.verified) == ("v1", "v2", True)
    now = pointer(stage)
    assert (now.active, now.fallback, now.canary) == ("v1", None, None)
    assert phase(stage) is None
    with stage.store.read() as view:
        assert [hold.release for hold in view.access.holds(INDEX)] == ["v2"]
    with pytest.raises(RefusedMoveError, match="no fallback"):
        stage.rollback()


def test_a_promotion_ends_it(stage: Stage) -> None:
    stage.canary("v2", share=0.5)
    stage.promote("v2")
    now = pointer(stage)
    assert (now.active, now.fallback, now.canary) == ("v2", "v1", None)


def test_who_is_tried_is_neither_retired_nor_dropped(stage: Stage) -> None:
    stage.canary("v2", share=0.5)
    with pytest.raises(HeldError, match="canary docs --stop"):
        stage.retire("v2")
    with pytest.raises(HeldError, match="canary docs --stop"):
        stage.drop("v2")
