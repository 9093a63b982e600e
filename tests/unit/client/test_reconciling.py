"""``reconcile`` settles what a guard left behind, and decides nothing in its place."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from repoint import Repoint
from repoint.domain.guarding import Decision, DecisionState
from repoint.domain.ids import Actor, Epoch, IndexName
from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.domain.triggers import Act
from repoint.operations.promote import PromoteOptions


def decide(repoint: Repoint, *, epoch: int, hours: float = 0.0) -> None:
    """Let a guard have died right after it decided."""
    now = repoint.session.clock.now() - timedelta(hours=hours)
    decision = Decision(
        index=IndexName("docs"),
        number=0,
        epoch=Epoch(epoch),
        at=now,
        actor=Actor("guard"),
        act=Act.ROLLBACK,
        state=DecisionState.DECIDED,
        why="relevance fell",
        policy=0,
        look=1,
        results=(),
    )
    with repoint.session.store.begin() as tx:
        tx.guarding.decide(decision)


def test_a_decision_is_left_to_a_guard_settled_when_done_or_over(tmp_path: Path) -> None:
    with Repoint.init(tmp_path / "ws") as repoint:
        docs = repoint.create_index("docs")
        docs.upsert([{"id": "a", "text": "one. two"}])
        for name, dimensions in (("v1", 32), ("v2", 64)):
            model = ModelSpec(provider="hashing", dimensions=dimensions)
            docs.create_release(name, ReleaseSpec(model=model))
            docs.sync(name)
            docs.promote(name, options=PromoteOptions(without_evaluation="a test"))
        assert repoint.reconcile() == ([], [])
        decide(repoint, epoch=2)

        mended, left = repoint.reconcile()

        assert mended == []
        assert left == [
            "docs: decision 1 of a guard is to be carried out: repoint guard docs --once"
        ]
        assert docs.search("one").release == "v2"
        docs.rollback(reason="guard, decision 1: relevance fell")
        mended, left = repoint.reconcile()
        assert ([one.what for one in mended], left) == (
            ["decision 1 of a guard is done"],
            [],
        )
        decide(repoint, epoch=2)  # the pointer has moved on
        assert [one.what for one in repoint.reconcile()[0]] == [
            "decision 2 of a guard is lapsed"
        ]
        decide(repoint, epoch=3, hours=2)
        assert [one.what for one in repoint.reconcile()[0]] == [
            "decision 3 of a guard is lapsed"
        ]
