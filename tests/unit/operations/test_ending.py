"""Ends: each thing that still needs a release is named and keeps it (INV-8)."""

import pytest

from repoint.domain.audit import Outcome
from repoint.domain.errors import (
    FrozenError,
    HeldError,
    RefusedMoveError,
    RetiredError,
    TransitionRefusedError,
)
from repoint.domain.ids import Epoch, ReleaseName
from repoint.domain.release import ReleaseState
from repoint.operations import ending, freeze, releases
from repoint.testing.stage import INDEX, Stage

V2 = ReleaseName("v2")


@pytest.fixture
def accepted(promoted: Stage) -> Stage:
    """v2 answers alone; v1 is kept in step by habit."""
    promoted.accept("v2")
    return promoted


@pytest.fixture
def retired(accepted: Stage) -> Stage:
    """v2 answers alone; v1 is retired."""
    accepted.retire("v1")
    return accepted


def holders(stage: Stage, name: str) -> str:
    """Return why it is not dropped; it is still there, and the refusal is on record."""
    collection = stage.release(name).collection
    with pytest.raises(HeldError) as caught:
        stage.drop(name)
    assert collection in stage.backend.collections()
    assert stage.release(name).state is not ReleaseState.DROPPED
    with stage.store.read() as view:
        assert view.audit.records()[-1].outcome is Outcome.REFUSED
        assert view.operations.unfinished(INDEX) is None
    return "; ".join(caught.value.holders)


def test_a_retired_release_is_dropped_and_its_records_stay(retired: Stage) -> None:
    collection = retired.release("v1").collection
    retired.drop("v1")
    assert collection not in retired.backend.collections()
    assert retired.release("v1").state is ReleaseState.DROPPED
    retired.drop("v1")  # again is no error
    with retired.store.read() as view:
        assert view.releases.probes(INDEX, ReleaseName("v1")) is not None


def test_what_is_active_is_held(promoted: Stage) -> None:
    assert "it is active" in holders(promoted, "v2")


def test_the_fallback_in_soak_is_held(promoted: Stage) -> None:
    assert "fallback of v2, which is in soak" in holders(promoted, "v1")


def test_what_was_not_retired_is_held(accepted: Stage) -> None:
    assert "retire docs v1" in holders(accepted, "v1")


def test_a_rolled_back_release_is_held_until_somebody_lifts_it(promoted: Stage) -> None:
    promoted.rollback()
    promoted.retire("v2")
    assert "hold by ana: rolled back: it is worse" in holders(promoted, "v2")
    assert ending.lift_holds(promoted.session, INDEX, V2, reason="understood") == 1
    promoted.drop("v2")


def test_what_the_databases_alias_points_at_is_held(retired: Stage) -> None:
    retired.backend.set_alias(INDEX, retired.release("v1").collection)
    assert "alias" in holders(retired, "v1")


def test_what_a_live_process_still_serves_is_held(retired: Stage) -> None:
    straggler = retired.open()
    retired.serve(straggler, Epoch(1))
    assert f"stage:{straggler.process.pid} still serves it" in holders(retired, "v1")
    retired.kill(straggler)
    retired.drop("v1")


def test_a_candidate_is_held_until_its_rollout_is_aborted(stage: Stage) -> None:
    assert "its rollout is open" in holders(stage, "v2")
    with pytest.raises(HeldError):
        stage.retire("v2")
    assert ending.abort(stage.session, INDEX, reason="no more") == "v2"
    stage.retire("v2")
    stage.drop("v2")


@pytest.mark.parametrize("verb", ["retire", "drop", "accept"])
def test_nothing_ends_while_the_index_is_frozen(accepted: Stage, verb: str) -> None:
    freeze.freeze(accepted.session, INDEX, reason="holidays")
    verbs = {"retire": accepted.retire, "drop": accepted.drop, "accept": accepted.accept}
    with pytest.raises(FrozenError, match="holidays"):
        verbs[verb]("v2" if verb == "accept" else "v1")


def test_only_the_release_in_soak_is_accepted(promoted: Stage) -> None:
    with pytest.raises(RefusedMoveError, match="v2 is active, not v1"):
        promoted.accept("v1")
    promoted.accept("v2")
    with pytest.raises(RefusedMoveError, match="no soak"):
        promoted.accept("v2")


def test_accepting_lets_the_fallback_go_by_a_move_of_its_own(promoted: Stage) -> None:
    promoted.accept("v2")
    with promoted.store.read() as view:
        pointer = view.pointers.pointer(INDEX)
        assert view.pointers.rollout(INDEX) is None
    assert (pointer.epoch, pointer.active, pointer.fallback) == (3, "v2", None)
    with pytest.raises(RefusedMoveError):
        promoted.rollback()


def test_a_promoted_release_is_not_aborted_but_rolled_back(promoted: Stage) -> None:
    with pytest.raises(TransitionRefusedError):
        ending.abort(promoted.session, INDEX, reason="no more")


def test_without_a_rollout_there_is_nothing_to_abort(accepted: Stage) -> None:
    with pytest.raises(RefusedMoveError):
        ending.abort(accepted.session, INDEX, reason="no more")


def test_a_retired_release_is_not_brought_back_to_life(retired: Stage) -> None:
    with pytest.raises(RetiredError):
        releases.bring_to_life(retired.session, INDEX, ReleaseName("v1"))
    retired.drop("v1")
    retired.retire("v1")  # changes nothing
    assert retired.release("v1").state is ReleaseState.DROPPED
