"""Reconcile finishes what the dead left, leaves the living alone, and may run at any time."""

from datetime import timedelta

import pytest

from repoint.domain.audit import Outcome
from repoint.domain.errors import OperationInProgressError
from repoint.domain.operation import Operation, OperationKind, Step
from repoint.operations import moving, reconcile
from repoint.operations.session import Session
from repoint.testing.stage import INDEX, LEASE, Stage


def begun(stage: Stage, session: Session, kind: OperationKind) -> Operation:
    """Leave an intent behind, as a process does that dies right after it."""
    session.announce()
    with session.store.begin() as tx:
        return moving.intend(
            session,
            tx,
            kind=kind,
            pointer=tx.pointers.pointer(INDEX),
            release=stage.release("v1" if kind is OperationKind.ROLLBACK else "v2").name,
            reason="begun",
            notes={"failed": "v2", "thaw": True},
        )


def test_where_nothing_is_half_done_nothing_changes(promoted: Stage) -> None:
    promoted.session.announce()
    with promoted.store.read() as view:
        before = view.audit.records()
    assert reconcile.reconcile(promoted.session) == ([], [])
    with promoted.store.read() as view:
        assert view.audit.records() == before


@pytest.mark.parametrize("kind", [OperationKind.PROMOTE, OperationKind.ACCEPT])
def test_a_dead_intent_to_go_forward_is_abandoned_on_record(
    promoted: Stage, kind: OperationKind
) -> None:
    dying = promoted.open()
    begun(promoted, dying, kind)
    promoted.kill(dying)
    mended, left = reconcile.reconcile(promoted.session)
    assert left == []
    assert f"{kind} of v2 by ana" in {one.what for one in mended}
    with promoted.store.read() as view:
        assert view.operations.unfinished(INDEX) is None
        assert view.pointers.pointer(INDEX).epoch == 2
        assert view.audit.records()[-1].outcome is Outcome.ABANDONED


def test_a_dead_intent_to_go_back_is_completed(promoted: Stage) -> None:
    dying = promoted.open()
    begun(promoted, dying, OperationKind.ROLLBACK)
    promoted.kill(dying)
    _, left = reconcile.reconcile(promoted.session)
    assert left == []
    with promoted.store.read() as view:
        assert view.pointers.pointer(INDEX).active == "v1"
        assert view.operations.unfinished(INDEX) is None


def test_what_a_living_process_does_is_left_to_it(promoted: Stage) -> None:
    busy = promoted.open()
    operation = begun(promoted, busy, OperationKind.PROMOTE)
    _, (left,) = reconcile.reconcile(promoted.session)
    assert "promote" in left
    with pytest.raises(OperationInProgressError):
        reconcile.clear_the_way(promoted.session, INDEX)
    with promoted.store.read() as view:
        assert view.operations.unfinished(INDEX) == operation


def test_a_process_whose_lease_ran_out_is_as_good_as_dead(promoted: Stage) -> None:
    begun(promoted, promoted.open(), OperationKind.PROMOTE)
    promoted.clock.advance(LEASE + timedelta(seconds=1))
    _, left = reconcile.reconcile(promoted.session)
    assert left == []


def test_who_comes_back_after_that_moves_nothing(promoted: Stage) -> None:
    slow = promoted.open()
    operation = begun(promoted, slow, OperationKind.PROMOTE)
    promoted.clock.advance(LEASE + timedelta(seconds=1))
    taken = moving.take_over(promoted.session, operation)
    with pytest.raises(Exception, match="in the hands of"), slow.store.begin() as tx:
        tx.operations.reach(operation, Step.MOVED)
    assert taken.owner == promoted.session.process.id


def test_a_rollback_overtakes_a_promotion_that_is_under_way(promoted: Stage) -> None:
    busy = promoted.open()
    operation = begun(promoted, busy, OperationKind.PROMOTE)
    assert promoted.rollback(by=promoted.open()).epoch == 3
    with pytest.raises(Exception, match="finished already"), busy.store.begin() as tx:
        tx.operations.reach(operation, Step.MOVED)


def test_an_alias_moved_by_hand_is_pointed_back(promoted: Stage) -> None:
    promoted.backend.set_alias(INDEX, promoted.release("v1").collection)
    mended, _ = reconcile.reconcile(promoted.session)
    assert [one.what for one in mended] == ["the database's alias"]
    assert promoted.backend.alias_target(INDEX) == promoted.release("v2").collection


def test_the_dead_leave_the_registry(promoted: Stage) -> None:
    dying = promoted.open()
    dying.announce()
    promoted.kill(dying)
    mended, _ = reconcile.reconcile(promoted.session)
    assert [one.what for one in mended] == ["1 dead processes left the registry"]
    with promoted.store.read() as view:
        assert dying.process.id not in {one.id for one in view.processes.all()}
