"""What every store promises of guards, their decisions, alerts and drills."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from repoint.domain.drills import Drill, DrillStep
from repoint.domain.errors import ConflictError, NotFoundError
from repoint.domain.gates import Outcome
from repoint.domain.guarding import Alert, Decision, DecisionState, Look, TriggerResult
from repoint.domain.ids import Actor, Epoch, Fingerprint, ReleaseName
from repoint.domain.readiness import Finding, Status
from repoint.domain.triggers import Act
from repoint.ports.store import Store
from repoint.testing.conformance import Suite
from repoint.testing.store_samples import (
    ANNA,
    DOCS,
    LATER,
    NOW,
    ONE,
    SOON,
    TWO,
    V1,
    V2,
    release,
    with_index,
)

_RESULTS = (
    TriggerResult(
        trigger="relevance:treatment",
        outcome=Outcome.FAIL,
        summary="nDCG@10 fell by 0.200 «sure»",
        then=Act.ROLLBACK,
        figures={"value": -0.2, "queries": 50, "groups": ["treatment"]},
        failed=2,
        errors=0,
        fires=True,
    ),
)


def look(number: int = 1, *, epoch: int = 2) -> Look:
    """Return a look of the first process."""
    return Look(
        index=DOCS,
        epoch=Epoch(epoch),
        number=number,
        at=NOW + timedelta(minutes=number),
        policy=1,
        active=V2,
        fallback=V1,
        process=ONE,
        seconds=0.25,
        results=_RESULTS,
    )


def decision(**changes: DecisionState) -> Decision:
    """Return a decision to go back, not stored yet."""
    return Decision(
        index=DOCS,
        number=0,
        epoch=Epoch(2),
        at=NOW,
        actor=Actor("guard"),
        act=Act.ROLLBACK,
        state=changes.get("state", DecisionState.DECIDED),
        why="relevance fell",
        policy=1,
        look=1,
        results=_RESULTS,
    )


def alert(fingerprint: str = "f1", *, firing: bool = True) -> Alert:
    """Return an alert that was received now."""
    return Alert(
        fingerprint=fingerprint,
        name="SearchIsSlow",
        labels={"index": "docs"},
        firing=firing,
        started_at=NOW,
        received_at=SOON,
    )


def drill(ahead: ReleaseName = V2, back: ReleaseName = V1) -> Drill:
    """Return a rehearsal, not stored yet."""
    return Drill(
        index=DOCS,
        number=0,
        epoch=Epoch(1),
        at=NOW,
        actor=ANNA,
        ahead=ahead,
        ahead_fingerprint=release(V2).fingerprint,
        back=back,
        back_fingerprint=Fingerprint("f" * 64),
        ready=True,
        rollback_seconds=0.5,
        steps=(DrillStep(step="move", seconds=0.125, said="epoch 2, not kept"),),
        findings=(
            Finding(
                check="golden",
                status=Status.OK,
                summary="all found again",
                figures={"overlap": 1.0},
                remedy="",
            ),
        ),
    )


class GuardSuite(Suite):
    """Who guards, what was seen, what was decided."""

    def test_one_process_guards_an_index_at_a_time(self, store: Store, another: Store) -> None:
        """[one-guard]: until its lease runs out or it lets go."""
        with_index(store)
        with store.begin() as tx:
            assert tx.guarding.holder(DOCS) is None
            assert tx.guarding.take(DOCS, ONE, now=NOW, until=SOON)
        with another.begin() as tx:
            assert tx.guarding.holder(DOCS) == ONE
            assert not tx.guarding.take(DOCS, TWO, now=NOW, until=LATER)
            tx.guarding.let_go(DOCS, TWO)
        with store.begin() as tx:
            assert tx.guarding.take(DOCS, ONE, now=NOW, until=SOON)
        with another.begin() as tx:
            assert tx.guarding.take(DOCS, TWO, now=SOON, until=LATER)
        with store.begin() as tx:
            assert not tx.guarding.take(DOCS, ONE, now=SOON, until=LATER)
            tx.guarding.let_go(DOCS, TWO)
            assert tx.guarding.take(DOCS, ONE, now=SOON, until=LATER)

    def test_looks_come_back_as_they_were_given_and_are_counted_by_epoch(
        self, store: Store
    ) -> None:
        """A move of the pointer begins a new count."""
        with_index(store)
        with store.begin() as tx:
            assert tx.guarding.last_look(DOCS) is None
            tx.guarding.add_look(look(1))
            tx.guarding.add_look(look(2))
            assert tx.guarding.next_look(DOCS, Epoch(2)) == 3
            assert tx.guarding.next_look(DOCS, Epoch(3)) == 1
            tx.guarding.add_look(look(1, epoch=3))
        with store.read() as view:
            assert view.guarding.last_look(DOCS) == look(1, epoch=3)
            assert view.guarding.looks(DOCS, limit=2) == [look(1, epoch=3), look(2)]
        with pytest.raises(ConflictError, match="meanwhile"), store.begin() as tx:
            tx.guarding.add_look(look(2))

    def test_old_looks_go_and_the_newest_stays(self, store: Store) -> None:
        """Its number is what the next look counts on."""
        with_index(store)
        with store.begin() as tx:
            assert tx.guarding.forget_looks(DOCS, before=LATER) == 0
            for number in (1, 2, 3):
                tx.guarding.add_look(look(number))
            assert tx.guarding.forget_looks(DOCS, before=NOW + timedelta(hours=1)) == 2
            assert tx.guarding.looks(DOCS, limit=9) == [look(3)]

    def test_a_decision_is_settled_once_and_kept(self, store: Store, another: Store) -> None:
        """[decisions-are-kept]: of two who say what became of it, the second is told."""
        with_index(store)
        with store.begin() as tx:
            made = tx.guarding.decide(decision())
        assert made == replace(decision(), number=1)
        with another.read() as view:
            assert view.guarding.open_decision(DOCS) == made
        with another.begin() as tx:
            done = tx.guarding.settle(made, DecisionState.DONE, outcome={"epoch": 3})
        assert done == replace(made, state=DecisionState.DONE, outcome={"epoch": 3})
        with pytest.raises(ConflictError, match="settled already"), store.begin() as tx:
            tx.guarding.settle(made, DecisionState.LAPSED, outcome={})
        with store.read() as view:
            assert view.guarding.open_decision(DOCS) is None
            assert view.guarding.decisions(DOCS) == [done]

    def test_one_decision_is_carried_out_at_a_time(self, store: Store) -> None:
        """[one-open-decision]: what is held back on purpose stands beside it."""
        with_index(store)
        with store.begin() as tx:
            tx.guarding.decide(decision(state=DecisionState.HELD_BACK))
            tx.guarding.decide(decision())
        with pytest.raises(ConflictError, match="carried out"), store.begin() as tx:
            tx.guarding.decide(decision())
        with store.read() as view:
            assert [one.number for one in view.guarding.decisions(DOCS)] == [2, 1]
            assert [one.number for one in view.guarding.decisions(DOCS, limit=1)] == [2]

    def test_an_alert_sent_again_replaces_itself(self, store: Store) -> None:
        """[deduplicated]: by its fingerprint; news that comes late changes nothing."""
        with_index(store)
        with store.begin() as tx:
            tx.guarding.put_alert(DOCS, alert())
            tx.guarding.put_alert(DOCS, alert("f2"))
            tx.guarding.put_alert(DOCS, alert())
            resolved = replace(alert(firing=False), received_at=LATER)
            tx.guarding.put_alert(DOCS, resolved)
            tx.guarding.put_alert(DOCS, alert())
        with store.read() as view:
            assert view.guarding.alerts(DOCS) == [resolved, alert("f2")]
        with store.begin() as tx:
            assert tx.guarding.forget_alerts(DOCS, before=LATER) == 0
            assert tx.guarding.forget_alerts(DOCS, before=LATER + timedelta(hours=1)) == 1
            assert tx.guarding.alerts(DOCS) == [alert("f2")]  # it is firing still


class DrillSuite(Suite):
    """Rehearsals."""

    def test_drills_come_back_as_they_were_given(self, store: Store) -> None:
        """[drills-are-kept]: the newest of exactly two releases is found among all."""
        with_index(store)
        with store.begin() as tx:
            first = tx.drills.add(drill())
            second = tx.drills.add(drill(V1, V2))
            third = tx.drills.add(drill())
        assert [one.number for one in (first, second, third)] == [1, 2, 3]
        with store.read() as view:
            assert view.drills.newest(DOCS, ahead=V2, back=V1) == replace(drill(), number=3)
            assert view.drills.newest(DOCS, ahead=V2, back=V2) is None
            assert view.drills.all(DOCS) == [third, second, first]
            assert view.drills.all(DOCS, limit=1) == [third]

    def test_a_drill_names_releases(self, store: Store) -> None:
        """Nothing was stored of one that does not."""
        with_index(store)
        with pytest.raises(NotFoundError), store.begin() as tx:
            tx.drills.add(drill(ReleaseName("v9")))
