"""Roles: who may do what, and the chain that records it."""

from __future__ import annotations

from typing import Final

from repoint.domain import audit
from repoint.domain.access import Action, Role
from repoint.domain.errors import BrokenAuditError, RefusedError
from repoint.domain.ids import Actor, IndexName, actor_name
from repoint.domain.pointer import MoveKind
from repoint.operations.session import Session, authorise

#: What the records of moves are called; an epoch in another record's details moves nothing.
MOVES: Final = frozenset(kind.value for kind in MoveKind)


def grant(session: Session, actor: Actor, role: Role, index: IndexName | None) -> None:
    """Give a role on one index, or on all.

    The first grant ends the owner's freedom to do everything; if it names someone else, the
    owner keeps the admin's role, so that nobody is locked out.
    """
    authorise(session, Action.GRANT, index)
    actor_name(actor)
    with session.store.begin() as tx:
        if index is not None:
            tx.indexes.require(index)
        if not tx.access.grants() and (actor, role) != (session.actor, Role.ADMIN):
            tx.access.grant(session.actor, Role.ADMIN, None)
        tx.access.grant(actor, role, index)
        tx.audit.append(
            at=session.clock.now(),
            actor=session.actor,
            action=Action.GRANT,
            index=index or "",
            details={"to": actor, "role": role},
        )


def revoke(session: Session, actor: Actor, role: Role, index: IndexName | None) -> bool:
    """Take a role back; False when it was not held.

    Raises:
        RefusedError: it is the last admin's; nobody could grant roles any more.
    """
    authorise(session, Action.GRANT, index)
    with session.store.begin() as tx:
        admins = [g for g in tx.access.grants() if g[1] is Role.ADMIN and g[2] is None]
        if role is Role.ADMIN and admins == [(actor, role, index)]:
            raise RefusedError(
                f"{actor} is the last admin", hint="grant another one the role first"
            )
        held = tx.access.revoke(actor, role, index)
        tx.audit.append(
            at=session.clock.now(),
            actor=session.actor,
            action="revoke",
            index=index or "",
            details={"from": actor, "role": role, "held": held},
        )
        return held


def verify_audit(session: Session) -> int:
    """Return the number of audit records after checking the chain against the moves (INV-7).

    Raises:
        BrokenAuditError: a record was changed, put in or removed, or a move has not
            exactly one.
    """
    with session.store.read() as view:
        records = view.audit.records()
        count = audit.verify(records)
        recorded = sorted(
            (
                record.index,
                str(record.details.get("epoch")),
                record.actor,
                record.reason,
                str(record.details.get("from")),
                str(record.details.get("to")),
            )
            for record in records
            if record.outcome is audit.Outcome.DONE and record.action in MOVES
        )
        moved = sorted(
            (
                index,
                str(move.after.epoch),
                move.actor,
                move.reason,
                str(move.before.active),
                str(move.after.active),
            )
            for index in view.indexes.names()
            for move in view.pointers.moves(index)
        )
    if recorded != moved:
        raise BrokenAuditError(
            sequence=count,
            why=f"the records of {len(recorded)} moves do not say what the {len(moved)} moves "
            "of the pointer say",
        )
    return count
