"""A guard that dies at any call leaves what the next one finishes, once."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.operations.guard.watching import FakeMetrics, pointer, prepare, watch

from repoint.domain.guarding import DecisionState
from repoint.domain.ids import Actor
from repoint.domain.pointer import MoveKind
from repoint.domain.triggers import Act, ModelDriftTrigger
from repoint.operations import reconcile
from repoint.operations.guard.looking import look_once
from repoint.testing import invariants
from repoint.testing.faults import PowerCut, fuses
from repoint.testing.stage import INDEX, Stage

GUARD = Actor("guard")


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """v2 answers under guard, v1 stands behind it."""
    with Stage(folder=tmp_path_factory.mktemp("watched")) as stage:
        prepare(stage, documents=8)
        watch(stage, ModelDriftTrigger())
        yield stage


@pytest.fixture(scope="module")
def freezing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The same, by a trigger that freezes."""
    with Stage(folder=tmp_path_factory.mktemp("freezing")) as stage:
        prepare(stage, documents=8)
        watch(stage, ModelDriftTrigger(then=Act.FREEZE))
        yield stage


def moves(stage: Stage) -> int:
    with stage.store.read() as view:
        found = view.pointers.moves(INDEX)
    return sum(move.kind is MoveKind.ROLLBACK for move in found)


@pytest.mark.slow
@pytest.mark.parametrize("first", ["guard", "reconcile"])
def test_a_guard_cut_anywhere_goes_back_exactly_once(
    watched: Stage, tmp_path: Path, first: str
) -> None:
    cuts = 0
    for fuse in fuses():
        with watched.twin(tmp_path / f"{fuse.at}-{fuse.after}") as stage:
            stage.model("v2").changed = True
            dying = stage.open(GUARD, fuse=fuse)
            with suppress(PowerCut):
                look_once(dying, INDEX, metrics=FakeMetrics())
            stage.kill(dying)
            if not fuse.blown:
                continue
            cuts += 1
            stage.clock.advance(timedelta(seconds=30))
            if first == "reconcile":  # a person finishes the rollback before any guard looks
                _, left = reconcile.reconcile(stage.open())
                assert left == [], fuse
            look_once(stage.open(GUARD), INDEX, metrics=FakeMetrics())
            stage.clock.advance(timedelta(minutes=5))
            look_once(stage.open(GUARD), INDEX, metrics=FakeMetrics())
            assert moves(stage) == 1, fuse
            assert (pointer(stage).active, pointer(stage).epoch) == ("v1", 3), fuse
            with stage.store.read() as view:
                decided = view.guarding.decisions(INDEX)
                assert view.guarding.open_decision(INDEX) is None, fuse
                assert view.indexes.frozen(INDEX) is None, fuse
            done = [one for one in decided if one.state is DecisionState.DONE]
            assert len(decided) == len(done) == 1, (fuse, decided)
            settled = invariants.settled(stage.store, stage.session.spaces, INDEX)
            assert list(settled) == [], fuse
    assert cuts > 20


def test_a_guard_cut_anywhere_freezes_once(freezing: Stage, tmp_path: Path) -> None:
    cuts = 0
    for fuse in fuses():
        with freezing.twin(tmp_path / f"{fuse.at}-{fuse.after}") as stage:
            stage.model("v2").changed = True
            dying = stage.open(GUARD, fuse=fuse)
            with suppress(PowerCut):
                look_once(dying, INDEX, metrics=FakeMetrics())
            stage.kill(dying)
            if not fuse.blown:
                continue
            cuts += 1
            stage.clock.advance(timedelta(seconds=30))
            look_once(stage.open(GUARD), INDEX, metrics=FakeMetrics())
            with stage.store.read() as view:
                frozen = view.indexes.frozen(INDEX)
                states = [one.state for one in view.guarding.decisions(INDEX)]
            assert frozen is not None, fuse
            assert frozen.actor == "guard", fuse
            assert states.count(DecisionState.DONE) == 1, fuse
            assert DecisionState.DECIDED not in states, fuse
    assert cuts > 5


def test_a_decision_that_was_left_for_too_long_has_lapsed(
    watched: Stage, tmp_path: Path
) -> None:
    for fuse in fuses():
        with watched.twin(tmp_path / f"{fuse.at}-{fuse.after}") as stage:
            stage.model("v2").changed = True
            dying = stage.open(GUARD, fuse=fuse)
            with suppress(PowerCut):
                look_once(dying, INDEX, metrics=FakeMetrics())
            stage.kill(dying)
            with stage.store.read() as view:
                left = view.guarding.open_decision(INDEX)
                begun = view.operations.unfinished(INDEX)
            if left is None or begun is not None or moves(stage):
                continue  # cut before it decided, or while it was at it already
            idle = look_once(stage.open(GUARD), INDEX, metrics=FakeMetrics(), dry_run=True)
            assert idle.finished == left  # a dry run carries nothing out
            assert idle.decision is None
            assert (moves(stage), pointer(stage).active) == (0, "v2")
            stage.model("v2").changed = False
            stage.clock.advance(timedelta(hours=2))
            seen = look_once(stage.open(GUARD), INDEX, metrics=FakeMetrics())
            assert seen.finished is not None
            assert seen.finished.state is DecisionState.LAPSED
            assert pointer(stage).active == "v2"
            return
    raise AssertionError("no cut left a decision to be carried out")
