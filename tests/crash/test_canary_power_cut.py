"""A power cut at any call of a canary's move leaves what the next command finishes, once."""

from contextlib import suppress
from pathlib import Path

import pytest

from repoint.domain.pointer import MoveKind, Pointer
from repoint.operations import ending, reconcile
from repoint.testing import invariants
from repoint.testing.faults import PowerCut, fuses
from repoint.testing.stage import INDEX, Stage


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """v1 answers, v2 of another space is in step with it."""
    stage = Stage(folder=tmp_path_factory.mktemp("prepared"))
    stage.write({f"d{n}": f"document {n}" for n in range(4)})
    stage.create("v1", seed=1)
    stage.create("v2", seed=2)
    stage.revive("v1")
    stage.promote("v1")
    stage.revive("v2")
    return stage


def pointer(stage: Stage) -> Pointer:
    with stage.store.read() as view:
        return view.pointers.pointer(INDEX)


def settled(stage: Stage, where: object) -> None:
    assert list(invariants.settled(stage.store, stage.session.spaces, INDEX)) == [], where
    with stage.store.read() as view:
        assert view.operations.unfinished(INDEX) is None, where


def test_a_canary_cut_anywhere_began_once_or_not_at_all(
    prepared: Stage, tmp_path: Path
) -> None:
    cuts = 0
    for fuse in fuses():
        with prepared.twin(tmp_path / f"{fuse.at}-{fuse.after}") as stage:
            dying = stage.open(fuse=fuse)
            with suppress(PowerCut):
                stage.canary("v2", share=0.25, by=dying)
            stage.kill(dying)
            if not fuse.blown:
                break
            cuts += 1
            began = pointer(stage).canary is not None
            _, left = reconcile.reconcile(stage.open())
            assert left == [], fuse
            assert pointer(stage).epoch == 1 + began, fuse
            settled(stage, fuse)
            if not began:
                stage.canary("v2", share=0.25)
            with stage.store.read() as view:
                kinds = [move.kind for move in view.pointers.moves(INDEX)]
            assert kinds.count(MoveKind.CANARY) == 1, fuse
    assert cuts > 8


@pytest.mark.parametrize("way", ["stop", "abort", "rollback"])
def test_an_end_cut_anywhere_is_made_whole_by_the_next_one(
    prepared: Stage, tmp_path: Path, way: str
) -> None:
    with prepared.twin(tmp_path / "tried") as tried:
        tried.canary("v2", share=0.25)
        for fuse in fuses():
            with tried.twin(tmp_path / f"{fuse.at}-{fuse.after}") as stage:
                dying = stage.open(fuse=fuse)
                with suppress(PowerCut):
                    if way == "stop":
                        stage.stop_canary(by=dying)
                    elif way == "abort":
                        ending.abort(dying, INDEX, reason="no")
                    else:
                        stage.rollback(by=dying)
                stage.kill(dying)
                if not fuse.blown:
                    break
                _, left = reconcile.reconcile(stage.open())
                assert left == [], fuse
                if pointer(stage).canary is not None:  # it died before its intent was known
                    stage.stop_canary()
                assert pointer(stage).epoch == 3, fuse
                assert pointer(stage).active == "v1", fuse
                settled(stage, fuse)
