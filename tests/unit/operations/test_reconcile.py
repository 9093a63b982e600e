"""Reconcile finishes what the dead left, leaves the living alone, and may run at any time."""

import dataclasses
from datetime import timedelta

import pytest

from repoint.domain.audit import Outcome
from repoint.domain.errors import NotPermittedError, OperationInProgressError
from repoint.domain.ids import Actor, CollectionName
from repoint.domain.operation import Operation, OperationKind, Step
from repoint.operations import alias, moving, reconcile
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


def test_an_alias_moved_by_hand_is_told_and_left_alone(promoted: Stage) -> None:
    one = promoted.release("v1").collection
    promoted.backend.set_alias(INDEX, one)
    mended, left = reconcile.reconcile(promoted.session)
    assert mended == []
    assert f"points at {one} (v1), not at" in left[0]
    assert "(v2), which ana made it with epoch 2" in left[0]
    assert "repoint reconcile --repair-alias" in left[0]
    assert promoted.backend.alias_target(INDEX) == one


def test_on_command_it_is_pointed_back_on_record(promoted: Stage) -> None:
    one, two = (promoted.release(name).collection for name in ("v1", "v2"))
    promoted.backend.set_alias(INDEX, one)
    mended, left = reconcile.reconcile(promoted.session, repair_alias=True, reason="by hand")
    assert (len(mended), left) == (1, [])
    assert promoted.backend.alias_target(INDEX) == two
    with promoted.store.read() as view:
        last = view.audit.records()[-1]
    assert (last.action, last.reason) == ("reconcile", "by hand")
    assert (last.details["from"], last.details["to"]) == (one, two)
    assert reconcile.reconcile(promoted.session, repair_alias=True) == ([], [])


def test_an_alias_that_points_at_a_strangers_collection_is_said_to_be_that(
    promoted: Stage,
) -> None:
    stranger = CollectionName("somebody_elses")
    spec = promoted.space("v1").collection.spec
    promoted.backend.create(dataclasses.replace(spec, name=stranger))
    promoted.backend.set_alias(INDEX, stranger)
    found = alias.look(promoted.session, INDEX)
    assert found is not None
    assert "somebody_elses, which is no release's" in found.sentence()


def test_while_a_move_is_under_way_the_alias_is_left_to_it(promoted: Stage) -> None:
    promoted.backend.set_alias(INDEX, promoted.release("v1").collection)
    begun(promoted, promoted.open(), OperationKind.ACCEPT)
    with pytest.raises(OperationInProgressError):
        alias.repair(promoted.session, INDEX)


def test_without_the_role_an_alias_is_not_pointed_back(promoted: Stage) -> None:
    promoted.backend.set_alias(INDEX, promoted.release("v1").collection)
    stranger = promoted.open(Actor("bob"), is_owner=False)
    with pytest.raises(NotPermittedError):
        alias.repair(stranger, INDEX)
    assert promoted.backend.alias_target(INDEX) == promoted.release("v1").collection


def test_the_dead_leave_the_registry(promoted: Stage) -> None:
    dying = promoted.open()
    dying.announce()
    promoted.kill(dying)
    mended, _ = reconcile.reconcile(promoted.session)
    assert [one.what for one in mended] == ["1 dead processes left the registry"]
    with promoted.store.read() as view:
        assert dying.process.id not in {one.id for one in view.processes.all()}
