"""Carry out what a guard decided, once, whoever comes to it.

A decision is stored before anything is done, so a guard that dies leaves it to the next one.
It is carried out only at the epoch that it was made at: when the pointer moved, it was either
done already, which the move's own record says, or it has lapsed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from repoint.domain.document import Json
from repoint.domain.errors import ConflictError, RepointError, StaleEpochError
from repoint.domain.guarding import Decision, DecisionState
from repoint.domain.ids import IndexName
from repoint.domain.operation import Freeze
from repoint.domain.pointer import Move, MoveKind
from repoint.domain.triggers import Act
from repoint.operations import freeze, reconcile, rollback
from repoint.operations.rollback import RollbackOptions
from repoint.operations.session import Session

#: A decision that nobody carried out for so long says nothing of now.
STANDS: Final = timedelta(hours=1)


def carry_out(session: Session, decision: Decision) -> Decision:
    """Do what was decided, and return the decision in its end."""
    if decision.act is Act.FREEZE:
        return _freeze(session, decision)
    return _roll_back(session, decision)


def finish(session: Session, index: IndexName) -> Decision | None:
    """Bring the decision that a guard left behind to its end; None when there is none."""
    with session.store.read() as view:
        if view.guarding.open_decision(index) is None:
            return None
    reconcile.clear_the_way(session, index)  # a rollback that died half way is finished first
    left = tidy(session, index)
    if left is None or left.state is not DecisionState.DECIDED:
        return left
    return carry_out(session, left)


def tidy(session: Session, index: IndexName) -> Decision | None:
    """Settle a decision that was carried out or has lapsed, and carry out nothing.

    Returns it, still ``decided`` where it is to be carried out; None when there is none.
    """
    with session.store.read() as view:
        decision = view.guarding.open_decision(index)
        epoch = view.pointers.pointer(index).epoch
        frozen = view.indexes.frozen(index)
    if decision is None:
        return None
    moved = _move_of(session, decision)
    if moved is not None:
        return _settle(session, decision, DecisionState.DONE, _of_move(moved))
    if frozen is not None and frozen.reason == _reason(decision):
        return _settle(session, decision, DecisionState.DONE, _of_freeze(frozen))
    if epoch != decision.epoch:
        return _settle(session, decision, DecisionState.LAPSED, {"epoch": epoch})
    if session.clock.now() - decision.at > STANDS:
        after: Json = STANDS.total_seconds()
        return _settle(session, decision, DecisionState.LAPSED, {"after_s": after})
    return decision


def _roll_back(session: Session, decision: Decision) -> Decision:
    index = decision.index
    try:
        report = rollback.rollback(
            session,
            index,
            reason=_reason(decision),
            options=RollbackOptions(only_from=decision.epoch),
        )
    except StaleEpochError as error:
        return _settle(session, decision, DecisionState.LAPSED, _of_error(error))
    except RepointError as error:
        moved = _move_of(session, decision)
        if (
            moved is not None
        ):  # what failed came after the move, and is the rollback's to finish
            return _settle(
                session, decision, DecisionState.DONE, {**_of_move(moved), **_of_error(error)}
            )
        return _settle(session, decision, DecisionState.REFUSED, _of_error(error))
    return _settle(
        session,
        decision,
        DecisionState.DONE,
        {
            "epoch": report.epoch,
            "failed": report.failed,
            "active": report.active,
            "seconds": round(report.seconds, 4),
            "switch_seconds": round(report.switch_seconds, 4),
            "verified": report.verified,
            "evidence": report.evidence,
        },
    )


def _freeze(session: Session, decision: Decision) -> Decision:
    try:
        made = freeze.freeze(session, decision.index, reason=_reason(decision))
    except RepointError as error:
        return _settle(session, decision, DecisionState.REFUSED, _of_error(error))
    return _settle(session, decision, DecisionState.DONE, _of_freeze(made))


def _settle(
    session: Session, decision: Decision, state: DecisionState, outcome: Mapping[str, Json]
) -> Decision:
    with session.store.begin() as tx:
        try:
            return tx.guarding.settle(decision, state, outcome={**decision.outcome, **outcome})
        except ConflictError:
            # Another guard came to it first: what it said stands.
            return next(
                one
                for one in tx.guarding.decisions(decision.index)
                if one.number == decision.number
            )


def _reason(decision: Decision) -> str:
    return f"guard, decision {decision.number}: {decision.why}"


def _move_of(session: Session, decision: Decision) -> Move | None:
    """Return the move that carried the decision out."""
    with session.store.read() as view:
        moves = view.pointers.moves(decision.index)
    for move in moves:
        if (
            move.kind is MoveKind.ROLLBACK
            and move.before.epoch == decision.epoch
            and move.reason == _reason(decision)
        ):
            return move
    return None


def _of_move(move: Move) -> dict[str, Json]:
    return {
        "epoch": move.after.epoch,
        "failed": move.before.on_trial,
        "active": move.after.active,
    }


def _of_freeze(made: Freeze) -> dict[str, Json]:
    return {"frozen_by": made.actor, "frozen_at": made.at.isoformat()}


def _of_error(error: RepointError) -> dict[str, Json]:
    return {"error": error.code, "message": error.message, "hint": error.hint}
