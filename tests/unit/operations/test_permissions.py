"""What is not permitted changes nothing and is recorded as denied (INV-10)."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import pytest

from repoint.domain.access import Action, Role
from repoint.domain.audit import Outcome
from repoint.domain.errors import BrokenAuditError, NotPermittedError, RefusedError
from repoint.domain.ids import Actor, DocumentId, Epoch, IndexName, QuerySetName, ReleaseName
from repoint.domain.policy import BUILT_IN
from repoint.operations import (
    check,
    diagnose,
    documents,
    ending,
    erase,
    exhibits,
    freeze,
    grants,
    policies,
    query_sets,
    reconcile,
    releases,
    status,
)
from repoint.operations.evaluate import Options, evaluate
from repoint.operations.session import Session
from repoint.testing.stage import INDEX, Stage, spec

EVE = Actor("eve")
V1, V2 = ReleaseName("v1"), ReleaseName("v2")

VERBS: dict[Action, Callable[[Stage, Session], object]] = {
    Action.READ: lambda _, who: (status.status(who, INDEX), check.check(who, INDEX)),
    Action.WRITE: lambda _, who: documents.write(who, INDEX, [DocumentId("d1")]),
    Action.SYNC: lambda _, who: releases.set_pace(who, INDEX, V2, throttle=1.0),
    Action.CREATE_INDEX: lambda _, who: documents.create_index(who, IndexName("other")),
    Action.CREATE_RELEASE: lambda stage, who: releases.create(
        who, INDEX, ReleaseName("v3"), spec(seed=3), stage.drivers
    ),
    Action.JUDGE: lambda _, who: query_sets.known_items(
        who, INDEX, QuerySetName("items"), count=3, seed=0
    ),
    Action.EVALUATE: lambda _, who: evaluate(
        who, INDEX, V1, baseline="v1", queries=QuerySetName("items"), options=Options()
    ),
    Action.DIAGNOSE: lambda _, who: diagnose.diagnose(
        who, INDEX, V2, options=diagnose.Options()
    ),
    Action.POLICY: lambda _, who: policies.set_policy(who, INDEX, BUILT_IN, reason=""),
    Action.PROMOTE: lambda stage, who: stage.promote("v2", by=who),
    Action.ROLLBACK: lambda stage, who: stage.rollback(by=who),
    Action.ABORT: lambda _, who: ending.abort(who, INDEX, reason=""),
    Action.FREEZE: lambda _, who: freeze.freeze(who, INDEX, reason=""),
    Action.UNFREEZE: lambda _, who: freeze.unfreeze(who, INDEX),
    Action.ACCEPT: lambda _, who: ending.accept(
        who, INDEX, V2, reason="", ack_timeout=timedelta(0)
    ),
    Action.RETIRE: lambda stage, who: stage.retire("v1", by=who),
    Action.DROP: lambda stage, who: stage.drop("v1", by=who),
    Action.HOLD: lambda _, who: ending.place_hold(who, INDEX, V2, reason="a test"),
    Action.EXPORT_EVIDENCE: lambda _, who: exhibits.gather(
        who, INDEX, Epoch(1), include_queries=False
    ),
    Action.RELEASE_HOLD: lambda _, who: ending.lift_holds(who, INDEX, V2, reason=""),
    Action.GRANT: lambda _, who: grants.grant(who, EVE, Role.ADMIN, None),
    Action.ERASE: lambda _, who: erase.erase(who, INDEX, [DocumentId("d1")], reason="asked"),
    Action.RECONCILE: lambda _, who: reconcile.reconcile(who),
}


def tables(stage: Stage) -> dict[str, list[tuple[object, ...]]]:
    """Return everything in the control store but the audit."""
    with closing(sqlite3.connect(stage.folder / "control.db")) as connection:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        return {
            name: connection.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608 - ours
            for (name,) in names.fetchall()
            if name not in {"audit", "sqlite_sequence"}
        }


def denied(stage: Stage, action: Action, who: Session) -> None:
    before, collections = tables(stage), list(stage.backend.collections())
    with stage.store.read() as view:
        count = len(view.audit.records())
    with pytest.raises(NotPermittedError) as caught:
        VERBS[action](stage, who)
    assert caught.value.hint
    assert tables(stage) == before
    assert list(stage.backend.collections()) == collections
    with stage.store.read() as view:
        told = view.audit.records()[count:]
    assert [(one.actor, one.action, one.outcome) for one in told] == [
        (who.actor, action, Outcome.DENIED)
    ]
    assert grants.verify_audit(stage.session) == count + 1


def test_an_epoch_in_another_record_s_details_is_no_move(promoted: Stage) -> None:
    session = promoted.session
    before = grants.verify_audit(session)
    with promoted.store.begin() as tx:
        tx.audit.append(
            at=session.clock.now(),
            actor=session.actor,
            action=Action.GUARD,
            index=INDEX,
            details={"epoch": 77},
        )
    assert grants.verify_audit(session) == before + 1


def test_a_move_s_record_without_its_move_is_found(promoted: Stage) -> None:
    session = promoted.session
    with promoted.store.begin() as tx:
        tx.audit.append(
            at=session.clock.now(), actor=session.actor, action=Action.PROMOTE, index=INDEX
        )
    with pytest.raises(BrokenAuditError, match="3 moves do not say what the 2 moves"):
        grants.verify_audit(session)


@pytest.mark.parametrize("action", list(VERBS))
def test_a_stranger_may_do_nothing_before_the_first_grant(
    promoted: Stage, action: Action
) -> None:
    denied(promoted, action, promoted.open(EVE, is_owner=False))


@pytest.mark.parametrize("action", list(VERBS))
def test_after_the_first_grant_owning_the_folder_counts_for_nothing(
    promoted: Stage, action: Action
) -> None:
    grants.grant(promoted.session, Actor("bob"), Role.VIEWER, None)
    denied(promoted, action, promoted.open(EVE, is_owner=True))


@pytest.mark.parametrize(
    "action", [Action.PROMOTE, Action.ROLLBACK, Action.FREEZE, Action.DROP]
)
def test_a_writer_moves_nothing(promoted: Stage, action: Action) -> None:
    grants.grant(promoted.session, EVE, Role.WRITER, INDEX)
    denied(promoted, action, promoted.open(EVE))


def test_an_operator_rolls_back_but_does_not_drop(promoted: Stage) -> None:
    grants.grant(promoted.session, EVE, Role.OPERATOR, INDEX)
    eve = promoted.open(EVE, is_owner=False)
    assert promoted.rollback(by=eve).verified
    denied(promoted, Action.DROP, eve)
    with promoted.store.read() as view:
        assert view.pointers.moves(INDEX)[0].actor == EVE


def test_a_role_on_one_index_is_none_on_another(promoted: Stage) -> None:
    documents.create_index(promoted.session, IndexName("other"))
    grants.grant(promoted.session, EVE, Role.OPERATOR, IndexName("other"))
    denied(promoted, Action.ROLLBACK, promoted.open(EVE))


def test_a_role_taken_back_counts_no_more(promoted: Stage) -> None:
    grants.grant(promoted.session, EVE, Role.OPERATOR, INDEX)
    assert grants.revoke(promoted.session, EVE, Role.OPERATOR, INDEX)
    denied(promoted, Action.ROLLBACK, promoted.open(EVE))


def test_the_first_grant_locks_nobody_out(stage: Stage) -> None:
    grants.grant(stage.session, EVE, Role.VIEWER, None)
    grants.grant(stage.session, Actor("bob"), Role.OPERATOR, INDEX)
    with pytest.raises(RefusedError, match="last admin"):
        grants.revoke(stage.session, stage.session.actor, Role.ADMIN, None)


def test_overriding_an_evaluation_takes_an_approver(stage: Stage) -> None:
    grants.grant(stage.session, EVE, Role.OPERATOR, INDEX)
    with pytest.raises(NotPermittedError):
        stage.promote("v2", by=stage.open(EVE))
    with stage.store.read() as view:
        assert view.pointers.pointer(INDEX).epoch == 1
        record = view.audit.records()[-1]
    assert (record.actor, record.outcome) == (EVE, Outcome.DENIED)
